"""DICOM-SEG out and in again, with highdicom and pydicom as witnesses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import dicoms
from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging import ExportItem, Picture, export, read_image, read_mask

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")


RNG = np.random.default_rng(2)
VOLUME = RNG.integers(0, 3000, (6, 5, 4)).astype(np.uint16)
LIVER = (RNG.random(VOLUME.shape) > 0.5).astype(np.uint8)
LIVER[0] = LIVER[5] = 0
SPLEEN = (RNG.random(VOLUME.shape) > 0.7).astype(np.uint8)
MASKS = {"left liver lobe": LIVER, "my thing": SPLEEN, "absent": np.zeros_like(LIVER)}


def item_of(path, masks=MASKS, **changes):
    picture = read_image(path)
    return ExportItem("case", replace(picture, group="anon-0001"), masks, **changes)


def written(tmp_path, item):
    (path,) = export("dicom-seg", [item], tmp_path / "out")
    return path


SERIES = [
    ("axial", dicoms.AXIAL),
    ("coronal", dicoms.CORONAL),
    ("sagittal", dicoms.SAGITTAL),
    ("oblique", (0.8, 0.6, 0, -0.6, 0.8, 0)),
]


@pytest.mark.parametrize(("name", "across_down"), SERIES, ids=[s[0] for s in SERIES])
def test_highdicom_finds_every_voxel_on_its_slice(tmp_path, name, across_down):
    dicoms.save_series(tmp_path / "ct", VOLUME, across_down=across_down)
    item = item_of(tmp_path / "ct")
    seg = highdicom.seg.segread(written(tmp_path, item))
    assert [seg.get_segment_description(n).segment_label for n in (1, 2)] == [
        "left liver lobe",
        "my thing",
    ]
    assert seg.number_of_segments == 2
    found = seg.get_pixels_by_source_instance(
        source_sop_instance_uids=list(item.picture.reference.instances),
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )
    np.testing.assert_array_equal(found[..., 0], LIVER)
    np.testing.assert_array_equal(found[..., 1], SPLEEN)
    # the slices as the files themselves have them, not as the picture does
    for z, instance in enumerate(item.picture.reference.instances):
        (source,) = (
            data
            for data in map(pydicom.dcmread, (tmp_path / "ct").glob("*.dcm"))
            if data.SOPInstanceUID == instance
        )
        np.testing.assert_array_equal(source.pixel_array, VOLUME[z])


@pytest.mark.parametrize(("name", "across_down"), SERIES, ids=[s[0] for s in SERIES])
def test_a_segment_lies_where_its_image_lies(tmp_path, name, across_down):
    dicoms.save_series(tmp_path / "ct", VOLUME, across_down=across_down)
    item = item_of(tmp_path / "ct")
    path = written(tmp_path, item)
    like = item.picture
    for number, mask in enumerate((LIVER, SPLEEN), 1):
        np.testing.assert_array_equal(read_mask(path, number, like=like), mask)
    np.testing.assert_array_equal(read_mask(path, like=like), LIVER | SPLEEN)
    alone = read_image(path)
    assert alone.spacing == pytest.approx(like.spacing)
    with pytest.raises(BadInputError, match=r"no segment 3.*1 \(left liver lobe\)"):
        read_mask(path, 3)


def test_enhanced_files_are_referred_to_by_frame(tmp_path):
    order = (3, 0, 5, 1, 4, 2)
    dicoms.save_frames(
        tmp_path / "ct.dcm",
        VOLUME,
        order=order,
        Modality="CT",
        StudyInstanceUID="1.2",
        SeriesInstanceUID="1.3",
        FrameOfReferenceUID="1.4",
    )
    item = item_of(tmp_path / "ct.dcm")
    seg = highdicom.seg.segread(written(tmp_path, item))
    frames = list(item.picture.reference.frames)
    found = seg.get_pixels_by_source_frame(
        source_sop_instance_uid=item.picture.reference.instances[0],
        source_frame_numbers=frames,
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )
    np.testing.assert_array_equal(found[..., 0], LIVER)


def test_a_flat_film_has_a_segmentation_too(tmp_path):
    dicoms.save(
        tmp_path / "cr.dcm",
        VOLUME[0],
        Modality="CR",
        StudyInstanceUID="1.2",
        SeriesInstanceUID="1.3",
    )
    item = item_of(tmp_path / "cr.dcm", {"lung": LIVER[2]})
    path = written(tmp_path, item)
    np.testing.assert_array_equal(read_mask(path, 1, like=item.picture), LIVER[2])


def test_a_slice_of_a_volume_is_found_by_what_it_was_drawn_on(tmp_path):
    paths = dicoms.save_series(tmp_path / "ct", VOLUME)
    path = written(tmp_path, item_of(tmp_path / "ct"))
    np.testing.assert_array_equal(
        read_mask(path, 1, like=read_image(paths[3])), LIVER[3]
    )


def test_no_name_leaves_unless_it_is_asked_for(tmp_path):
    dicoms.save_series(tmp_path / "ct", VOLUME)
    item = item_of(tmp_path / "ct")
    data = pydicom.dcmread(written(tmp_path, item))
    assert (str(data.PatientName), data.PatientID) == ("", "anon-0001")
    assert b"Muster" not in written(tmp_path / "again", item).read_bytes()
    person = {"PatientName": "Muster^Erika", "PatientID": "4711", "StudyID": "9"}
    named = pydicom.dcmread(written(tmp_path / "named", replace(item, person=person)))
    assert (str(named.PatientName), named.PatientID) == ("Muster^Erika", "4711")
    assert named.StudyInstanceUID == "1.2.3"


def fractional(data):
    data.SegmentationType = "FRACTIONAL"
    data.MaximumFractionalValue = 200
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    values = {1: LIVER * 100, 2: SPLEEN * 99}
    data.PixelData = b""
    for group in data.PerFrameFunctionalGroupsSequence:
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        z = round((group.PlanePositionSequence[0].ImagePositionPatient[2] - 30) / 2)
        data.PixelData += values[number][z].astype(np.uint8).tobytes()


def plain_seg(tmp_path):
    """Both segments on the four inner slices, frame after frame."""
    dicoms.save_series(tmp_path / "ct", VOLUME)
    inner = {"a": LIVER.copy(), "b": np.zeros_like(SPLEEN)}
    inner["a"][1:5, 0, 0] = 1
    inner["b"][1:5] = SPLEEN[1:5]
    inner["b"][1:5, 0, 0] = 1
    return written(tmp_path, item_of(tmp_path / "ct", inner)), inner


def test_fractions_count_from_one_half_on(tmp_path):
    path, _ = plain_seg(tmp_path)
    data = pydicom.dcmread(path)
    fractional(data)
    data.save_as(path)
    like = read_image(tmp_path / "ct")
    np.testing.assert_array_equal(read_mask(path, 1, like=like), LIVER)
    assert not read_mask(path, 2, like=like).any()


def test_slices_without_a_frame_are_empty(tmp_path):
    path, inner = plain_seg(tmp_path)
    alone = read_image(path)
    assert alone.pixels.shape == (4, 5, 4)
    like = read_image(tmp_path / "ct")
    np.testing.assert_array_equal(read_mask(path, 2, like=like), inner["b"])


REFUSED = [
    ("png", lambda p: replace(p, reference=None), "not imported from DICOM"),
    (
        "anonymised",
        lambda p: replace(p, reference=replace(p.reference, series="")),
        "identifiers of study or series",
    ),
    (
        "film",
        lambda p: replace(
            p,
            reference=replace(
                p.reference, frames=(1, 2, 3, 4, 5, 6), sop_class=dicoms.SECONDARY
            ),
        ),
        "frame of a film",
    ),
]


@pytest.mark.parametrize(
    ("name", "change", "message"), REFUSED, ids=[r[0] for r in REFUSED]
)
def test_refused(tmp_path, name, change, message):
    dicoms.save_series(tmp_path / "ct", VOLUME)
    item = item_of(tmp_path / "ct")
    with pytest.raises(BadInputError, match=message):
        export("dicom-seg", [replace(item, picture=change(item.picture))], tmp_path)


def test_nothing_is_overwritten(tmp_path):
    dicoms.save_series(tmp_path / "ct", VOLUME)
    item = item_of(tmp_path / "ct")
    written(tmp_path, item)
    with pytest.raises(BadInputError, match="there already"):
        written(tmp_path, item)


def test_without_highdicom_the_extra_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(MissingExtraError, match=r"lgssl-napari\[dicom-seg\]"):
        export("dicom-seg", [], tmp_path)


def test_an_image_of_all_absent_targets_gives_no_file(tmp_path):
    dicoms.save_series(tmp_path / "ct", VOLUME)
    item = item_of(tmp_path / "ct", {"absent": np.zeros_like(LIVER)})
    assert export("dicom-seg", [item], tmp_path / "out") == []


def test_the_picture_alone_is_no_segmentation(tmp_path):
    like = Picture(
        np.zeros((2, 3), np.uint8), "yx", (1.0, 1.0), "pixel", (0.0, 0.0), "", "a.png"
    )
    dicoms.save_series(tmp_path / "ct", VOLUME)
    path = written(tmp_path, item_of(tmp_path / "ct"))
    with pytest.raises(BadInputError, match="is a volume of 6 slices"):
        read_mask(path, 2, like=like)
