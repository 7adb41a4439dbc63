"""From evidence to a probability: Platt scaling, a cut, and the area under the ROC.

J. Platt, "Probabilistic outputs for support vector machines", 1999, with the smoothed
labels of that paper (without them a perfect separation has no finite slope) and the
damped Newton steps of H.-T. Lin, C.-J. Lin and R. C. Weng, Machine Learning 68, 2007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

STEPS, SMALLEST_STEP, RIDGE = 100, 1e-10, 1e-12


def platt(evidence: Floats, there: Flags) -> tuple[float, float]:
    """Fit ``sigmoid(slope·evidence + bias)`` by maximum likelihood.

    Parameters
    ----------
    evidence : ndarray
        (n,), higher means likelier; both answers must occur.
    there : ndarray
        (n,) bool.

    Returns
    -------
    slope, bias : float
        Finite, also where the answers separate perfectly.

    Raises
    ------
    ValueError
        If only one answer occurs.
    """
    positives, negatives = int(there.sum()), int((~there).sum())
    if not positives or not negatives:
        raise ValueError("Platt scaling needs both answers")
    wanted = np.where(
        there, (positives + 1) / (positives + 2), 1 / (negatives + 2)
    ).astype(np.float64)
    # On evidence of mean 0 and deviation 1, whatever its own scale: Newton's steps
    # are then well conditioned.
    centre, reach = float(evidence.mean()), float(evidence.std()) or 1.0
    x = (evidence - centre) / reach
    at = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    loss = _cross_entropy(at, x, wanted)
    for _ in range(STEPS):
        p = sigmoid(at[0] * x + at[1])
        slope = np.array([((p - wanted) * x).sum(), (p - wanted).sum()])
        if np.abs(slope).max() < SMALLEST_STEP:
            break
        weight = p * (1 - p)
        cross = (weight * x).sum()
        bend = np.array([[(weight * x * x).sum(), cross], [cross, weight.sum()]])
        step = np.linalg.solve(bend + RIDGE * np.eye(2), slope)
        length = 1.0
        while (new := _cross_entropy(at - length * step, x, wanted)) > loss:
            length /= 2
            if length < SMALLEST_STEP:
                break
        if length < SMALLEST_STEP:
            break
        at, loss = at - length * step, new
    return float(at[0] / reach), float(at[1] - at[0] * centre / reach)


def sigmoid(x: Floats) -> Floats:
    """Return the logistic function of values of any shape, with no overflow."""
    small = np.exp(-np.abs(x))
    p: Floats = np.where(x >= 0, 1.0, small) / (1.0 + small)
    return p


def _cross_entropy(at: Floats, x: Floats, wanted: Floats) -> float:
    z = at[0] * x + at[1]
    return float((np.logaddexp(0.0, z) - wanted * z).sum())


def auroc(scores: Floats, there: Flags) -> float | None:
    """Return the chance that a pair with the target scores above one without.

    Parameters
    ----------
    scores : ndarray
        (n,); ties count half.
    there : ndarray
        (n,) bool.

    Returns
    -------
    float or None
        The area under the ROC, 0 to 1; None where only one answer occurs.
    """
    positives, negatives = int(there.sum()), int((~there).sum())
    if not positives or not negatives:
        return None
    values, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    assert len(values)
    last = np.cumsum(counts)
    rank = (last - (counts - 1) / 2)[place]  # from 1; ties share their mean rank
    above = rank[there].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def best_cut(evidence: Floats, there: Flags, least: float) -> float:
    """Return the cut that tells the two answers apart best.

    It maximises the mean of sensitivity and specificity: a missed target and one that
    is not there weigh alike, however many of each were looked at. Of equally good cuts
    the one farthest from all evidence is taken; none lies above all of it, where
    nothing could ever be found.

    Parameters
    ----------
    evidence : ndarray
        (n,); what reaches the cut counts as found.
    there : ndarray
        (n,) bool, both answers occur.
    least : float
        The cut does not lie below.
    """
    values = np.unique(evidence)
    cuts = np.concatenate([[least], (values[1:] + values[:-1]) / 2])
    cuts = np.unique(np.maximum(cuts, least))
    missed = np.searchsorted(np.sort(evidence[there]), cuts) / there.sum()
    refused = np.searchsorted(np.sort(evidence[~there]), cuts) / (~there).sum()
    after = np.searchsorted(values, cuts).clip(1, len(values) - 1)
    margin = np.minimum(np.abs(values[after - 1] - cuts), np.abs(values[after] - cuts))
    order = np.lexsort((-margin, -np.round(refused - missed, 12)))
    return float(cuts[order[0]])
