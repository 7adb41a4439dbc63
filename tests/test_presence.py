"""When a target counts as found: the rule, and what an answer is held against."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from src_core.presence import SHARES, SIDE, SUREST, Evidence, PresenceRule, extents

LOGIT = st.integers(-600, 600).map(lambda tenths: tenths / 10)
PLANES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(0, 1, width=32),
)


def _disc(area, inside=0.99, outside=0.001, side=64):
    """A plane with `area` sure pixels in a row."""
    plane = np.full(side * side, outside, np.float32)
    plane[:area] = inside
    return plane.reshape(side, side)


@given(LOGIT, LOGIT)
def test_by_default_both_pixel_and_network_must_say_yes(presence, top):
    evidence = Evidence(min(presence, top), top, ())
    assert PresenceRule().finds(evidence) == (presence >= 0 and top > 0)


@given(
    LOGIT,
    LOGIT,
    st.floats(0.01, 20),
    st.floats(-20, 20),
    st.floats(0, 1),
    st.one_of(st.none(), st.floats(0.1, 20)),
)
def test_nothing_is_found_and_no_score_is_high_without_a_pixel(
    presence, top, slope, bias, threshold, spread
):
    rule = PresenceRule(slope=slope, bias=bias, threshold=threshold, spread=spread)
    evidence = Evidence(min(presence, top), top, extents(_disc(9)))
    score = rule.score(evidence)
    assert 0 <= score <= 1
    if top <= 0:
        assert score <= 0.5
        assert not rule.finds(evidence)


@given(PLANES)
def test_extents_are_means_over_the_likeliest_pixels(plane):
    """Against a plain loop in float64."""
    logits = []
    for p in plane.astype(np.float64).ravel():
        if p <= 0 or p >= 1:
            logits.append(SUREST if p >= 1 else -SUREST)
        else:
            logits.append(min(SUREST, max(-SUREST, np.log(p) - np.log1p(-p))))
    logits.sort(reverse=True)
    for k, found in enumerate(extents(plane)):
        count = max(1, len(logits) // 2**k)
        assert found == pytest.approx(sum(logits[:count]) / count, abs=1e-6)


@given(PLANES)
def test_fewer_pixels_are_likelier_ones(plane):
    found = extents(plane)
    assert len(found) == SHARES
    assert all(a <= b + 1e-9 for a, b in pairwise(found))


def test_a_large_plane_is_sampled_and_says_nearly_the_same():
    small = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    large = small.repeat(3, 0).repeat(3, 1)
    np.testing.assert_allclose(extents(large), extents(small), atol=1e-6)


def test_smaller_or_fainter_than_what_is_known_is_less_sure():
    """A network that always says "there" leaves it to what the mask is like."""
    rule = PresenceRule(share=5, low=0.0, spread=4.0)

    def score(plane):
        return rule.score(Evidence(12.0, 6.0, extents(plane)))

    usual, small, faint = _disc(128), _disc(24), _disc(128, inside=0.6)
    assert score(usual) > 0.95
    assert score(small) < score(usual)
    assert score(faint) < score(usual)
    assert PresenceRule().score(Evidence(12.0, 6.0, extents(small))) > 0.999


@given(LOGIT, LOGIT, st.floats(-20, 20), st.floats(0.1, 20), st.integers(0, SHARES - 1))
def test_what_is_known_only_ever_lowers_a_score(presence, top, low, spread, share):
    known = PresenceRule(share=share, low=low, spread=spread)
    evidence = Evidence(min(presence, top), top, extents(_disc(100)))
    assert known.weighed(evidence) <= evidence.weaker
    assert known.score(evidence) <= PresenceRule().score(evidence)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "could not be checked: 0 masks with the target and 0 without"),
        ({"auroc": 0.9, "present": 9, "absent": 2}, "keeps its safe default"),
        (
            {"auroc": 0.97, "present": 9, "absent": 8, "fitted": True},
            "is set by 9 masks with the target and 8 without among the validation "
            "images (AUROC 0.970)",
        ),
    ],
)
def test_a_rule_says_what_it_was_fitted_on(changes, says):
    assert says in PresenceRule(**changes).summary
