"""The gate: a round never makes the deployed model worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src_core.rounds.gate import TOLERANCE, judge
from src_core.train import Regained

GROUPS = {f"im{i}": f"p{i // 2}" for i in range(6)}


def _dices(values, target="lung"):
    return {(f"im{i}", target): v for i, v in enumerate(values)}


def test_the_first_model_is_promoted():
    verdict = judge(None, _dices([0.2, 0.3]), GROUPS)
    assert verdict.promoted
    assert verdict.new == pytest.approx(0.25)


def test_without_validation_nothing_is_claimed():
    verdict = judge(None, {}, GROUPS)
    assert verdict.promoted
    assert "nothing could be compared" in verdict.reason
    assert verdict.new is None


@pytest.mark.parametrize(
    ("old", "new", "promoted"),
    [
        ([0.5] * 6, [0.6] * 6, True),
        ([0.5] * 6, [0.5] * 6, True),
        ([0.5] * 6, [0.4995] * 6, True),
        ([0.5] * 6, [0.49] * 6, False),
        ([0.9, 0.1] * 3, [0.1, 0.85] * 3, False),
    ],
)
def test_worse_is_kept_aside(old, new, promoted):
    verdict = judge(_dices(old), _dices(new), GROUPS)
    assert verdict.promoted is promoted
    assert f"{verdict.old:.3f}" in verdict.reason
    assert ("Kept aside" in verdict.reason) is not promoted


@pytest.mark.parametrize(
    ("share", "before", "dice", "promoted"),
    [
        (0.1, 0.0, 0.5, True),
        (0.01, 0.0, 0.5, False),
        (0.1, 0.0, 0.0, False),
        (0.1, 0.0, 0.18, True),
        (0.1, 0.05, 0.18, False),
        (0.1, 0.05, 0.23, True),
    ],
)
def test_what_the_old_one_missed_counts_by_its_share(share, before, dice, promoted):
    """Validation falls by 0.02: 0.9 x -0.02 + 0.1 x 0.18 is just not a loss."""
    regained = Regained(frozenset({"a", "b"}), share, before, dice)
    verdict = judge(_dices([0.9] * 6), _dices([0.88] * 6), GROUPS, regained)
    assert verdict.promoted is promoted
    said = f"and {dice:.3f} on 2 labelled images that the old one missed"
    assert said in verdict.reason
    assert (verdict.old, verdict.new) == pytest.approx((0.9, 0.88))


def test_for_what_was_missed_not_everything_is_given():
    regained = Regained(frozenset({"a"}), 0.5, 0.0, 0.9)
    old, new = _dices([0.9] * 6), [_dices([0.9 - lost] * 6) for lost in (0.029, 0.031)]
    promoted = [judge(old, one, GROUPS, regained).promoted for one in new]
    assert promoted == [True, False]


def test_every_target_counts_the_same():
    """A target with few images is not drowned by one with many."""
    old = _dices([0.5] * 6) | {("im0", "heart"): 0.9}
    new = _dices([0.6] * 6) | {("im0", "heart"): 0.5}
    assert not judge(old, new, GROUPS).promoted


def _twins(many, few):
    """Dices of a target with a hundred images and of one with four."""
    return {(f"a{n}", "lung"): many for n in range(100)} | {
        (f"b{n}", "heart"): few for n in range(4)
    }


@pytest.mark.parametrize(("many", "few"), [(0.9, 0.9), (0.82, 0.7)])
def test_the_interval_is_of_the_difference_that_is_shown(many, few):
    verdict = judge(_twins(0.8, 0.8), _twins(many, few), {})
    difference = verdict.new - verdict.old
    assert verdict.low - 1e-9 <= difference <= verdict.high + 1e-9
    assert (verdict.high < 0) is (difference < 0) is not verdict.promoted


def test_patients_are_drawn_whole():
    groups = {f"im{i}": f"p{i // 4}" for i in range(12)}
    old, new = _dices([0.5] * 12), _dices([0.5] * 8 + [0.8] * 4)
    together, apart = judge(old, new, groups), judge(old, new, {})
    assert together.high - together.low > apart.high - apart.low


@pytest.mark.parametrize(("count", "words"), [(1, "one patient"), (2, "two patients")])
def test_of_one_or_two_patients_there_is_no_interval(count, words):
    groups = {f"im{i}": f"p{i % count}" for i in range(6)}
    verdict = judge(_dices([0.5] * 6), _dices([0.6] * 6), groups)
    assert (verdict.low, verdict.high) == (None, None)
    assert f"0.600 now (of {words}: no interval)" in verdict.reason


values = st.lists(st.floats(0, 1), min_size=6, max_size=6)


@given(values, values)
def test_the_interval_holds_the_difference_and_promotion_never_loses(old, new):
    verdict = judge(_dices(old), _dices(new), GROUPS)
    difference = verdict.new - verdict.old
    assert verdict.low - 1e-9 <= difference <= verdict.high + 1e-9
    if verdict.promoted:
        assert difference >= -TOLERANCE - 1e-12
