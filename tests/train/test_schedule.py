"""The clock: learning rate, burn-in, ramp, budget."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src_core.train.schedule import (
    Budget,
    BurnIn,
    learning_rate_factor,
    side_of_pictures,
)

shares = st.floats(0, 1)


@given(shares)
def test_the_rate_rises_then_falls_to_one_percent(progress):
    factor = learning_rate_factor(progress, 0.1)
    assert 0.0099 <= factor <= 1.0
    if progress > 0.1:
        assert factor >= learning_rate_factor(min(1.0, progress + 0.05), 0.1)


@pytest.mark.parametrize(("progress", "factor"), [(0.05, 0.5), (0.1, 1.0), (1.0, 0.01)])
def test_known_rates(progress, factor):
    assert learning_rate_factor(progress, 0.1) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("progress", "began", "weight"),
    [
        (0.9, None, 0.0),
        (0.4, 0.4, math.exp(-5)),
        (0.55, 0.4, math.exp(-5 * 0.25)),
        (0.7, 0.4, 1.0),
        (1.0, 0.4, 1.0),
    ],
)
def test_the_ramp_is_the_published_bell(progress, began, weight):
    assert BurnIn(length=0.3).ramp(progress, began) == pytest.approx(weight)


@given(st.integers(1, 1000), st.integers(0, 2000))
def test_a_budget_of_steps(steps, done):
    assert Budget(steps=steps).progress(done) == min(1.0, done / steps)


def test_a_budget_of_seconds_counts_what_was_spent_before_a_resume():
    budget = Budget(seconds=10.0, spent=4.0)
    assert 0.4 <= budget.progress(0) < 0.5
    assert 5.0 < budget.seconds_left(0) <= 6.0


def test_a_budget_reads_the_clock_that_it_is_given():
    now = [100.0]
    budget = Budget(seconds=10.0, clock=lambda: now[0])
    now[0] = 102.5
    assert (budget.progress(0), budget.seconds_left(0)) == (0.25, 7.5)
    now[0] = 112.0
    assert (budget.progress(0), budget.seconds_left(0)) == (1.0, 0.0)


PLATEAU = [(0.1, 0.2), (0.2, 0.5), (0.3, 0.7), (0.4, 0.72)]
BAD = [(0.4, 0.3), (0.5, 0.3)]


@pytest.mark.parametrize(
    ("progress", "curve", "pairs", "over"),
    [
        (0.4, PLATEAU, 30, True),
        (0.3, PLATEAU[:3], 30, False),  # still climbing
        (0.1, [(0.05, 0.6), (0.1, 0.6)], 30, False),  # too early
        (0.8, PLATEAU, 30, False),  # too late to pay
        (0.5, BAD, 8, False),  # a plateau of a teacher that is bad
        (0.5, BAD, 7, True),  # or perhaps it is not: so few pairs cannot tell
        (0.3, PLATEAU[:3], 2, False),
        (0.5, [], 30, False),
        (0.45, [(0.45, math.nan)], 0, False),
        (0.55, [(0.45, math.nan)], 0, True),  # nothing to judge by: half of the budget
    ],
)
def test_unlabelled_images_join_at_the_plateau(progress, curve, pairs, over):
    assert BurnIn().is_over(progress, curve, pairs, 2000, 300, 3000) is over


@pytest.mark.parametrize(
    ("behind", "ahead", "over"),
    [(500, 900, True), (499, 900, False), (500, 899, False), (5000, 0, False)],
)
def test_a_teacher_has_steps_behind_and_ahead_of_it(behind, ahead, over):
    burn_in = BurnIn(behind=500, ahead=900)
    assert burn_in.is_over(0.4, PLATEAU, 30, behind, 300, ahead) is over


@pytest.mark.parametrize(("shown", "over"), [(99.9, False), (100, True)])
def test_many_labelled_images_are_shown_often_before_others_join(shown, over):
    assert BurnIn().is_over(0.4, PLATEAU, 30, 2000, shown, 3000) is over


def test_steps_to_come_are_told_by_the_pace_so_far():
    now = [0.0]
    budget = Budget(seconds=10.0, clock=lambda: now[0])
    assert budget.steps_left(0) == math.inf
    now[0] = 2.5
    assert budget.steps_left(100) == pytest.approx(300)
    assert Budget(steps=40).steps_left(10) == pytest.approx(30)


@pytest.mark.parametrize(
    ("progress", "full", "small", "side"),
    [
        (0.0, 192, 0.5, 128),
        (0.49, 192, 0.5, 128),
        (0.5, 192, 0.5, 192),
        (0.0, 192, 0.0, 192),
        (0.99, 512, 1.0, 352),
        (0.0, 96, 0.5, 64),
        (0.0, 64, 0.5, 64),
        (0.0, 32, 0.5, 32),
    ],
)
def test_small_pictures_come_first(progress, full, small, side):
    assert side_of_pictures(progress, full, small) == side


@given(shares, st.integers(1, 32), shares)
def test_a_picture_fits_the_network_and_is_never_enlarged(progress, full, small):
    side = side_of_pictures(progress, 32 * full, small)
    assert side % 32 == 0
    assert 0 < side <= 32 * full
