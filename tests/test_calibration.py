"""Calibration against scikit-learn and against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from src_core.calibration import auroc, best_cut, platt, sigmoid


def _planted(slope, bias, count, seed):
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 3, count)
    return evidence, rng.random(count) < sigmoid(slope * evidence + bias)


def _reference(evidence, there):
    """Platt's smoothed labels as weighted ones, given to scikit-learn unpenalised."""
    p, n = there.sum(), (~there).sum()
    wanted = np.where(there, (p + 1) / (p + 2), 1 / (n + 2))
    x = np.concatenate([evidence, evidence])[:, None]
    y = np.repeat([1, 0], len(evidence))
    fit = LogisticRegression(C=np.inf, tol=1e-12, max_iter=20_000)
    fit.fit(x, y, sample_weight=np.concatenate([wanted, 1 - wanted]))
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("slope", "bias"), [(1, 0), (0.2, 2), (3, -4), (0.7, -0.5)])
def test_platt_is_the_unpenalised_regression_on_smoothed_labels(slope, bias, seed):
    evidence, there = _planted(slope, bias, 200, seed)
    assert platt(evidence, there) == pytest.approx(
        _reference(evidence, there), rel=1e-4, abs=1e-4
    )


@pytest.mark.parametrize(("slope", "bias"), [(1, 0), (0.4, 1), (2, -3)])
def test_planted_values_are_found_again(slope, bias):
    found = platt(*_planted(slope, bias, 40_000, seed=1))
    assert found == pytest.approx((slope, bias), abs=0.1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_a_perfect_separation_stays_finite_and_ordered(scale):
    evidence = scale * np.array([-3.0, -2, -1, 1, 2, 3])
    slope, bias = platt(evidence, evidence > 0)
    p = sigmoid(slope * evidence + bias)
    assert np.isfinite([slope, bias]).all()
    assert slope > 0
    assert (np.diff(p) > 0).all()
    assert p + p[::-1] == pytest.approx(np.ones(6))
    assert p[0] == pytest.approx(0.134, abs=0.001)  # whatever the scale


def test_evidence_that_says_nothing_gives_the_share():
    there = np.arange(100) < 30
    slope, bias = platt(np.ones(100), there)
    assert sigmoid(np.array(slope + bias)) == pytest.approx(31 / 102, abs=0.02)


@pytest.mark.parametrize("there", [True, False])
def test_one_answer_alone_cannot_be_calibrated(there):
    flags = np.full(5, there)
    assert auroc(np.arange(5.0), flags) is None
    with pytest.raises(ValueError, match="both answers"):
        platt(np.arange(5.0), flags)


_EVIDENCE = arrays(np.float64, 12, elements=st.integers(-4, 4).map(float))
_THERE = arrays(np.bool_, 12).filter(lambda a: a.any() and not a.all())


@given(_EVIDENCE, _THERE)
def test_auroc_is_scikit_learns_ties_included(evidence, there):
    assert auroc(evidence, there) == pytest.approx(roc_auc_score(there, evidence))


@given(_EVIDENCE, _THERE, st.sampled_from([-9.0, 0.0, 1.5]))
def test_the_cut_is_as_good_as_any(evidence, there, least):
    def balance(cut):
        found = evidence >= cut
        return found[there].mean() + (~found)[~there].mean()

    cut = best_cut(evidence, there, least)
    assert cut >= least
    # Never so high that nothing could ever be found.
    candidates = np.arange(least, max(least, evidence.max()) + 0.1, 0.25)
    assert balance(cut) >= max(balance(c) for c in candidates) - 1e-12


@pytest.mark.parametrize(
    ("absent", "there", "least", "cut"),
    [
        ([-3, -1], [5, 6], -9, 2),  # the middle of the gap
        ([-3, -1], [5, 6], 3, 3),
        ([1, 2], [1.5, 8], 0, 5),  # one missed rather than half of the wrong ones
        ([-5], [-4, -3], 0, 0),
    ],
)
def test_where_the_cut_lies(absent, there, least, cut):
    evidence = np.array([*absent, *there], float)
    flags = np.arange(len(evidence)) >= len(absent)
    assert best_cut(evidence, flags, least) == pytest.approx(cut)


@settings(max_examples=50)
@given(arrays(np.float64, 8, elements=st.floats(-800, 800)))
def test_sigmoid_never_overflows(x):
    p = sigmoid(x)
    assert ((p >= 0) & (p <= 1)).all()
    assert p + sigmoid(-x) == pytest.approx(np.ones(8))
