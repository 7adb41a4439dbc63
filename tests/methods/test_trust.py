"""How much a pair counts, against a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from src_core.losses import certainty
from src_core.methods.trust import clarity


def _reference(teacher, sure, counts):
    """The same in float64, one pair and one pixel after another."""
    shares = []
    for pair in zip(teacher, sure, counts, strict=True):
        pixels = list(zip(*(x.ravel() for x in pair), strict=True))
        maybe = [
            s > 0 and t > 0 for t, s, c in pixels if c > 0 and not (s > 0 and t <= 0)
        ]
        shares.append(sum(maybe) / len(maybe) if maybe else 0.0)
    return shares


@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.7, 0.9, 0.999]))
def test_it_is_the_slow_reference(seed, threshold):
    rng = np.random.default_rng(seed)
    teacher = rng.normal(rng.uniform(-3, 2), 3.0, (5, 1, 6, 7))
    counts = (rng.random(teacher.shape) < 0.8).astype(float)
    probability = 1 / (1 + np.exp(-teacher))
    sure = counts * (np.maximum(probability, 1 - probability) >= threshold)
    case = (teacher, sure, counts)
    share = clarity(*(torch.from_numpy(x).float() for x in case))
    assert share.shape == (5, 1, 1, 1)
    np.testing.assert_allclose(share.flatten().numpy(), _reference(*case), rtol=1e-6)


@pytest.mark.parametrize(
    ("logits", "clear"),
    [
        ([-9.0, -9.0, -9.0, -9.0], 0.0),  # finds nothing, and is sure of it
        ([9.0, 9.0, 9.0, 9.0], 1.0),
        ([9.0, 9.0, -9.0, -9.0], 1.0),  # no doubt at all
        ([6.0, 0.5, -4.0, -4.0], 0.5),  # doubt inside
        ([6.0, -0.5, -4.0, -4.0], 0.5),  # doubt outside weighs the same
        ([0.5, 0.5, -9.0, -9.0], 0.0),
    ],
)
def test_doubt_makes_an_answer_less_clear(logits, clear):
    teacher = torch.tensor(logits).view(1, 1, 2, 2)
    sure = (certainty(teacher) >= 0.9).float()
    assert float(clarity(teacher, sure, torch.ones_like(sure))) == clear


def test_pixels_that_nobody_was_asked_about_are_no_doubt():
    teacher = torch.tensor([9.0, 0.5, -0.5, -9.0]).view(1, 1, 2, 2)
    counts = torch.tensor([1.0, 0.0, 0.0, 1.0]).view(1, 1, 2, 2)
    sure = counts * (certainty(teacher) >= 0.9)
    assert float(clarity(teacher, sure, counts)) == 1.0
