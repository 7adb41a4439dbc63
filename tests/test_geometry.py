"""The letterbox: there and back, for any picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from src_core.config import FrameSettings
from src_core.geometry import Letterbox, frame_size, spatial_axes, tile_windows
from src_core.imaging.prepare import (
    from_square,
    into_square,
    mask_into_square,
    prepare,
    standardise,
    to_channels,
    to_uint8,
)

sides = st.integers(1, 400)


@given(sides, sides, st.sampled_from([64, 96, 192]))
def test_the_picture_lies_inside_and_keeps_its_aspect(height, width, size):
    box = Letterbox(height, width, size)
    h, w = box.scaled
    top, left = box.offset
    assert max(h, w) == size
    assert 0 <= top <= top + h <= size
    assert 0 <= left <= left + w <= size
    assert abs(h - height * size / max(height, width)) <= 1


@given(st.integers(8, 120), st.integers(8, 120))
@settings(max_examples=25, deadline=None)
def test_a_half_plane_survives_there_and_back(height, width):
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2] = 1
    box = Letterbox(height, width, 128)
    square = mask_into_square(mask, box)
    back = from_square((square.float() * 2 - 1)[None, None], box)
    assert back.shape == (1, 1, height, width)
    wrong = ((back[0, 0] > 0).numpy() != mask.astype(bool)).mean()
    assert wrong <= 1.0 / width + 1e-9


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [([], 192), ([(160, 150)], 160), ([(100, 97)], 128), ([(3000, 2000)], 192)],
)
def test_frame_size(shapes, expected):
    assert frame_size(shapes) == expected


@pytest.mark.parametrize(
    ("axes", "shape", "channels"),
    [
        ("yx", (5, 6), 1),
        ("cyx", (3, 5, 6), 3),
        ("cyx", (2, 5, 6), 3),
        ("cyx", (7, 5, 6), 3),
    ],
)
def test_channels(axes, shape, channels):
    assert to_channels(np.ones(shape, np.uint8), axes).shape == (channels, 5, 6)


def test_windowing_ignores_outliers_and_what_is_not_finite():
    pixels = np.linspace(100, 200, 10000).reshape(1, 100, 100).astype(np.float32)
    pixels[0, 0, 0], pixels[0, 0, 1], pixels[0, 0, 2] = 1e9, np.nan, np.inf
    windowed = to_uint8(pixels, 0.5, 99.5)
    assert windowed.dtype == np.uint8
    assert abs(int(windowed[0, 50, 50]) - 128) < 4


def test_a_bright_speck_on_black_is_still_seen():
    pixels = np.zeros((1, 100, 100), np.uint16)
    pixels[0, 5, 5] = 60000
    assert to_uint8(pixels, 0.5, 99.5)[0, 5, 5] == 255


def test_eight_bit_colour_is_left_alone():
    pixels = np.random.default_rng(0).integers(50, 90, (3, 9, 9), dtype=np.uint8)
    assert np.array_equal(to_uint8(pixels, 0.5, 99.5), pixels)


def test_a_tile_keeps_the_statistics_of_its_picture():
    pixels = np.random.default_rng(0).integers(0, 255, (3, 32, 64), dtype=np.uint8)
    picture = prepare(pixels, "cyx", FrameSettings(size=64))
    tile = picture.crop((slice(0, 8), slice(4, 20)))
    assert tile.pixels.shape == (3, 8, 16)
    assert (tile.mean, tile.deviation) == (picture.mean, picture.deviation)
    assert picture.mean == pytest.approx(pixels.mean())
    square = into_square(picture.pixels, Letterbox(32, 64, 64))
    view = standardise(
        square[None], torch.tensor([picture.mean]), torch.tensor([picture.deviation])
    )
    assert view.shape == (1, 3, 64, 64)
    assert float(view[:, :, 16:48].mean()) == pytest.approx(0.0, abs=0.01)
    assert float(view[:, :, 16:48].std()) == pytest.approx(1.0, abs=0.01)


@given(st.integers(1, 900), st.integers(1, 900), st.sampled_from([64, 192]))
def test_tiles_cover_the_picture_and_overlap(height, width, size):
    seen = np.zeros((height, width), int)
    for window in tile_windows(height, width, size):
        seen[window] += 1
        part = seen[window]
        assert part.shape == (min(height, size), min(width, size))
    assert seen.min() >= 1
    for starts in (
        sorted({w[axis].start for w in tile_windows(height, width, size)})
        for axis in (0, 1)
    ):
        steps = np.diff(starts)
        assert (steps <= size - size // 8 + 1).all()


def test_spatial_axes():
    assert spatial_axes("czyx") == "zyx"
