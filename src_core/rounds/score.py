"""Scores of a model version on a split of a project, at the images' own size."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from src_core.calibration import auroc
from src_core.errors import UserError
from src_core.metrics import Scores, mean
from src_core.store.truth import read_truth, truths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from src_core.answers import Answerer, Prediction
    from src_core.imaging.planes import Pixels
    from src_core.store import Project
    from src_core.store.truth import Truth
    from src_core.types import Image, Split, Target


class PromptFrom(StrEnum):
    """With which words a target is asked for.

    ``OWN``: the image's caption where it has one, else as ``TARGET``. ``TARGET``: the
    target's usual wording. ``PARAPHRASE``: its last wording. ``WRONG``: the caption of
    another image, or another target's wording; scored against the right mask.
    """

    OWN = "own"
    TARGET = "target"
    PARAPHRASE = "paraphrase"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Question:
    """One image with its truths, and the words that ask for them."""

    image: Image
    pixels: Pixels
    targets: list[Target]
    prompts: list[str]
    truth: Truth


@dataclass(frozen=True, slots=True)
class Scored:
    """One image and target, asked and compared.

    Attributes
    ----------
    image : Image
    target : Target
    prediction : Prediction
    truth : ndarray
        0 and 1 over the spatial axes.
    there : tuple of bool
        Whether the target is in each of the planes that were asked.
    """

    image: Image
    target: Target
    prediction: Prediction
    truth: NDArray[np.uint8]
    there: tuple[bool, ...]


def prompt_for(
    source: PromptFrom,
    image: Image,
    target: Target,
    targets: list[Target],
    captions: list[str],
) -> str:
    """Return the words that ask for `target` in `image`.

    Raises
    ------
    UserError
        If a wrong prompt is wanted where there is none.
    """
    alone = len(targets) == 1
    if source is PromptFrom.OWN and alone and image.caption:
        return image.caption
    if source is PromptFrom.PARAPHRASE:
        return target.wordings[-1]
    if source is PromptFrom.WRONG:
        others = [t.wordings[0] for t in targets if t.id != target.id]
        if alone:
            others = [
                caption for caption in captions if caption and caption != image.caption
            ]
        if not others:
            raise UserError(
                "No wrong prompt can be formed: the project has one target and no "
                "captions. Use --prompt-from target."
            )
        return others[sum(image.id.encode()) % len(others)]
    return target.wordings[0]


def questions(
    project: Project,
    images: Iterable[Image],
    source: PromptFrom = PromptFrom.TARGET,
) -> Iterator[Question]:
    """Yield each image that has truth, with a prompt for each of its true targets."""
    known = truths(project)
    targets = project.targets()
    by_id = {target.id: target for target in targets}
    images = list(images)
    captions = [image.caption for image in images]
    for image in images:
        truth = read_truth(project, image.id, known.get(image.id, []))
        if not truth:
            continue
        asked = [by_id[target] for target in truth]
        prompts = [prompt_for(source, image, t, targets, captions) for t in asked]
        pixels = project.pixels(image)
        yield Question(image, pixels, asked, prompts, truth)


def score_images(
    project: Project,
    model: Answerer,
    images: Iterable[Image],
    source: PromptFrom = PromptFrom.TARGET,
) -> Iterator[Scored]:
    """Ask for every true target of the images; one encoding an image."""
    for asked in questions(project, images, source):
        image = asked.image
        answers = model.predict(asked.pixels, image.axes, asked.prompts, like=image)
        view = model.look_at(asked.pixels, image.axes, image)
        for target, answer in zip(asked.targets, answers, strict=True):
            truth = asked.truth[target.id]
            there = tuple(bool(plane.any()) for plane in view.show(truth))
            yield Scored(image, target, answer, truth, there)


def evaluate(
    project: Project,
    model: Answerer,
    split: Split,
    source: PromptFrom = PromptFrom.TARGET,
) -> dict[str, object]:
    """Return scores per target and their mean, in the command line's form.

    Returns
    -------
    dict
        ``{"targets": {name: {"dice", "iou", "dice_pooled", "hd95", "n"}},
        "mean": {"dice", "iou", "dice_pooled"},
        "presence": {"auroc", "present", "absent", "threshold", "targets"}}``; dice is
        the mean over images with 1 where both masks are empty, hd95 in the image's own
        unit. Presence counts pictures, and the planes of volumes, with and without
        the target; its AUROC is None where only one of the two occurs, and
        ``"targets"`` holds that of each by name.

    Raises
    ------
    UserError
        If no image of the split has truth.
    """
    scores: dict[str, Scores] = {}
    presence: dict[str, _Presence] = {}
    images = project.images(split)
    for scored in score_images(project, model, images, source):
        spacing = scored.image.spacing or None
        name = scored.target.name
        scores.setdefault(name, Scores()).add(
            scored.prediction.mask, scored.truth, spacing
        )
        presence.setdefault(name, _Presence()).add(scored)
    if not scores:
        raise UserError(
            f"No image of the split '{split}' has a finished mask, so there is nothing "
            "to score. Import some with that split in the table."
        )
    summaries = {name: score.summary() for name, score in scores.items()}
    means = {
        key: mean(float(summary[key] or 0.0) for summary in summaries.values())
        for key in ("dice", "iou", "dice_pooled")
    }
    return {
        "targets": summaries,
        "mean": means,
        "presence": {
            **_Presence.joined(presence.values()).summary(),
            "threshold": model.threshold,
            "targets": {name: p.summary()["auroc"] for name, p in presence.items()},
        },
    }


@dataclass(slots=True)
class _Presence:
    """Gathers scores of pictures and planes, and whether the target is there."""

    scores: list[float] = field(default_factory=list)
    there: list[bool] = field(default_factory=list)

    def add(self, scored: Scored) -> None:
        self.scores.extend(scored.prediction.plane_scores)
        self.there.extend(scored.there)

    @classmethod
    def joined(cls, parts: Iterable[_Presence]) -> _Presence:
        whole = cls()
        for part in parts:
            whole.scores += part.scores
            whole.there += part.there
        return whole

    def summary(self) -> dict[str, float | int | None]:
        there = np.array(self.there, bool)
        return {
            "auroc": auroc(np.array(self.scores), there),
            "present": int(there.sum()),
            "absent": int((~there).sum()),
        }
