"""Looks without a network: what is alike, and what is the same."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.acquire.looks import WIDTH, look, shrunk, squeeze, twins


def film(seed, kind="disc"):
    """A noisy grey picture of a disc or of a bar."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :128]
    cy, cx = rng.integers(40, 56), rng.integers(50, 78)
    shape = (y - cy) ** 2 + (x - cx) ** 2 < 500 if kind == "disc" else abs(y - cy) < 8
    return (90 + 80 * shape + rng.normal(0, 8, y.shape)).clip(0, 255).astype(np.uint8)


def told(pixels, axes="yx"):
    return look(pixels, axes).features


def test_the_nearest_picture_is_of_the_same_kind():
    told_of = [told(film(k, kind)) for kind in ("disc", "bar") for k in range(8)]
    apart = np.linalg.norm(np.array(told_of)[:, None] - np.array(told_of), axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert (apart.argmin(1) // 8 == np.arange(16) // 8).all()


def cells(seed, ground, drawn):
    """Discs of one grey on a ground of another, kept as colour: (3, 96, 96)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :96]
    places = rng.integers(8, 88, (9, 2))
    inside = np.any([np.hypot(y - cy, x - cx) < 7 for cy, cx in places], 0)
    picture = np.where(inside, drawn, ground) + rng.normal(0, 1, (96, 96))
    return np.repeat(picture.clip(0, 255).astype(np.uint8)[None], 3, 0)


def test_dark_fluorescence_kept_as_colour_is_told_apart():
    """As colours these have no contrast; as what they are, grey, they have."""
    dark = [cells(k, 1, 12) for k in range(6)]
    looks = [look(picture, "cyx") for picture in dark]
    assert len(set(twins(np.stack([k.thumbnail for k in looks])).tolist())) == 6
    grey = look(dark[0][0], "yx")
    np.testing.assert_allclose(looks[0].thumbnail, grey.thumbnail, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("saved with another contrast", lambda p: (p * 0.7 + 20).astype(np.uint8)),
        (
            "saved with more noise",
            lambda p: p + np.random.default_rng(9).integers(0, 6, p.shape, np.uint8),
        ),
        ("saved smaller", lambda p: shrunk(p[None].astype(float), 64)[0]),
        ("as 16-bit", lambda p: p.astype(np.uint16) * 200),
    ],
)
def test_the_same_picture_again_is_found(name, change):
    pictures = [film(0), film(1), film(2), change(film(1))]
    thumbnails = np.stack([look(p, "yx").thumbnail for p in pictures])
    assert twins(thumbnails).tolist() == [0, 1, 2, 1]


def test_different_pictures_are_no_twins():
    y, x = np.mgrid[:96, :96]
    rng = np.random.default_rng(0)
    pictures = [
        (100 + 60 * np.sin(x / a + y / b) + rng.normal(0, 8, y.shape)).astype(np.uint8)
        for a in (5, 8, 13)
        for b in (5, 8, 13, 21, 34)
    ]
    thumbnails = np.stack([look(p, "yx").thumbnail for p in pictures])
    assert len(set(twins(thumbnails).tolist())) == 15


def test_pictures_of_one_shade_are_the_same_and_like_nothing_else():
    empty = np.zeros((64, 64), np.uint8)
    thumbnails = np.stack(
        [look(p, "yx").thumbnail for p in (empty, film(0), empty + 7)]
    )
    assert twins(thumbnails).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((40, 30), "yx"),
        ((3, 40, 30), "cyx"),
        ((2, 9, 700), "cyx"),
        ((5, 40, 30), "zyx"),
        ((2, 5, 17, 300), "czyx"),
        ((1, 1), "yx"),
    ],
)
def test_any_shape_has_a_look(shape, axes):
    seen = look(np.random.default_rng(0).integers(0, 4000, shape, np.uint16), axes)
    assert seen.features.shape == (WIDTH,)
    assert np.isfinite(seen.features).all()
    assert np.linalg.norm(seen.thumbnail) == pytest.approx(1.0, abs=1e-3) or (
        not seen.thumbnail.any()
    )


def test_not_a_number_is_no_reason_to_fail():
    pixels = np.full((20, 20), np.nan, np.float32)
    assert np.isfinite(told(pixels)).all()


def test_a_volume_looks_like_its_middle_slice():
    volume = np.stack([film(k) for k in range(5)])
    assert told(volume, "zyx") == pytest.approx(told(film(2)))


def test_shrinking_averages():
    plane = np.arange(64, dtype=float).reshape(1, 8, 8)
    assert shrunk(plane, 2)[0].tolist() == [[13.5, 17.5], [45.5, 49.5]]


def test_squeezing_keeps_distances():
    points = np.random.default_rng(0).normal(size=(30, 400)).astype(np.float32)
    small = squeeze(points, 64)
    before = np.linalg.norm(points[:, None] - points[None], axis=-1)
    after = np.linalg.norm(small[:, None] - small[None], axis=-1)
    pairs = ~np.eye(30, dtype=bool)
    assert np.abs(after[pairs] / before[pairs] - 1).mean() < 0.12
