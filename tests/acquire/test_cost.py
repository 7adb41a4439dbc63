"""What a correction takes, learned from a planted history."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.acquire.cost import FEWEST, CostModel


def history(count, seed=0, slow=2.0):
    """Two targets, the second slower; seconds grow with the outline."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, count)
    traits = rng.normal((4.0, 3.0), (0.5, 0.5), size=(count, 2))
    log = 3.0 + 0.8 * (traits[:, 0] - 4.0) + np.log(slow) * target
    return target, traits, np.exp(log + rng.normal(0, 0.1, count))


def test_it_finds_the_planted_law():
    model = CostModel.fit(*history(120), targets=2)
    target, traits, seconds = history(300, seed=9)
    found = model.predict(target, traits)
    error = np.abs(np.log(found) - np.log(seconds))
    assert np.median(error) < 0.15
    assert model.predict(np.array([0, 1]), np.full((2, 2), np.nan))[1] > 1.5 * np.exp(3)


@pytest.mark.parametrize("count", range(FEWEST))
def test_of_too_few_nothing_is_said(count):
    assert CostModel.fit(*history(count), targets=2) is None


def test_with_few_the_mean_speaks():
    target, _, _ = history(FEWEST)
    seconds = np.array([20.0, 25, 18, 22, 21])
    model = CostModel.fit(target, np.full((5, 2), np.nan), seconds, targets=3)
    found = model.predict(np.array([0, 1, 2]), np.full((3, 2), np.nan))
    assert found == pytest.approx([21.0] * 3, rel=0.1)


def test_a_coffee_break_teaches_nothing():
    target, traits, seconds = history(40)
    plain = CostModel.fit(target, traits, seconds, targets=2)
    seconds = seconds.copy()
    seconds[20] = 3600.0
    disturbed = CostModel.fit(target, traits, seconds, targets=2)
    ratio = disturbed.predict(target, traits) / plain.predict(target, traits)
    assert ratio.max() < 1.35


def test_people_get_quicker_and_the_newest_count_most():
    target, traits = np.zeros(400, int), np.zeros((400, 2))
    seconds = np.r_[np.full(200, 100.0), np.full(200, 20.0)]
    model = CostModel.fit(target, traits, seconds, targets=1)
    assert model.predict(target[:1], traits[:1])[0] < 30


def test_predictions_stay_within_what_was_seen():
    model = CostModel.fit(*history(60), targets=2)
    wild = model.predict(np.zeros(2, int), np.array([[99.0, 99.0], [-99.0, -99.0]]))
    assert np.log(wild) == pytest.approx([model.high, model.low], abs=1e-4)
