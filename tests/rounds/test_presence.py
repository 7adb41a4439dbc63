"""When a target counts as found: planted evidence, and what a round makes of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from src_core.checkpoints import PresenceRule
from src_core.metrics import dice
from src_core.rounds.presence import FEWEST, Looked, fit_rule


def _looked(evidence, there, top=None):
    """One plane each: 10 true pixels where it is there, 8 found, 6 in common."""
    evidence = np.atleast_1d(np.array(evidence, float))
    there = np.atleast_1d(np.array(there, bool))
    return Looked(
        ("i", "t"),
        evidence,
        np.maximum(evidence, 1.0) if top is None else np.atleast_1d(top),
        np.full(len(evidence), 8),
        there * 10,
        there * 6,
    )


def _planted(count, seed=0):
    rng = np.random.default_rng(seed)
    there = rng.random(count) < 0.6
    return [_looked(3 * t + rng.normal(), t) for t in there], there


def test_a_fitted_rule_is_calibrated_and_cuts_where_the_answers_part():
    looked, there = _planted(4000)
    rule = fit_rule(looked)
    scores = np.array([rule.score(one.evidence[0], one.top[0]) for one in looked])
    # Two normals of deviation 1, 3 apart: slope 3, bias log(6/4) - 4.5, AUROC 0.983.
    assert rule.slope == pytest.approx(3, abs=0.3)
    assert rule.bias == pytest.approx(math.log(1.5) - 4.5, abs=0.5)
    assert rule.auroc == pytest.approx(0.983, abs=0.01)
    assert (rule.present, rule.absent) == (int(there.sum()), int((~there).sum()))
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        inside = (scores > low) & (scores < high)
        assert there[inside].mean() == pytest.approx(scores[inside].mean(), abs=0.12)
    found = np.array([rule.finds(one.evidence[0], one.top[0]) for one in looked])
    right = (found[there].mean() + (~found)[~there].mean()) / 2
    assert right > 0.92  # the best possible is 0.933


@pytest.mark.parametrize(
    ("present", "absent", "fitted"),
    [
        (0, 0, False),
        (50, 0, False),
        (0, 50, False),
        (50, FEWEST - 1, False),
        (FEWEST - 1, 50, False),
        (FEWEST, FEWEST, True),
    ],
)
def test_few_of_one_kind_keep_the_safe_default(present, absent, fitted):
    looked = [_looked(2 + 0.1 * i, True) for i in range(present)]
    looked += [_looked(-2 - 0.1 * i, False) for i in range(absent)]
    rule = fit_rule(looked)
    plain = PresenceRule()
    is_default = (rule.slope, rule.bias, rule.threshold) == (
        plain.slope,
        plain.bias,
        plain.threshold,
    )
    assert rule.fitted is fitted
    assert is_default is not fitted
    assert (rule.present, rule.absent) == (present, absent)
    assert (rule.auroc is None) == (0 in (present, absent))


def test_evidence_that_points_the_wrong_way_is_not_trusted():
    looked = [_looked(-2 - 0.1 * i, True) for i in range(9)]
    looked += [_looked(2 + 0.1 * i, False) for i in range(9)]
    rule = fit_rule(looked)
    assert (rule.fitted, rule.slope, rule.auroc) == (False, 1.0, 0.0)
    assert "safe default" in rule.summary


def test_the_cut_never_lies_where_no_pixel_is_inside():
    looked = [_looked(-4 + 0.1 * i, True) for i in range(20)]
    looked += [_looked(-9 + 0.1 * i, False) for i in range(20)]
    rule = fit_rule(looked)
    assert rule.fitted
    assert not rule.finds(-0.01, 5.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_dice_of_a_look_is_that_of_its_masks(seed):
    """Planes that are not found stay empty, as a prediction leaves them."""
    rng = np.random.default_rng(seed)
    found, true = (rng.random((4, 6, 5)) < 0.4 for _ in range(2))
    true[1] = False
    evidence = rng.normal(size=4)
    top = np.maximum(evidence, rng.normal(size=4))
    looked = Looked(
        ("i", "t"),
        evidence,
        top,
        found.sum((1, 2)),
        true.sum((1, 2)),
        (found & true).sum((1, 2)),
    )
    rule = PresenceRule(slope=2.0, bias=-0.5, threshold=0.6)
    kept = [rule.finds(e, t) for e, t in zip(evidence, top, strict=True)]
    mask = found & np.array(kept)[:, None, None]
    assert looked.dice(rule) == pytest.approx(dice(mask, true))


def test_both_empty_is_right():
    assert _looked(-3.0, False).dice(PresenceRule()) == 1.0
    assert _looked(3.0, False).dice(PresenceRule()) == 0.0
