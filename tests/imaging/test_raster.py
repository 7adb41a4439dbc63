"""PNG, JPEG, BMP and WebP: values, modes, and what is refused."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from src_core.errors import BadInputError
from src_core.imaging import read_image, read_mask

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
RGB = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)
ALPHA = np.full((3, 4, 1), 7, np.uint8)
PALETTE = [0, 0, 0, 200, 10, 30, 5, 250, 60]


def palette_picture(table: list[int]) -> Image.Image:
    picture = Image.fromarray((GREY // 20) % 3, mode=None).convert("L")
    indexed = Image.new("P", picture.size)
    indexed.putdata(list(picture.get_flattened_data()))
    indexed.putpalette(table)
    return indexed


def bits() -> Image.Image:
    return Image.fromarray((GREY > 100).astype(np.uint8) * 255).convert("1")


INDEX = (GREY // 20) % 3
COLOURS = np.array(PALETTE, np.uint8).reshape(3, 3)

CASES = [
    ("grey.png", lambda: Image.fromarray(GREY), "yx", GREY),
    ("grey.bmp", lambda: Image.fromarray(GREY), "yx", GREY),
    ("rgb.png", lambda: Image.fromarray(RGB), "cyx", RGB.transpose(2, 0, 1)),
    ("rgb.bmp", lambda: Image.fromarray(RGB), "cyx", RGB.transpose(2, 0, 1)),
    (
        "alpha.png",
        lambda: Image.fromarray(np.concatenate([RGB, ALPHA], 2)),
        "cyx",
        RGB.transpose(2, 0, 1),
    ),
    (
        "greyalpha.png",
        lambda: Image.fromarray(np.concatenate([GREY[..., None], ALPHA], 2)),
        "yx",
        GREY,
    ),
    (
        "palette.png",
        lambda: palette_picture(PALETTE),
        "cyx",
        COLOURS[INDEX].transpose(2, 0, 1),
    ),
    (
        "greypalette.png",
        lambda: palette_picture([9, 9, 9, 80, 80, 80, 170, 170, 170]),
        "yx",
        np.array([9, 80, 170])[INDEX],
    ),
    ("bits.png", bits, "yx", (GREY > 100) * 255),
    (
        "deep.png",
        lambda: Image.fromarray(GREY.astype(np.uint16) * 257),
        "yx",
        GREY.astype(np.uint16) * 257,
    ),
]


@pytest.mark.parametrize(
    ("name", "make", "axes", "values"), CASES, ids=[c[0] for c in CASES]
)
def test_values_and_axes(tmp_path, name, make, axes, values):
    make().save(tmp_path / name)
    picture = read_image(tmp_path / name)
    assert picture.axes == axes
    np.testing.assert_array_equal(picture.pixels, values)
    assert picture.pixels.dtype == (np.uint16 if name == "deep.png" else np.uint8)
    assert picture.pixels.flags.c_contiguous
    assert (picture.name, picture.group) == (name, "")
    assert (picture.spacing, picture.unit) == ((1.0, 1.0), "pixel")
    assert picture.orientation == ""
    assert not picture.lossy


@pytest.mark.parametrize(
    ("name", "options", "lossy"),
    [
        ("a.jpg", {"quality": 95}, True),
        ("a.JPEG", {"quality": 95}, True),
        ("a.webp", {"lossless": True}, False),
        ("a.webp", {"quality": 90}, True),
    ],
)
def test_compressed_pictures_stay_close_and_say_whether_they_lost(
    tmp_path, name, options, lossy
):
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))
    Image.fromarray(np.stack([ramp] * 3, 2)).save(tmp_path / name, **options)
    picture = read_image(tmp_path / name)
    assert picture.pixels.shape == (3, 48, 64)
    assert np.abs(picture.pixels.astype(int) - ramp).max() <= (6 if lossy else 0)
    assert picture.lossy == lossy


def test_a_cameras_rotation_is_obeyed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown a quarter turn clockwise
    Image.fromarray(GREY).save(tmp_path / "turned.png", exif=exif)
    picture = read_image(tmp_path / "turned.png")
    np.testing.assert_array_equal(picture.pixels, np.rot90(GREY, -1))


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (5, 4), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    red, green, blue = read_image(tmp_path / "red.jpg").pixels
    assert red.min() > 240
    assert max(green.max(), blue.max()) < 15


MASKS = [
    ("any.png", lambda: Image.fromarray(GREY), None, GREY > 0),
    ("label.png", lambda: Image.fromarray(GREY), 40, GREY == 40),
    ("absent.png", lambda: Image.fromarray(GREY), 41, np.zeros((3, 4))),
    ("bits.png", bits, None, GREY > 100),
    ("bitsone.png", bits, 1, GREY > 100),
    ("bitswhite.png", bits, 255, GREY > 100),
    ("bitstwo.png", bits, 2, np.zeros_like(GREY)),
    ("index.png", lambda: palette_picture(PALETTE), 2, INDEX == 2),
    ("indexany.png", lambda: palette_picture(PALETTE), None, INDEX > 0),
    (
        "greypalette.png",
        lambda: palette_picture([0, 0, 0, 85, 85, 85, 170, 170, 170]),
        170,
        INDEX == 2,
    ),
    ("rgb.png", lambda: Image.fromarray(RGB * (GREY > 60)[..., None]), None, GREY > 60),
    (
        "greyrgb.png",
        lambda: Image.fromarray(np.stack([GREY] * 3, 2)),
        60,
        GREY == 60,
    ),
    (
        "deep.png",
        lambda: Image.fromarray(GREY.astype(np.uint16) * 250),
        55000,
        GREY == 220,
    ),
]


@pytest.mark.parametrize(
    ("name", "make", "value", "expected"), MASKS, ids=[m[0] for m in MASKS]
)
def test_masks(tmp_path, name, make, value, expected):
    make().save(tmp_path / name)
    mask = read_mask(tmp_path / name, value)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected)


def layer(colour_below: int, mode: str = "RGBA") -> Image.Image:
    """A square drawn in white on a transparent layer, whatever lies below it."""
    drawn = np.zeros((12, 9), np.uint8)
    drawn[3:7, 2:5] = 255
    below = np.where(drawn > 0, 255, colour_below).astype(np.uint8)
    bands = [below] * (len(mode) - 1)
    return Image.fromarray(np.stack([*bands, drawn], 2))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("below", [0, 255, 90])
def test_a_mask_drawn_on_a_transparent_layer(tmp_path, mode, below):
    layer(below, mode).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png")
    assert mask.sum() == 12
    assert mask[3:7, 2:5].all()
    # of an image nothing is hidden: what is transparent may be anatomy
    assert (read_image(tmp_path / "mask.png").pixels[..., 0, 0] == below).all()


def test_a_transparent_layer_with_nothing_drawn_is_empty(tmp_path):
    empty = np.full((5, 6, 4), 255, np.uint8)
    empty[..., 3] = 0
    Image.fromarray(empty).save(tmp_path / "mask.png")
    assert not read_mask(tmp_path / "mask.png").any()
    empty[1, 2, :3] = 7
    empty[3:, :, :3] = 0
    Image.fromarray(empty).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png").sum() == 18


def test_black_on_a_transparent_layer_marks_nothing(tmp_path):
    alpha = np.asarray(layer(0).getchannel("A"))
    black = np.zeros_like(alpha)
    Image.fromarray(np.stack([black] * 3 + [alpha], 2)).save(tmp_path / "mask.png")
    with pytest.raises(BadInputError, match=r"is black where something is seen"):
        read_mask(tmp_path / "mask.png")


def test_a_jpeg_mask_is_its_bright_half_and_has_no_labels(tmp_path):
    truth = np.zeros((40, 40), np.uint8)
    truth[10:30, 8:24] = 255
    Image.fromarray(truth).save(tmp_path / "mask.jpg", quality=60)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.jpg"), truth > 0)
    with pytest.raises(BadInputError, match=r"compressed with loss.*PNG"):
        read_mask(tmp_path / "mask.jpg", 1)


def test_a_label_of_a_colour_picture_is_refused(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "rgb.png")
    with pytest.raises(BadInputError, match=r"colour picture.*label 3"):
        read_mask(tmp_path / "rgb.png", 3)


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_000, 20_000, 100_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    (tmp_path / "bomb.png").write_bytes(bomb(side, side))
    with pytest.raises(BadInputError, match="claims more than"):
        read_image(tmp_path / "bomb.png")


def test_several_frames_are_refused(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(tmp_path / "film.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(BadInputError, match="2 frames"):
        read_image(tmp_path / "film.webp")
