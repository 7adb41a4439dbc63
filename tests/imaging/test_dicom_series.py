"""DICOM folders: what belongs together, in which order, and where it lies."""

from __future__ import annotations

import random

import numpy as np
import pytest

import dicoms
from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging import ReadOptions, Source, affine_of, find_sources, read_image

RNG = np.random.default_rng(5)
VOLUME = RNG.integers(0, 3000, (6, 5, 4)).astype(np.uint16)
HOUNSFIELD = VOLUME.astype(np.int16) - 1024
ORIENTATIONS = [
    (dicoms.AXIAL, "SPL"),
    (dicoms.CORONAL, "PIL"),
    (dicoms.SAGITTAL, "RIP"),
    ((-1, 0, 0, 0, 1, 0), "IPR"),
]


def world_of(picture, z, y, x):
    """Where a voxel lies in L, P, S."""
    right, front, up, _ = affine_of(picture) @ (x, y, z, 1)
    return (-right, -front, up)


@pytest.mark.parametrize(("across_down", "letters"), ORIENTATIONS)
def test_slices_are_sorted_by_position_not_by_name(tmp_path, across_down, letters):
    dicoms.save_series(tmp_path, VOLUME, across_down=across_down)
    picture = read_image(tmp_path)
    np.testing.assert_array_equal(picture.pixels, HOUNSFIELD)
    assert picture.pixels.dtype == np.int16
    assert (picture.axes, picture.orientation) == ("zyx", letters)
    assert picture.spacing == pytest.approx((2.0, 0.5, 0.25))
    across, down = np.array(across_down, float).reshape(2, 3)
    expected = np.array([-10, -20, 30]) + 3 * 2.0 * np.cross(across, down)
    expected += 2 * 0.5 * down + 1 * 0.25 * across
    assert world_of(picture, 3, 2, 1) == pytest.approx(tuple(expected))


def test_any_names_and_any_order_give_the_same_volume(tmp_path):
    names = [f"{number}.ima" for number in random.Random(3).sample(range(99), 6)]
    dicoms.save_series(tmp_path, VOLUME[::-1], step=-2.0, names=names)
    np.testing.assert_array_equal(read_image(tmp_path).pixels, HOUNSFIELD[::-1][::-1])


def test_mixed_series_are_told_apart(tmp_path):
    dicoms.save_series(tmp_path / "a", VOLUME, SeriesInstanceUID="1.1")
    dicoms.save_series(tmp_path / "a" / "deep", VOLUME[:4] + 1, SeriesInstanceUID="1.2")
    # one series in two folders, with a localizer of three planes in it
    names = [f"x{z}.dcm" for z in range(6)]
    paths = dicoms.save_series(
        tmp_path / "b", VOLUME + 2, SeriesInstanceUID="1.3", names=names
    )
    (tmp_path / "c").mkdir()
    paths[2].rename(tmp_path / "c" / "lost")
    dicoms.save_series(
        tmp_path / "b",
        VOLUME[:2],
        across_down=dicoms.SAGITTAL,
        SeriesInstanceUID="1.3",
        names=["l0", "l1"],
    )
    dicoms.save(tmp_path / "film.dcm", VOLUME[0])
    found = find_sources([tmp_path])
    assert found.failed == []
    by_part = {source.part: source for source in found.sources}
    assert set(by_part) == {
        "series=1.1",
        "series=1.2",
        "series=1.3",
        "series=1.3&stack=1",
        "",
    }
    assert {part: len(s.files) for part, s in by_part.items()} == {
        "series=1.1": 6,
        "series=1.2": 4,
        "series=1.3": 2,
        "series=1.3&stack=1": 6,
        "": 0,
    }
    whole = read_image(by_part["series=1.3&stack=1"])
    np.testing.assert_array_equal(whole.pixels, HOUNSFIELD + 2)
    with pytest.raises(
        BadInputError, match=r"holds 2 pictures; say which.*series=1\.1"
    ):
        read_image(tmp_path / "a")
    again = read_image(Source(tmp_path / "a", "series=1.2"))
    np.testing.assert_array_equal(again.pixels, HOUNSFIELD[:4] + 1)


def test_series_without_identifiers_are_still_series(tmp_path):
    blank = {"SeriesInstanceUID": "", "StudyInstanceUID": ""}
    dicoms.save_series(tmp_path / "a", VOLUME, **blank)
    dicoms.save_series(tmp_path / "b", VOLUME, **blank)
    found = find_sources([tmp_path])
    assert [len(source.files) for source in found.sources] == [6, 6]


def test_a_missing_slice_is_told(tmp_path):
    paths = dicoms.save_series(tmp_path, VOLUME)
    paths[3].unlink()
    found = find_sources([tmp_path])
    assert found.sources == []
    [(what, reason)] = found.failed
    assert str(tmp_path) in what
    assert "2.00 to 4.00 mm apart" in reason
    assert "follows slice 3 of 5" in reason
    with pytest.raises(BadInputError, match="may be missing"):
        read_image(tmp_path)


