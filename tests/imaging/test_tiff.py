"""TIFF: axes, colours, spacing from OME and ImageJ, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from src_core.errors import BadInputError
from src_core.imaging import read_image, read_mask

RNG = np.random.default_rng(3)
FLAT = RNG.integers(0, 2**16, (6, 7), dtype=np.uint16)
RGB = RNG.integers(0, 256, (6, 7, 3), dtype=np.uint8)
STACK = RNG.integers(0, 256, (5, 6, 7), dtype=np.uint8)
CHANNELS = RNG.integers(0, 256, (5, 2, 6, 7), dtype=np.uint8)

CASES = [
    ("grey16", FLAT, {"photometric": "minisblack"}, "yx", FLAT),
    ("bigendian", FLAT, {"byteorder": ">"}, "yx", FLAT),
    ("rgb", RGB, {"photometric": "rgb"}, "cyx", RGB.transpose(2, 0, 1)),
    (
        "rgba",
        np.concatenate([RGB, RGB[..., :1]], 2),
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        "cyx",
        RGB.transpose(2, 0, 1),
    ),
    (
        "planar",
        RGB.transpose(2, 0, 1).copy(),
        {"photometric": "rgb", "planarconfig": "separate"},
        "cyx",
        RGB.transpose(2, 0, 1),
    ),
    ("pages", STACK, {"photometric": "minisblack"}, "zyx", STACK),
    ("deflate", STACK, {"compression": "deflate"}, "zyx", STACK),
    ("tiled", STACK, {"tile": (16, 16)}, "zyx", STACK),
    ("white", STACK[0], {"photometric": "miniswhite"}, "yx", 255 - STACK[0]),
    ("bits", STACK[0] > 99, {"photometric": "minisblack"}, "yx", STACK[0] > 99),
    (
        "float",
        FLAT.astype(np.float32) / 7,
        {"photometric": "minisblack"},
        "yx",
        FLAT.astype(np.float32) / 7,
    ),
    (
        "double",
        FLAT.astype(np.float64) / 7,
        {"photometric": "minisblack"},
        "yx",
        (FLAT / 7).astype(np.float32),
    ),
]


@pytest.mark.parametrize(
    ("name", "data", "options", "axes", "values"), CASES, ids=[c[0] for c in CASES]
)
def test_values_and_axes(tmp_path, name, data, options, axes, values):
    path = tmp_path / f"{name}.tif"
    order = options.pop("byteorder", "<") if "byteorder" in options else "<"
    with tifffile.TiffWriter(path, byteorder=order) as writer:
        writer.write(data, metadata=None, **options)
    picture = read_image(path)
    assert picture.axes == axes
    np.testing.assert_array_equal(picture.pixels, values)
    assert picture.pixels.dtype.isnative
    assert (picture.unit, set(picture.spacing)) == ("pixel", {1.0})


PLACES = [
    (
        "zyx",
        STACK,
        {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25},
        {"PhysicalSizeZ": 2.0},
        (2.0, 0.25, 0.5),
        "micrometer",
    ),
    (
        "zyx",
        STACK,
        {
            "axes": "ZYX",
            "PhysicalSizeX": 4.6,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 4.6,
            "PhysicalSizeYUnit": "nm",
        },
        {"PhysicalSizeZ": 50, "PhysicalSizeZUnit": "nm"},
        (0.05, 0.0046, 0.0046),
        "micrometer",
    ),
    (
        "yx",
        STACK[0],
        {
            "axes": "YX",
            "PhysicalSizeX": 0.1,
            "PhysicalSizeXUnit": "cm",
            "PhysicalSizeY": 2,
        },
        {"PhysicalSizeYUnit": "mm"},
        (2.0, 1.0),
        "millimeter",
    ),
    ("yx", STACK[0], {"axes": "YX"}, {}, (1.0, 1.0), "pixel"),
    (
        "czyx",
        CHANNELS,
        {"axes": "ZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
        {},
        (0.5, 0.5, 0.5),
        "micrometer",
    ),
]


@pytest.mark.parametrize(("axes", "data", "about", "more", "spacing", "unit"), PLACES)
def test_ome_spacing(tmp_path, axes, data, about, more, spacing, unit):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, data, metadata=about | more, photometric="minisblack")
    picture = read_image(path)
    assert picture.axes == axes
    assert picture.spacing == pytest.approx(spacing)
    assert picture.unit == unit
    expected = data.transpose(1, 0, 2, 3) if axes == "czyx" else data
    np.testing.assert_array_equal(picture.pixels, expected)


def test_imagej_spacing(tmp_path):
    path = tmp_path / "ij.tif"
    tifffile.imwrite(
        path,
        STACK,
        imagej=True,
        resolution=(1 / 0.4, 1 / 0.2),
        metadata={"axes": "ZYX", "spacing": 3.0, "unit": "um"},
    )
    picture = read_image(path)
    assert picture.spacing == pytest.approx((3.0, 0.2, 0.4))
    assert picture.unit == "micrometer"
    np.testing.assert_array_equal(picture.pixels, STACK)


def test_palette_is_colour_in_an_image_and_labels_in_a_mask(tmp_path):
    index = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    table = np.zeros((3, 256), np.uint16)
    table[:, 1], table[:, 2] = (65535, 0, 0), (0, 51400, 257)
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, index, photometric="palette", colormap=table)
    picture = read_image(path)
    assert picture.axes == "cyx"
    np.testing.assert_array_equal(picture.pixels[:, 0, 1], [255, 0, 0])
    np.testing.assert_array_equal(picture.pixels[:, 1, 0], [0, 200, 1])
    np.testing.assert_array_equal(read_mask(path, 2), index == 2)


def test_the_first_image_of_a_pyramid_is_its_full_size(tmp_path):
    path = tmp_path / "pyramid.ome.tif"
    big = RNG.integers(0, 256, (64, 64), dtype=np.uint8)
    with tifffile.TiffWriter(path) as writer:
        writer.write(big, subifds=1, metadata={"axes": "YX"})
        writer.write(big[::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(read_image(path).pixels, big)


@pytest.mark.parametrize(
    ("axes", "shape"), [("TYX", (4, 6, 7)), ("TZCYX", (2, 5, 3, 6, 7))]
)
def test_a_frame_of_a_film_is_chosen(tmp_path, axes, shape):
    path = tmp_path / "t.ome.tif"
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    tifffile.imwrite(path, values, metadata={"axes": axes}, photometric="minisblack")
    with pytest.raises(BadInputError, match="frames; say which"):
        read_image(path)
    picture = read_image(f"{path}#frame=1")
    expected = values[1].swapaxes(0, 1) if "Z" in axes else values[1]
    np.testing.assert_array_equal(picture.pixels, expected)


def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "bomb.tif"
    tifffile.imwrite(path, STACK[0], metadata=None)
    raw = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            offset = tif.pages[0].tags[tag].valueoffset
            raw[offset : offset + 4] = (50_000).to_bytes(4, "little")
            raw[offset - 6 : offset - 4] = (4).to_bytes(2, "little")
    path.write_bytes(raw)
    with pytest.raises(BadInputError, match=r"2\.3 GiB decoded"):
        read_image(path)


def test_a_broken_file_is_told_once(tmp_path, caplog):
    """tifffile writes a dozen lines of its own to the terminal for it."""
    path = tmp_path / "broken.tif"
    tifffile.imwrite(path, np.arange(1280, dtype=np.uint16).reshape(32, 40))
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes(60) + data[100:])
    with pytest.raises(BadInputError, match=r"broken\.tif"):
        read_image(path)
    assert caplog.records == []
