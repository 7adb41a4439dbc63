"""The promotion gate: a new version answers only if it is not worse than the old."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from src_core.train import Regained

TOLERANCE = 0.001
MOST_LOST = 0.03
"""Validation Dice that may be given for what the old version missed."""
DRAWS = 2000
FEWEST = 3
"""Groups that an interval takes: drawn anew, one is always itself."""

Key = tuple[str, str]  # image, target


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decided, and on what ground.

    Attributes
    ----------
    promoted : bool
    reason : str
        One sentence for a person.
    old, new : float or None
        Mean Dice on the validation pairs; None where there is nothing to compare.
    low, high : float or None
        95 % bootstrap interval of new - old, groups drawn with replacement; None of
        fewer than `FEWEST`.
    """

    promoted: bool
    reason: str
    old: float | None = None
    new: float | None = None
    low: float | None = None
    high: float | None = None


def judge(
    old: Mapping[Key, float] | None,
    new: Mapping[Key, float],
    groups: Mapping[str, str],
    regained: Regained | None = None,
    *,
    seed: int = 0,
) -> Verdict:
    """Compare two versions on the same validation pairs.

    A kind of picture of which the first masks were just saved has no judge among them:
    who has begun to find it, at a small cost elsewhere, would be kept aside for ever.
    So what the old version missed of the labelled pictures counts by its share of them,
    up to a loss of `MOST_LOST`.

    Parameters
    ----------
    old : mapping or None
        (image, target) -> Dice of the version that answers now; None for none.
    new : mapping
        The same pairs, of the new version.
    groups : mapping
        Image -> group; a patient's images are drawn together.
    regained : Regained or None
        How the new version does on labelled pictures that the old one missed; they have
        taught it.
    seed : int
        Of the bootstrap.
    """
    if not new:
        return Verdict(
            True,
            "Promoted unseen: no validation image has a finished mask yet, so nothing "
            "could be compared.",
        )
    value = _target_mean(new)
    if old is None:
        return Verdict(True, f"Promoted: the first model, Dice {value:.3f}.", new=value)
    before = _target_mean(old)
    low, high = _interval(old, new, groups, seed) or (None, None)
    patients = {groups.get(image, image) for image, _ in new}
    sure = f"of {'two patients' if len(patients) > 1 else 'one patient'}: no interval"
    if low is not None:
        sure = f"95 % interval of the difference {low:+.3f} to {high:+.3f}"
    step = f"Dice {before:.3f} before, {value:.3f} now ({sure})"
    gain = difference = value - before
    if regained is not None:
        share, count = regained.share, len(regained.images)
        gain = (1 - share) * gain + share * (regained.dice - regained.before)
        those = f"{count} labelled images" if count > 1 else "one labelled image"
        step += f", and {regained.dice:.3f} on {those} that the old one missed"
    if gain >= -TOLERANCE and difference >= -MOST_LOST:
        return Verdict(True, f"Promoted: {step}.", before, value, low, high)
    return Verdict(
        False,
        f"Kept aside: {step}. The old model goes on answering.",
        before,
        value,
        low,
        high,
    )


def _target_mean(dices: Mapping[Key, float]) -> float:
    by_target: dict[str, list[float]] = {}
    for (_, target), value in dices.items():
        by_target.setdefault(target, []).append(value)
    return float(np.mean([np.mean(values) for values in by_target.values()]))


def unjudged(names: Mapping[str, str], dices: Mapping[Key, float]) -> list[str]:
    """Say for which of the targets that a version knows the gate is blind.

    Parameters
    ----------
    names : mapping of str to str
        Target id to name, of those that it knows.
    dices : mapping
        Dice of the validation pairs; where there are none, that is said elsewhere.
    """
    judged = {target for _, target in dices}
    blind = [f"'{name}'" for target, name in names.items() if target not in judged]
    if not dices or not blind:
        return []
    it = "it" if len(blind) == 1 else "them"
    return [
        f"{' and '.join(blind)} could not be judged: no validation image has a mask "
        f"of {it}."
    ]


def _interval(
    old: Mapping[Key, float],
    new: Mapping[Key, float],
    groups: Mapping[str, str],
    seed: int,
) -> tuple[float, float] | None:
    """Bootstrap the difference of what :func:`_target_mean` gives; None of too few."""
    rows = _numbered(groups.get(image, image) for image, _ in new)
    columns = _numbered(target for _, target in new)
    if len(rows) < FEWEST:
        return None
    sums, counts = (np.zeros((len(rows), len(columns))) for _ in range(2))
    for (image, target), value in new.items():
        place = rows[groups.get(image, image)], columns[target]
        sums[place] += value - old[image, target]
        counts[place] += 1
    drawn = np.random.default_rng(seed).integers(len(rows), size=(DRAWS, len(rows)))
    times = np.stack([np.bincount(draw, minlength=len(rows)) for draw in drawn])
    found = times @ counts
    # A draw may hold no image of a target: then the others stand for it.
    means = np.divide(times @ sums, found, np.full_like(found, np.nan), where=found > 0)
    low, high = np.percentile(np.nanmean(means, 1), [2.5, 97.5])
    return float(low), float(high)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(set(names)))}
