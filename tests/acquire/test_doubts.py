"""Confident learning on masks with planted errors."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.acquire.doubts import Confidence, confidence, in_doubt, thick

SIDE = 96
Y, X = np.mgrid[:SIDE, :SIDE]


def disc(cy=48, cx=48, r=14):
    return ((Y - cy) ** 2 + (X - cx) ** 2 < r**2)[None]


def believed(mask, seed=0, sharp=1.2):
    """What a well-trained model says where this is the truth."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    soft = gaussian_filter(mask.astype(np.float32), (0, sharp, sharp))
    logits = 10 * (soft - 0.5) + rng.normal(0, 0.5, mask.shape)
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


TRUTHS = [disc(40 + k, 44 + 2 * k, 12 + k) for k in range(6)]
USUAL = confidence([(believed(t, k), t) for k, t in enumerate(TRUTHS)])

PLANTED = {
    "a part is missing": disc() & (X[None] < 48),
    "a part too many": disc() | disc(20, 70, 10),
    "drawn somewhere else": disc(20, 20),
    "marked as not there": np.zeros((1, SIDE, SIDE), bool),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found(name):
    found = in_doubt(believed(disc()), PLANTED[name], USUAL)
    assert found.score > 0.2
    wrong = PLANTED[name] ^ disc()
    marked = found.missed | found.extra
    assert (marked & wrong).sum() > 0.5 * wrong.sum()
    assert (marked & ~wrong).sum() < 0.02 * wrong.sum() + 5


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_an_outline_drawn_by_another_hand_is_no_error(shift):
    drawn = disc(48 + shift, 48 - shift, 14)
    assert in_doubt(believed(disc()), drawn, USUAL).score == 0.0


def test_an_unsure_model_doubts_nobody():
    unsure = np.full((1, SIDE, SIDE), 0.5, np.float32)
    assert in_doubt(unsure, disc(), USUAL).score == 0.0


def test_nothing_in_an_empty_mask_is_no_error():
    empty = np.zeros((1, SIDE, SIDE), bool)
    assert in_doubt(believed(empty), empty, USUAL).score == 0.0


def test_the_thresholds_are_the_mean_belief():
    half = np.zeros((1, 4, 4), bool)
    half[:, :, :2] = True
    probability = np.where(half, 0.8, 0.1).astype(np.float32)
    usual = confidence([(probability, half)])
    assert usual == Confidence(pytest.approx(0.8), pytest.approx(0.9), 8.0)


def test_no_mask_at_all_gives_thresholds_all_the_same():
    assert confidence([]) == Confidence(0.5, 0.5, 0.0)


@pytest.mark.parametrize(("width", "left"), [(2, 0), (4, 0), (5, 5), (9, 9)])
def test_a_rim_is_thin(width, left):
    marked = np.zeros((1, 40, 40), bool)
    marked[:, 5:35, 10 : 10 + width] = True
    assert thick(marked)[0, 20].sum() == left
