"""The learning curve: what it finds, and whether its intervals are honest."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.acquire.curve import LearningCurve, area_under, labels_needed

COUNTS = np.array([5.0, 10, 15, 20, 25, 30, 40])


def law(n, a=0.9, b=0.4, c=0.8):
    return a - b * (n / 5.0) ** -c


def test_it_continues_a_planted_curve():
    curve = LearningCurve.fit(COUNTS, law(COUNTS))
    ahead = curve.at(80.0)
    assert ahead.mean == pytest.approx(law(80.0), abs=0.01)
    assert ahead.low < law(80.0) < ahead.high
    gain = curve.gain(40, 30)
    assert gain.mean == pytest.approx(law(70.0) - law(40.0), abs=0.008)
    assert gain.low <= gain.mean <= gain.high


@pytest.mark.parametrize("counts", [[], [5.0], [5.0, 10.0], [5.0, 10.0, 10.0]])
def test_two_points_say_nothing_of_the_future(counts):
    assert LearningCurve.fit(counts, [0.5] * len(counts)) is None


def test_more_points_narrow_the_interval():
    few = LearningCurve.fit(COUNTS[:3], law(COUNTS[:3])).gain(40, 30)
    many = LearningCurve.fit(COUNTS, law(COUNTS)).gain(40, 30)
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_a_flat_curve_is_enough_and_a_steep_one_is_not():
    flat = LearningCurve.fit(COUNTS, np.full(7, 0.85))
    steep = LearningCurve.fit(COUNTS, law(COUNTS, c=0.25))
    assert flat.enough(40) > 0.9
    assert steep.enough(40) < 0.1


@pytest.mark.parametrize(
    ("noise", "points"), [(0.005, 5), (0.01, 4), (0.01, 7), (0.03, 7)]
)
def test_the_interval_is_calibrated(noise, points):
    """Of 90 % intervals about 90 % hold what came, over curves of many shapes."""
    rng, held, total = np.random.default_rng(0), 0, 200
    for _ in range(total):
        shape = {
            "a": rng.uniform(0.6, 0.98),
            "b": rng.uniform(0.05, 0.5),
            "c": rng.uniform(0.2, 1.5),
        }
        counts = COUNTS[:points]
        curve = LearningCurve.fit(
            counts, law(counts, **shape) + rng.normal(0, noise, points)
        )
        truth = law(counts[-1] + 30, **shape) - law(counts[-1], **shape)
        gain = curve.gain(counts[-1], 30)
        held += gain.low - 1e-3 <= truth <= gain.high + 1e-3
    assert 0.82 <= held / total <= 0.99


def test_a_curve_of_another_family_is_held_most_of_the_time():
    """Dice that nears its limit exponentially: the power law is wrong, and wide."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(100):
        a, b, pace = rng.uniform(0.7, 0.95), rng.uniform(0.1, 0.5), rng.uniform(8, 30)

        def dice(n, a=a, b=b, pace=pace):
            return a - b * np.exp(-n / pace)

        curve = LearningCurve.fit(COUNTS, dice(COUNTS) + rng.normal(0, 0.01, 7))
        gain = curve.gain(40, 30)
        held += gain.low - 2e-3 <= dice(70.0) - dice(40.0) <= gain.high + 2e-3
    assert held >= 70


def test_area_under_the_curve_is_the_mean_height():
    assert area_under([0, 10, 20], [0.0, 1.0, 1.0]) == pytest.approx(0.75)
    assert area_under([20, 0, 10], [1.0, 0.0, 1.0]) == pytest.approx(0.75)
    assert area_under([5], [0.4]) == 0.4


@pytest.mark.parametrize(
    ("wanted", "labels"), [(0.0, 5), (0.6, 7.5), (0.7, 10), (0.85, 17.5), (0.95, None)]
)
def test_labels_needed(wanted, labels):
    found = labels_needed([5, 10, 15, 20], [0.5, 0.7, 0.8, 0.9], wanted)
    assert found == (labels if labels is None else pytest.approx(labels))
