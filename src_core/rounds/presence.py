"""Finds out on the validation images when a target counts as found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from src_core.calibration import auroc, best_cut, platt, sigmoid
from src_core.presence import SHARES, PresenceRule
from src_core.rounds.score import questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from src_core.answers import Answerer, Prediction
    from src_core.presence import Evidence
    from src_core.rounds.gate import Key
    from src_core.store import Project
    from src_core.types import Image

FEWEST = 5
"""Masks with and without the target, each, from which the rule is fitted.

With fewer, one mask more or less would move the cut further than the cut can help.
"""

RARE = 1e-4
"""How seldom a target that is there may lie below the bound drawn from known ones."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One validation image asked for one target, plane by plane, not yet judged.

    Attributes
    ----------
    key : (str, str)
        Image and target.
    evidence : tuple of Evidence
        Z of them; Z is 1 for a picture.
    found, true, both : ndarray
        (Z,) int64: pixels that the model would mark, that are true, and the common
        ones.
    size : int
        Pixels of a plane.
    """

    key: Key
    evidence: tuple[Evidence, ...]
    found: NDArray[np.int64]
    true: NDArray[np.int64]
    both: NDArray[np.int64]
    size: int

    def dice(self, rule: PresenceRule) -> float:
        """Dice of the whole image where a plane not found stays empty."""
        kept = np.array([rule.finds(evidence) for evidence in self.evidence])
        total = int(self.found[kept].sum() + self.true.sum())
        return 2.0 * int(self.both[kept].sum()) / total if total else 1.0


def look(
    project: Project, model: Answerer, images: Iterable[Image]
) -> Iterator[Looked]:
    """Ask a model for every true mask of the images, each with its usual wording."""
    for asked in questions(project, images):
        view = model.look_at(asked.pixels, asked.image.axes, asked.image)
        truths = [view.show(asked.truth[target.id]) for target in asked.targets]
        evidence: list[list[Evidence]] = [[] for _ in asked.targets]
        counts: list[list[tuple[int, int, int]]] = [[] for _ in asked.targets]
        # of a volume no more than a plane's probabilities are held
        for n, answers in enumerate(model.planes(view, asked.prompts)):
            for t, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
                assert answer.evidence is not None, "it comes from `judged`"
                evidence[t].append(answer.evidence)
                counts[t].append(_compare(answer, truth[n] != 0))
        for t, target in enumerate(asked.targets):
            found, true, both = np.array(counts[t], np.int64).T
            key, size = (asked.image.id, target.id), truths[t][0].size
            yield Looked(key, tuple(evidence[t]), found, true, both, size)


def _compare(answer: Prediction, truth: NDArray[np.bool_]) -> tuple[int, int, int]:
    shape = answer.shape_mask != 0
    return int(shape.sum()), int(truth.sum()), int((shape & truth).sum())


def fit_rule(looked: Sequence[Looked], taught: Sequence[Looked] = ()) -> PresenceRule:
    """Fit score and threshold on validation masks, or keep to the safe defaults.

    Each plane of a volume counts on its own: that is where the network decides. The cut
    never lies where no pixel is likelier inside than outside.

    Parameters
    ----------
    looked : sequence of Looked
        Of the validation split.
    taught : sequence of Looked
        Of labelled training images. They say what targets are like where the split has
        none of their kind: without them, on DSB-2018, a rare kind was learned (Dice
        0.6) and none of it shown. Score and threshold are not fitted on them: what
        taught a network makes it surer than others will.
    """
    if not looked:
        return PresenceRule()
    told, true = _planes(looked)
    there = true > 0
    rule = PresenceRule(present=int(there.sum()), absent=int((~there).sum()))
    rule = _against_known(rule, *_planes([*looked, *taught]))
    evidence = np.array([rule.weighed(one) for one in told])
    rule = rule.model_copy(update={"auroc": auroc(evidence, there)})
    if min(rule.present, rule.absent) < FEWEST:
        return rule
    slope, bias = platt(evidence, there)
    if slope <= 0:  # it tells nothing here: no fit can be better than the default
        return rule
    cut = best_cut(evidence, there, least=0.0)
    threshold = float(sigmoid(np.array(slope * cut + bias)))
    return rule.model_copy(
        update={"slope": slope, "bias": bias, "threshold": threshold, "fitted": True}
    )


def _planes(looked: Sequence[Looked]) -> tuple[list[Evidence], NDArray[np.float64]]:
    """Return the evidence of all planes, and the true share of each."""
    told = [evidence for one in looked for evidence in one.evidence]
    return told, np.concatenate([one.true / one.size for one in looked])


def _against_known(
    rule: PresenceRule, told: Sequence[Evidence], true: NDArray[np.float64]
) -> PresenceRule:
    """Note what targets that are there and found are like; `true` is their share."""
    known = (true > 0) & np.array([rule.finds(evidence) for evidence in told])
    if known.sum() < FEWEST:
        return rule
    share = min(round(-math.log2(np.median(true[known]))), SHARES - 1)
    sums = np.array(
        [e.weaker + e.extents[share] for e, k in zip(told, known, strict=True) if k]
    )
    spread = max(float(sums.std(ddof=1)), 1.0)
    # Student's bound for the next of its kind: of few known ones little is concluded.
    # And whatever was found rightly here is found by the rule.
    reach = -float(stdtrit(len(sums) - 1, RARE)) * math.sqrt(1 + 1 / len(sums))
    low = min(float(sums.mean()) - reach * spread, float(sums.min()))
    return rule.model_copy(update={"share": share, "low": low, "spread": spread})
