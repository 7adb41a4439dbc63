"""What holds for every reader, whatever the bytes."""

from __future__ import annotations

import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import tifffile

from makers import (
    MAKERS,
    PART,
    PIXELS,
    make_dicom,
    make_itk,
    make_raster,
    make_zarr,
)
from src_core.errors import BadInputError, MissingExtraError, UserError
from src_core.imaging import (
    READERS,
    Picture,
    Source,
    can_read,
    find_sources,
    read_image,
    slides,
)
from src_core.imaging.units import common_unit


def test_each_reader_is_tried_here(tmp_path):
    readers = set()
    for name, make in MAKERS.items():
        make(tmp_path / name)
        readers.add(next(r.name for r in READERS if r.can_read(tmp_path / name)))
    assert readers == {reader.name for reader in READERS}


@pytest.mark.parametrize("name", MAKERS)
def test_the_contract(tmp_path, name):
    MAKERS[name](tmp_path / name)
    assert can_read(tmp_path / name)
    picture = read_image(Source(tmp_path / name, PART.get(name, "")))
    assert isinstance(picture, Picture)
    assert picture.name.startswith(name)
    size = (24, 24) if name in PART else PIXELS.shape
    assert picture.pixels.shape[-2:] == size
    assert picture.pixels.dtype.isnative
    assert picture.pixels.flags.c_contiguous
    picture.pixels[...] = 0  # nobody else holds the memory


def sentence_or_size(path):
    """What a user is told, or how many values were read; any other error passes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_image(Source(path, PART.get(path.name, ""))).pixels.size
    except UserError as error:
        return str(error)


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "a.zarr"])
def test_any_bytes_give_an_image_or_a_sentence(tmp_path, name):
    """Bits flipped, ends cut off, middles taken out: never another error."""
    MAKERS[name](tmp_path / name)
    raw = (tmp_path / name).read_bytes()
    chance = random.Random(name)
    outcomes = []
    for _ in range(60):
        data = bytearray(raw)
        for _ in range(chance.choice([1, 1, 4, 30])):
            # headers are where it hurts: half the hits go there
            end = min(len(data), chance.choice([400, len(data)]))
            data[chance.randrange(end)] = chance.randrange(256)
        if chance.random() < 0.3:
            cut = chance.randrange(len(data))
            del data[cut : chance.choice([len(data), cut + 9])]
        (tmp_path / name).write_bytes(data)
        outcomes.append(sentence_or_size(tmp_path / name))
    told = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert told
    assert all(name in text and text.endswith(".") for text in told)
    assert all(outcome for outcome in outcomes)


@pytest.mark.parametrize("mark", ["zarr.json", "0/zarr.json", "0/c/0/0"])
def test_a_damaged_folder_is_refused(tmp_path, mark):
    make_zarr(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / mark).write_bytes(b"{]\x00")
    with pytest.raises(BadInputError, match=r"a\.zarr"):
        read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.xyz", "no supported format"), ("a.txt", "no supported format")],
)
def test_other_formats_are_named(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"something else" * 30)
    assert not can_read(tmp_path / name)
    with pytest.raises(BadInputError, match=message):
        read_image(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadInputError, match="There is no file"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", MAKERS)
def test_an_empty_file_is_refused(tmp_path, name):
    if name == "a.zarr":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).touch()
    with pytest.raises(BadInputError, match=r"a\."):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("a.nii", "nibabel", "nifti"),
        ("a.dcm", "pydicom", "dicom"),
        ("a.mha", "SimpleITK", "itk"),
        ("a.svs", "tiffslide", "slides"),
    ],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, name, module, extra):
    MAKERS[name](tmp_path / name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"lgssl-napari\[{extra}\]"):
        read_image(tmp_path / name)


def test_a_missing_codec_is_named(tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    tifffile.imwrite(tmp_path / "a.tif", PIXELS, metadata=None)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", refuse)
    with pytest.raises(MissingExtraError, match=r"lgssl-napari\[tiff\]"):
        read_image(tmp_path / "a.tif")


def test_folders_are_searched_and_a_zarr_is_one_image(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    make_zarr(tmp_path / "deep" / "v.zarr")
    for name in ("b.png", "a.png", "deep/er/c.png", ".hidden/d.png", ".e.png"):
        make_raster(tmp_path / name)
    (tmp_path / "notes.txt").write_text("notes")
    make_dicom(tmp_path / "IM1")
    (tmp_path / "broken.dcm").write_bytes(b"no DICOM at all")
    found = find_sources([tmp_path, tmp_path / "a.png", tmp_path / "notes.txt"])
    paths = [source.path.relative_to(tmp_path).as_posix() for source in found.sources]
    assert paths == [
        "IM1",
        "a.png",
        "b.png",
        "deep/er/c.png",
        "deep/v.zarr",
        "notes.txt",
    ]
    [(broken, reason)] = found.failed
    assert broken.endswith("broken.dcm")
    assert "could not be read as DICOM" in reason


def test_importing_the_package_loads_no_format_library():
    code = (
        "import sys, src_core.imaging;"
        "names = ('PIL', 'tifffile', 'zarr', 'nibabel', 'pydicom', 'skimage', 'torch',"
        " 'highdicom', 'SimpleITK', 'tiffslide', 'scipy');"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("units", "factors", "unit"),
    [
        (("nm", "nm"), (1e-3, 1e-3), "micrometer"),
        (("mm", "cm"), (1.0, 10.0), "millimeter"),
        (("µm", "mm"), (1e-3, 1.0), "millimeter"),
        (("Micrometer", "micron"), (1.0, 1.0), "micrometer"),
        (("mm", ""), (1.0, 1.0), "pixel"),
        (("parsec", "parsec"), (1.0, 1.0), "pixel"),
    ],
)
def test_one_unit_for_all_axes(units, factors, unit):
    found, named = common_unit(units)
    assert found == pytest.approx(factors)
    assert named == unit


@pytest.mark.parametrize(
    "changes",
    [
        {"axes": "xy"},
        {"axes": "zyx"},
        {"spacing": (1.0,)},
        {"origin": ()},
        {"orientation": "P"},
    ],
)
def test_a_picture_that_contradicts_itself_is_refused(changes):
    good = {
        "pixels": PIXELS,
        "axes": "yx",
        "spacing": (1.0, 1.0),
        "unit": "pixel",
        "origin": (0.0, 0.0),
        "orientation": "",
        "name": "a.png",
    }
    assert Picture(**good).axes == "yx"
    with pytest.raises(BadInputError, match="do not fit"):
        Picture(**good | changes)


@pytest.mark.parametrize("limit", ["_OVERVIEW", "_MOST_BLOCKS"])
def test_a_slide_that_nobody_could_look_over_is_refused_and_its_tiles_are_not(
    tmp_path, monkeypatch, limit
):
    path = tmp_path / "a.svs"
    MAKERS["a.svs"](path)
    assert len(find_sources([path]).sources) == 1
    monkeypatch.setattr(slides, limit, 0)
    found = find_sources([path])
    assert found.sources == []
    [(name, reason)] = found.failed
    assert name == str(path)
    assert "no small level" in reason
    tile = read_image(f"{path}#{PART['a.svs']}")
    assert tile.pixels.shape == (3, 24, 24)


@pytest.mark.parametrize("name", ["scan[1].mha", "scan [2].nrrd"])
def test_a_name_may_hold_brackets(tmp_path, name):
    make_itk(tmp_path / name)
    picture = read_image(Source(tmp_path / name, ""))
    np.testing.assert_array_equal(picture.pixels.squeeze(), PIXELS)
