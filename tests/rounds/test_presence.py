"""When a target counts as found: planted evidence, and what a round makes of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from src_core.metrics import dice
from src_core.presence import Evidence, PresenceRule, extents
from src_core.rounds.presence import FEWEST, Looked, fit_rule


def _looked(weaker, there, top=None, area=10):
    """One picture: `area` true pixels where it is there, 8 found, 6 in common."""
    plane = np.full(4096, 0.001, np.float32)
    plane[:area] = 0.99
    top = max(weaker, 1.0) if top is None else top
    evidence = Evidence(float(weaker), float(top), extents(plane.reshape(64, 64)))
    counts = (np.array([n], np.int64) for n in (8, there * area, there * 6))
    return Looked(("i", "t"), (evidence,), *counts, size=4096)


def _planted(count, seed=0):
    rng = np.random.default_rng(seed)
    there = rng.random(count) < 0.6
    return [_looked(3 * t + rng.normal(), t) for t in there], there


def test_a_fitted_rule_is_calibrated_and_cuts_where_the_answers_part():
    looked, there = _planted(4000)
    rule = fit_rule(looked)
    scores = np.array([rule.score(one.evidence[0]) for one in looked])
    # Two normals of deviation 1, 3 apart: slope 3, bias log(6/4) - 4.5, AUROC 0.983.
    assert rule.slope == pytest.approx(3, abs=0.3)
    assert rule.bias == pytest.approx(math.log(1.5) - 4.5, abs=0.5)
    assert rule.auroc == pytest.approx(0.983, abs=0.01)
    assert (rule.present, rule.absent) == (int(there.sum()), int((~there).sum()))
    for low, high in ((0.1, 0.3), (0.4, 0.6), (0.7, 0.9)):
        inside = (scores > low) & (scores < high)
        assert there[inside].mean() == pytest.approx(scores[inside].mean(), abs=0.12)
    found = np.array([rule.finds(one.evidence[0]) for one in looked])
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
    assert not rule.finds(replace(looked[0].evidence[0], weaker=-0.01, top=5.0))


@pytest.mark.parametrize("seed", range(5))
def test_the_dice_of_a_look_is_that_of_its_masks(seed):
    """Planes that are not found stay empty, as a prediction leaves them."""
    rng = np.random.default_rng(seed)
    found, true = (rng.random((4, 6, 5)) < 0.4 for _ in range(2))
    true[1] = False
    weaker = rng.normal(size=4)
    tops = np.maximum(weaker, rng.normal(size=4))
    evidence = tuple(Evidence(*pair, ()) for pair in zip(weaker, tops, strict=True))
    looked = Looked(
        ("i", "t"),
        evidence,
        found.sum((1, 2)),
        true.sum((1, 2)),
        (found & true).sum((1, 2)),
        size=30,
    )
    rule = PresenceRule(slope=2.0, bias=-0.5, threshold=0.6)
    kept = [rule.finds(one) for one in evidence]
    mask = found & np.array(kept)[:, None, None]
    assert looked.dice(rule) == pytest.approx(dice(mask, true))


def test_both_empty_is_right():
    assert _looked(-3.0, False).dice(PresenceRule()) == 1.0
    assert _looked(3.0, False).dice(PresenceRule()) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_where_nobody_said_not_there_the_size_tells(seed):
    """The network always says "there"; what is not there it marks small."""
    rng = np.random.default_rng(seed)
    areas = rng.integers(100, 400, 40)
    looked = [_looked(12 + rng.normal(), True, area=area) for area in areas]
    rule = fit_rule(looked)
    assert (rule.absent, rule.fitted, rule.auroc) == (0, False, None)
    known = [rule.score(one.evidence[0]) for one in looked]
    wrong = [
        rule.score(_looked(12 + rng.normal(), False, area=area).evidence[0])
        for area in rng.integers(5, 40, 40)
    ]
    assert np.mean(np.array(known)[:, None] > wrong) > 0.99
    assert all(rule.finds(one.evidence[0]) for one in looked)


@pytest.mark.parametrize("seed", range(5))
def test_no_mask_that_was_found_rightly_is_lost(seed):
    """Also an odd one out, far smaller and fainter than the rest."""
    rng = np.random.default_rng(seed)
    looked = [_looked(8 + rng.normal(), True, area=300) for _ in range(30)]
    looked.append(_looked(0.5, True, area=1))
    rule = fit_rule(looked)
    assert rule.spread is not None
    assert all(rule.finds(one.evidence[0]) for one in looked)


@pytest.mark.parametrize("count", [5, 10, 40])
def test_of_few_known_targets_little_is_concluded(count):
    """Of new ones like them hardly any is lost, however few there are."""
    lost = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        areas = np.exp(rng.normal(5, 0.8, count + 60)).astype(int) + 1
        looked = [_looked(9 + rng.normal(), True, area=area) for area in areas]
        rule = fit_rule(looked[:count])
        lost += [not rule.finds(one.evidence[0]) for one in looked[count:]]
    assert np.mean(lost) < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_a_kind_that_only_taught_is_known_too(seed):
    """Small and faint beside what validates, but labelled: not taken for nothing."""
    rng = np.random.default_rng(seed)
    usual = [_looked(12 + rng.normal(), True, area=1500) for _ in range(30)]
    rare = [_looked(2 + rng.normal() / 4, True, area=20) for _ in range(10)]
    alone, both = fit_rule(usual), fit_rule(usual, rare[:2])
    found = [[rule.finds(one.evidence[0]) for one in rare] for rule in (alone, both)]
    assert not any(found[0])
    assert all(found[1])
    assert (both.present, both.absent) == (alone.present, alone.absent)


def test_score_and_cut_are_not_fitted_on_what_taught():
    looked, _ = _planted(400)
    taught = [_looked(30.0, True, area=10) for _ in range(50)]
    alone, both = fit_rule(looked), fit_rule(looked, taught)
    assert (both.present, both.absent) == (alone.present, alone.absent)
    assert both.slope == pytest.approx(alone.slope, rel=0.2)