def test_rounded_positions_are_no_missing_slice(tmp_path):
    for z in range(6):
        place = [-10.0, -20.0, round(30 + z * 2 / 3, 1)]
        dicoms.save_series(
            tmp_path,
            VOLUME[z : z + 1],
            origin=place,
            names=[f"{z}.dcm"],
            SeriesInstanceUID="1.1",
        )
    assert read_image(tmp_path).spacing[0] == pytest.approx(2 / 3, abs=0.02)


def test_copies_of_files_count_once(tmp_path):
    paths = dicoms.save_series(tmp_path, VOLUME)
    (tmp_path / "copy.dcm").write_bytes(paths[0].read_bytes())
    found = find_sources([tmp_path])
    assert [len(source.files) for source in found.sources] == [6]
    assert "1 of its 7 files are copies" in found.notes[0][1]


def save_cine(folder, phases=3):
    """A series in which each place was taken several times."""
    for phase in range(phases):
        dicoms.save_series(
            folder,
            VOLUME + 10 * phase,
            names=[f"{z}-{phases - phase}.dcm" for z in range(6)],
            SeriesInstanceUID="1.1",
            TriggerTime=[float(100 * phase)] * 6,
        )


def test_repeated_places_are_a_series_in_time(tmp_path):
    save_cine(tmp_path)
    sources = find_sources([tmp_path]).sources
    assert [(s.part, s.number, s.count) for s in sources] == [
        (f"series=1.1&volume={n}", n, 3) for n in range(3)
    ]
    for source in sources:
        expected = HOUNSFIELD + 10 * source.number
        np.testing.assert_array_equal(read_image(source).pixels, expected)


def test_uneven_repeats_are_told(tmp_path):
    save_cine(tmp_path)
    (tmp_path / "2-1.dcm").unlink()
    [(_, reason)] = find_sources([tmp_path]).failed
    assert "some with 2 and some with 3 pictures" in reason


def test_a_tilted_gantry_is_a_sheared_volume(tmp_path):
    dicoms.save_series(tmp_path, VOLUME, shear=0.8)
    picture = read_image(tmp_path)
    assert picture.spacing[0] == pytest.approx(np.hypot(2.0, 0.8))
    assert world_of(picture, 5, 0, 0) == pytest.approx((-10, -20 + 5 * 0.8, 40))
    assert world_of(picture, 0, 4, 3) == pytest.approx((-10 + 0.75, -18, 30))


def test_slopes_that_differ_between_slices(tmp_path):
    slopes = ["1", "0.5", "1", "0.25", "1", "1"]
    dicoms.save_series(tmp_path, VOLUME, RescaleSlope=slopes)
    picture = read_image(tmp_path)
    expected = VOLUME * np.array(slopes, float)[:, None, None] - 1024
    np.testing.assert_allclose(picture.pixels, expected)


@pytest.mark.parametrize("order", [range(6), (3, 0, 5, 1, 4, 2)])
def test_frames_with_a_place_are_a_volume(tmp_path, order):
    dicoms.save_frames(tmp_path / "a.dcm", VOLUME, order=order, Modality="CT")
    picture = read_image(tmp_path / "a.dcm")
    np.testing.assert_array_equal(picture.pixels, VOLUME)
    assert (picture.orientation, picture.modality) == ("SPL", "CT")
    assert picture.spacing == pytest.approx((2.0, 0.5, 0.25))
    assert picture.origin == pytest.approx((30.0, -20.0, -10.0))
    frames = [list(order).index(z) + 1 for z in range(6)]
    assert list(picture.reference.frames) == frames
    assert [len(s.files) for s in find_sources([tmp_path]).sources] == [0]


def test_frames_without_a_place_are_a_film(tmp_path):
    path = tmp_path / "film.dcm"
    dicoms.save_frames(path, VOLUME, placed=False, FrameIncrementPointer=0x00181063)
    sources = find_sources([path]).sources
    assert [str(s) for s in sources] == [f"{path}#frame={n}" for n in range(6)]
    np.testing.assert_array_equal(read_image(sources[4]).pixels, VOLUME[4])
    with pytest.raises(BadInputError, match="holds 6 frames; say which"):
        read_image(path)


def test_what_is_no_picture_is_passed_over(tmp_path):
    dicoms.save_series(tmp_path, VOLUME)
    report = dicoms.dataset(VOLUME[0])
    for tag in ("Rows", "Columns", "PixelData"):
        delattr(report, tag)
    report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    found = find_sources([tmp_path])
    assert (len(found.sources), found.failed) == (1, [])


def test_a_slice_that_is_cut_off_is_named(tmp_path):
    paths = dicoms.save_series(tmp_path, VOLUME)
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    with pytest.raises(BadInputError, match="less than expected"):
        read_image(tmp_path)


def test_a_codec_that_is_missing_is_named(tmp_path, monkeypatch):
    from pydicom.pixels.decoders import JPEGLSLosslessDecoder
    from pydicom.uid import JPEGLSLossless

    data = dicoms.dataset(VOLUME[0])
    data.file_meta.TransferSyntaxUID = JPEGLSLossless
    data.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    monkeypatch.setattr(JPEGLSLosslessDecoder, "_available", {})
    with pytest.raises(
        MissingExtraError, match=r"JPEG-LS Lossless.*lgssl-napari\[codecs\]"
    ):
        read_image(tmp_path / "a.dcm")


