"""Strokes find the outline anew where the mask was wrong, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lgssl_napari.refine import (
    INSIDE,
    OUTSIDE,
    REFINERS,
    Task,
    freed,
    refine,
    refined,
    relative,
    softened,
    standardised,
)
from src_core.metrics import dice

SIDE = 96
NOTHING = np.zeros((12, 14), np.uint8)
ALL_BUT_ONE = np.ones((12, 14), np.uint8)
ALL_BUT_ONE[0, 0] = 0
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def disc(row: float, column: float, radius: float) -> np.ndarray:
    inside = (ROWS - row) ** 2 + (COLUMNS - column) ** 2 < radius**2
    return inside.astype(np.uint8)


TRUTH = disc(48, 40, 24)
LEAK = disc(48, 70, 10)
NOISE = np.random.default_rng(0).normal(0, 10, TRUTH.shape)
PIXELS = (60 + 100 * TRUTH + NOISE).clip(0, 255).astype(np.uint8)


def stroke(rows: slice, columns: slice, kind: int) -> np.ndarray:
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    drawn[rows, columns] = kind
    return drawn


def task(mask: np.ndarray, strokes: np.ndarray) -> Task:
    opinion = np.where(mask, 0.95, 0.05).astype(np.float32)
    return Task(standardised(PIXELS, "yx"), opinion, mask, strokes, (1.0, 1.0))


CASES = {
    "too much": (
        TRUTH | LEAK,
        stroke(slice(46, 50), slice(68, 76), OUTSIDE),
    ),
    "too little": (
        TRUTH & (COLUMNS < 48).astype(np.uint8),
        stroke(slice(44, 52), slice(53, 57), INSIDE),
    ),
    "nothing yet": (
        np.zeros_like(TRUTH),
        stroke(slice(40, 56), slice(30, 50), INSIDE)
        | stroke(slice(5, 8), slice(5, 90), OUTSIDE),
    ),
}


@pytest.mark.parametrize("method", REFINERS)
@pytest.mark.parametrize("case", ["too much", "too little"])
def test_one_stroke_puts_the_outline_right(method, case) -> None:
    mask, strokes = CASES[case]
    before = dice(mask, TRUTH)
    after = dice(refine(task(mask, strokes), method), TRUTH)
    assert after > max(0.95, before + 0.03)


@pytest.mark.parametrize("method", REFINERS)
@pytest.mark.parametrize("case", CASES)
def test_strokes_are_obeyed_to_the_pixel(method, case) -> None:
    mask, strokes = CASES[case]
    found = refine(task(mask, strokes), method)
    assert found[strokes == INSIDE].all()
    assert not found[strokes == OUTSIDE].any()
    assert found.dtype == np.uint8


@pytest.mark.parametrize("method", REFINERS)
def test_nothing_moves_far_from_a_stroke(method) -> None:
    mask, strokes = CASES["too much"]
    found = refine(task(mask, strokes), method)
    away = ~freed(mask, strokes, (1.0, 1.0))
    np.testing.assert_array_equal(found[away], mask[away])
    assert away[:, :30].all()


@pytest.mark.parametrize("method", REFINERS)
def test_strokes_that_the_mask_agrees_with_change_nothing(method) -> None:
    strokes = stroke(slice(44, 50), slice(36, 44), INSIDE)
    strokes |= stroke(slice(2, 5), slice(2, 90), OUTSIDE)
    given_task = task(TRUTH, strokes)
    np.testing.assert_array_equal(refine(given_task, method), TRUTH)


@pytest.mark.parametrize("method", REFINERS)
@settings(max_examples=15, deadline=None)
@given(
    mask=arrays(np.uint8, (12, 14), elements=st.integers(0, 1)),
    strokes=arrays(np.uint8, (12, 14), elements=st.sampled_from([0, 0, 0, 0, 1, 2])),
)
@example(mask=NOTHING, strokes=ALL_BUT_ONE)
def test_any_strokes_on_any_mask_give_a_mask(method, mask, strokes) -> None:
    before = mask.copy()
    opinion = softened(mask)
    pixels = np.arange(12 * 14, dtype=np.float32).reshape(12, 14)
    given_task = Task(standardised(pixels, "yx"), opinion, mask, strokes, (1.0, 1.0))
    found = refine(given_task, method)
    assert set(np.unique(found)) <= {0, 1}
    assert found[strokes == INSIDE].all()
    assert not found[strokes == OUTSIDE].any()
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("method", REFINERS)
def test_a_stroke_in_one_slice_corrects_its_neighbours(method) -> None:
    depth = 5
    mask = np.stack([TRUTH | LEAK] * depth)
    strokes = np.zeros_like(mask)
    strokes[2] = CASES["too much"][1]
    pixels = np.stack([PIXELS] * depth)
    found = refined(pixels, "zyx", None, mask, strokes, (2.0, 1.0, 1.0), method)
    for plane in (1, 2, 3):
        assert dice(found[plane], TRUTH) > 0.95, plane


def test_a_long_way_to_the_next_slice_counts_as_one() -> None:
    mask = np.stack([TRUTH | LEAK] * 5)
    strokes = np.zeros_like(mask)
    strokes[2] = CASES["too much"][1]
    near = freed(mask, strokes, (1.0, 1.0, 1.0)).any(axis=(1, 2)).sum()
    far = freed(mask, strokes, relative((60.0, 1.5, 1.5))).any(axis=(1, 2)).sum()
    assert (near, far) == (5, 1)


@pytest.mark.parametrize(
    ("axes", "shape", "channels"),
    [("yx", (6, 7), 1), ("cyx", (3, 6, 7), 3), ("czyx", (2, 4, 6, 7), 2)],
)
def test_pictures_are_brought_to_one_scale(axes, shape, channels) -> None:
    pixels = np.random.default_rng(1).integers(0, 4000, shape).astype(np.uint16)
    picture = standardised(pixels, axes)
    assert picture.shape == (*shape[shape[0] == channels and "c" in axes :], channels)
    spatial = tuple(range(picture.ndim - 1))
    np.testing.assert_allclose(picture.mean(spatial), 0, atol=1e-4)
    np.testing.assert_allclose(picture.std(spatial), 1, atol=1e-4)


def test_a_flat_picture_is_no_division_by_zero() -> None:
    assert not standardised(np.full((4, 5), 7), "yx").any()


def test_without_a_model_the_mask_is_the_opinion() -> None:
    opinion = softened(TRUTH)
    assert opinion.min() > 0
    assert opinion.max() < 1
    assert ((opinion > 0.5) == (TRUTH != 0)).mean() > 0.98
