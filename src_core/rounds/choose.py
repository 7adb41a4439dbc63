"""The next image to label: gathers candidates, asks the model, lets a strategy pick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from src_core.acquire import DEFAULT, Candidate, Pick, strategy
from src_core.rounds.snapshot import effective_split
from src_core.rounds.validation import held_out_groups
from src_core.store.truth import truths
from src_core.types import Image, MaskStatus, Split, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from src_core.predict import Predictor
    from src_core.store import Project

ASKED_AT_MOST = 200
"""Candidates that the model is asked about, drawn by chance where there are more."""

Kind = tuple[str, int]
"""What tells images of one modality from others: axes, and how many channels."""


def next_picks(
    project: Project,
    predictor: Predictor | None,
    count: int,
    name: str | None = None,
    *,
    seed: int = 0,
    ask_at_most: int = ASKED_AT_MOST,
) -> list[Pick]:
    """Return what to label next.

    A target is offered on the kinds of image in which somebody has drawn it before: a
    lung is not looked for on a stained slide. Where nothing was drawn yet, on all.

    Parameters
    ----------
    project : Project
        Its images and truths.
    predictor : Predictor or None
        The model that answers; without one every strategy falls back on chance, and
        the reason says so.
    count : int
        At most so many picks.
    name : str, optional
        The strategy; the default one if not given.
    seed : int
        Of the drawing; the same project state and seed give the same picks.
    ask_at_most : int
        Candidates that the model is asked about; each costs a prediction.
    """
    rng = np.random.default_rng([seed, project.position])
    chosen = strategy(name or DEFAULT)
    if chosen.asks_model and predictor is None:
        picks = strategy("random").pick(list(_candidates(project)), count, rng)
        return [
            Pick(p.image, p.target, p.score, f"{p.reason} (there is no model yet)")
            for p in picks
        ]
    candidates = list(_candidates(project))
    if chosen.asks_model and predictor is not None:
        if len(candidates) > ask_at_most:
            kept = rng.choice(len(candidates), ask_at_most, replace=False)
            candidates = [candidates[i] for i in sorted(kept)]
        candidates = list(_asked(project, predictor, candidates))
    return chosen.pick(candidates, count, rng)


def _candidates(project: Project) -> Iterator[Candidate]:
    """Yield each training image's targets that nobody has finished."""
    known = truths(project)
    held_out = held_out_groups(project)
    targets = project.targets()
    images = project.images()
    at_home = _kinds_of_targets(project, images)
    drawn_on = frozenset().union(*at_home.values())
    for image in images:
        if effective_split(image, held_out) is not Split.TRAIN:
            continue
        here = kind_of(image)
        for target in targets or [Target("", "")]:
            # A kind of image on which nobody drew anything yet may hold any of them.
            fits = here in at_home.get(target.id, drawn_on) or here not in drawn_on
            if fits and target.id not in known.get(image.id, []):
                yield Candidate(image.id, target.id, image.group)


def kind_of(image: Image) -> Kind:
    """Return what tells the modality of an image from others."""
    channels = dict(zip(image.axes, image.shape, strict=True)).get("c", 1)
    return image.axes, min(channels, 3)  # a fourth one is transparency, not a modality


def _kinds_of_targets(
    project: Project, images: list[Image]
) -> Mapping[str, frozenset[Kind]]:
    """Return target id -> the kinds of image in which somebody has drawn it."""
    kinds = {image.id: kind_of(image) for image in images}
    found: dict[str, frozenset[Kind]] = {}
    for mask in project.masks():
        if mask.status is MaskStatus.DONE and mask.image in kinds:
            here = frozenset({kinds[mask.image]})
            found[mask.target] = found.get(mask.target, frozenset()) | here
    return found


def _asked(
    project: Project, predictor: Predictor, candidates: list[Candidate]
) -> Iterator[Candidate]:
    by_image: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_image.setdefault(candidate.image, []).append(candidate)
    prompts = {target.id: target.wordings[0] for target in project.targets()}
    for image_id, asked in by_image.items():
        image: Image = project.image(image_id)
        pixels = np.asarray(project.pixels(image)[...])
        answers = predictor.predict(
            pixels, image.axes, [prompts[c.target] for c in asked]
        )
        for candidate, answer in zip(asked, answers, strict=True):
            yield Candidate(
                candidate.image,
                candidate.target,
                candidate.group,
                outline_entropy(answer.probability),
                float((answer.probability > 0.5).mean()),
            )


def outline_entropy(probability: NDArray[np.float32]) -> float:
    """Mean binary entropy where the model hesitates or affirms, in bits.

    The empty background would drown a small target, so only pixels of more than 5 %
    probability count; 0 where there are none.
    """
    p = probability[probability > 0.05].astype(np.float64).clip(1e-6, 1 - 1e-6)
    if p.size == 0:
        return 0.0
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean())
