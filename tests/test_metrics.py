"""Scores against MONAI's and against hand-made cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from src_core.metrics import Scores, dice, hd95, iou

EMPTY, FULL = np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)
HALF = np.array([[1, 1, 0, 0]] * 4, np.uint8)


@pytest.mark.parametrize(
    ("a", "b", "expected_dice", "expected_iou"),
    [
        (EMPTY, EMPTY, 1.0, 1.0),
        (EMPTY, FULL, 0.0, 0.0),
        (FULL, FULL, 1.0, 1.0),
        (HALF, FULL, 2 / 3, 1 / 2),
    ],
)
def test_overlap(a, b, expected_dice, expected_iou):
    assert dice(a, b) == pytest.approx(expected_dice)
    assert iou(a, b) == pytest.approx(expected_iou)


masks = hnp.arrays(np.uint8, (6, 7), elements=st.integers(0, 1))


@given(masks, masks)
def test_dice_and_iou_are_one_measure(a, b):
    d, j = dice(a, b), iou(a, b)
    assert d == pytest.approx(2 * j / (1 + j))
    assert dice(b, a) == d


@pytest.mark.filterwarnings("ignore::FutureWarning:monai.*")
@pytest.mark.parametrize("seed", range(4))
def test_hd95_agrees_with_monai(seed):
    import torch
    from monai.metrics import compute_hausdorff_distance

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :50]
    discs = [
        ((y - rng.uniform(15, 25)) ** 2 + (x - rng.uniform(20, 30)) ** 2 < r**2)
        for r in (9, 12)
    ]
    a, b = (torch.tensor(d)[None, None].float() for d in discs)
    expected = compute_hausdorff_distance(
        a, b, include_background=True, percentile=95, spacing=[2.0, 0.5]
    )
    # MONAI takes the larger of two directed percentiles, we one over both sets; on
    # discs of nearly one size they differ by less than a pixel.
    assert hd95(*discs, spacing=(2.0, 0.5)) == pytest.approx(float(expected), abs=1.0)


def test_hd95_of_a_known_shift():
    a, b = np.zeros((30, 30)), np.zeros((30, 30))
    a[5:10, 5:10] = 1
    b[5:10, 12:17] = 1
    assert hd95(a, b, (1.0, 2.0)) == pytest.approx(14.0)
    assert hd95(a, a, (1.0, 1.0)) == 0.0


def test_hd95_where_it_is_not_defined():
    assert hd95(EMPTY, EMPTY, (1.0, 1.0)) == 0.0
    assert math.isnan(hd95(EMPTY, HALF, (1.0, 1.0)))


def test_summary_keeps_both_conventions_apart():
    scores = Scores()
    scores.add(HALF, FULL)
    scores.add(EMPTY, EMPTY)
    summary = scores.summary()
    assert summary["dice"] == pytest.approx((2 / 3 + 1) / 2)
    assert summary["dice_pooled"] == pytest.approx(2 * 8 / (8 + 16))
    assert summary["n"] == 2