WINDOWS = [
    ({"WindowCenter": 40, "WindowWidth": 400}, (-160.0, 240.0)),
    ({"WindowCenter": [40, 300], "WindowWidth": [300, 1500]}, (-110.0, 190.0)),
    ({"WindowCenter": 40, "WindowWidth": 0}, ()),
    ({}, ()),
    (
        {
            "WindowCenter": 1000,
            "WindowWidth": 200,
            "PhotometricInterpretation": "MONOCHROME1",
            "BitsStored": 12,
            "HighBit": 11,
        },
        (4095 - 1100.0, 4095 - 900.0),
    ),
]


@pytest.mark.parametrize(("tags", "window"), WINDOWS)
def test_windows(tmp_path, tags, window):
    dicoms.save(tmp_path / "a.dcm", VOLUME[0], **tags)
    assert read_image(tmp_path / "a.dcm").window == window


def region(**changes):
    from pydicom.dataset import Dataset

    data = Dataset()
    values = {
        "RegionDataType": 1,
        "RegionLocationMinX0": 0,
        "RegionLocationMinY0": 0,
        "RegionLocationMaxX1": 3,
        "RegionLocationMaxY1": 4,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.05,
        "PhysicalDeltaY": -0.04,
    } | changes
    for name, value in values.items():
        setattr(data, name, value)
    return data


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [
        ([{}], (0.4, 0.5)),
        ([{}, {"RegionDataType": 3, "PhysicalDeltaX": 9.0}], (0.4, 0.5)),
        ([{}, {"PhysicalDeltaX": 0.1}], None),
        ([{"RegionLocationMaxX1": 595}], None),
        ([{"PhysicalUnitsXDirection": 4}], None),
    ],
)
def test_the_scale_of_ultrasound(tmp_path, regions, spacing):
    sequence = [region(**changes) for changes in regions]
    dicoms.save(tmp_path / "a.dcm", VOLUME[0], SequenceOfUltrasoundRegions=sequence)
    picture = read_image(tmp_path / "a.dcm")
    assert picture.spacing == pytest.approx(spacing or (1.0, 1.0))
    assert picture.unit == ("millimeter" if spacing else "pixel")


def test_a_file_without_a_preamble(tmp_path):
    data = dicoms.dataset(VOLUME[0])
    del data.file_meta
    data.save_as(tmp_path / "a.dcm", implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm").pixels, VOLUME[0])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Muster_Erika_CT", "CT series 7"),
        ("scan of 4711", "CT series 7"),
        ("thorax", "thorax"),
        ("ERIKA", "CT series 7"),
        ("mustermann", "mustermann"),
        ("MusterErika", "CT series 7"),
        ("ct of erikamuster", "CT series 7"),
        ("Muster2", "CT series 7"),
        ("CT4711a", "CT series 7"),
    ],
)
def test_a_folder_that_names_the_patient_is_not_shown(tmp_path, name, shown):
    dicoms.save_series(tmp_path / name, VOLUME, SeriesNumber=7)
    assert read_image(tmp_path / name).name == shown


@pytest.mark.parametrize(
    ("patient", "name", "shown"),
    [
        ("Li^Bo", "Bo_Li 2020", "CT series 7"),
        ("Li^Bo", "libo", "CT series 7"),
        ("Li^Bo", "Li", "Li"),
        ("Wang^Wei=王^伟", "王伟", "CT series 7"),
        ("Müller", "Mu\u0308ller", "CT series 7"),
        ("Müller", "muller", "CT series 7"),
        ("A", "a", "a"),
        ("Muster", "mustermann", "mustermann"),
        ("12^3", "IM0123", "IM0123"),
    ],
)
def test_short_and_accented_names_are_found_in_a_folder(tmp_path, patient, name, shown):
    dicoms.save_series(
        tmp_path / name,
        VOLUME,
        SeriesNumber=7,
        SpecificCharacterSet="ISO_IR 192",
        PatientName=patient,
    )
    assert read_image(tmp_path / name).name == shown


def test_text_in_the_pixels_is_noted(tmp_path):
    dicoms.save_series(tmp_path, VOLUME, BurnedInAnnotation="YES")
    assert "burned into the pixels" in read_image(tmp_path).notes[0]


def test_the_reference_names_every_slice(tmp_path):
    names = [f"1.9.{z}" for z in range(6)]
    dicoms.save_series(tmp_path, VOLUME, SOPInstanceUID=names)
    picture = read_image(tmp_path, ReadOptions(salt="s"))
    reference = picture.reference
    assert reference.instances == tuple(names)
    assert (reference.study, reference.frame_of_reference) == ("1.2.3", "1.2.3.4")
    assert reference.positions[5] == pytest.approx((-10, -20, 40))
    assert (reference.rows, reference.columns) == (5, 4)
    assert picture.group.startswith("patient-")
