"""Finds out on the validation images when a target counts as found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.calibration import auroc, best_cut, platt, sigmoid
from src_core.checkpoints import PresenceRule
from src_core.rounds.score import questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from src_core.answers import Answerer, Prediction
    from src_core.rounds.gate import Key
    from src_core.store import Project
    from src_core.types import Image

FEWEST = 5
"""Masks with and without the target, each, from which the rule is fitted.

With fewer, one mask more or less would move the cut further than the cut can help.
"""


@dataclass(frozen=True, slots=True)
class Looked:
    """One validation image asked for one target, plane by plane, not yet judged.

    Attributes
    ----------
    key : (str, str)
        Image and target.
    evidence, top : ndarray
        (Z,) float64 each, see :meth:`PresenceRule.score`; Z is 1 for a picture.
    found, true, both : ndarray
        (Z,) pixels that the model would mark, that are true, and the common ones.
    """

    key: Key
    evidence: NDArray[np.float64]
    top: NDArray[np.float64]
    found: NDArray[np.int64]
    true: NDArray[np.int64]
    both: NDArray[np.int64]

    def dice(self, rule: PresenceRule) -> float:
        """Dice of the whole image where a plane not found stays empty."""
        kept = np.array(
            [rule.finds(e, top) for e, top in zip(self.evidence, self.top, strict=True)]
        )
        total = int(self.found[kept].sum() + self.true.sum())
        return 2.0 * int(self.both[kept].sum()) / total if total else 1.0


def look(
    project: Project, model: Answerer, images: Iterable[Image]
) -> Iterator[Looked]:
    """Ask a model for every true mask of the images, each with its usual wording."""
    for asked in questions(project, images):
        view = model.look_at(asked.pixels, asked.image.axes, asked.image)
        truths = [view.show(asked.truth[target.id]) for target in asked.targets]
        rows: list[list[_Plane]] = [[] for _ in asked.targets]
        # of a volume no more than a plane's probabilities are held
        for n, answers in enumerate(model.planes(view, asked.prompts)):
            for row, answer, truth in zip(rows, answers, truths, strict=True):
                row.append(_compare(answer, truth[n] != 0))
        for target, row in zip(asked.targets, rows, strict=True):
            yield Looked((asked.image.id, target.id), *_columns(row))


_Plane = tuple[float, float, int, int, int]


def _compare(answer: Prediction, truth: NDArray[np.bool_]) -> _Plane:
    shape = answer.shape_mask != 0
    sizes = int(shape.sum()), int(truth.sum()), int((shape & truth).sum())
    return (answer.evidence, answer.top, *sizes)


def _columns(rows: Sequence[_Plane]) -> Iterator[NDArray[Any]]:
    """Turn rows of planes into the arrays of `Looked`."""
    kinds = (np.float64, np.float64, np.int64, np.int64, np.int64)
    for values, kind in zip(zip(*rows, strict=True), kinds, strict=True):
        yield np.array(values, kind)


def fit_rule(looked: Sequence[Looked]) -> PresenceRule:
    """Fit score and threshold on validation masks, or keep to the safe defaults.

    Each plane of a volume counts on its own: that is where the network decides. The cut
    never lies where no pixel is likelier inside than outside.
    """
    if not looked:
        return PresenceRule()
    evidence = np.concatenate([one.evidence for one in looked])
    there = np.concatenate([one.true > 0 for one in looked])
    rule = PresenceRule(
        auroc=auroc(evidence, there),
        present=int(there.sum()),
        absent=int((~there).sum()),
    )
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
