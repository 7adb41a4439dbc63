"""Finished masks that somebody should look at again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.acquire.doubts import Confidence, InDoubt, confidence, in_doubt
from src_core.acquire.regions import Region
from src_core.geometry import Letterbox
from src_core.rounds.places import places
from src_core.rounds.survey import surveyed_targets, training_images
from src_core.store.truth import read_truth, truths

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from src_core.predict import Predictor
    from src_core.store import Project
    from src_core.types import Image, Target

    Floats = NDArray[np.float32]
    Masks = NDArray[np.bool_]

SIDE: Final = 192
"""Masks are compared at no more than so many pixels a side: a few hundred of them must
fit into memory."""

SWAPPED: Final = 0.5
"""By so much must a mask fit another target better than its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """One finished mask of which the model is confidently of another opinion.

    Attributes
    ----------
    image, target : str
        Ids.
    revision : int
        The one that stands.
    score : float
        Share of the mask that is in doubt, 0 to 1.
    learned : bool
        Whether the model had learned from this very mask: then its doubt weighs more.
    sentence : str
        What is doubted, and where.
    regions : list of Region
        Where to look.
    """

    image: str
    target: str
    revision: int
    score: float
    learned: bool
    sentence: str
    regions: list[Region]


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    image: Image
    target: Target
    mask: Masks
    probability: Floats
    others: dict[str, Floats]


def doubts(
    project: Project,
    predictor: Predictor,
    *,
    most: int = 1000,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Doubt]:
    """List the finished masks that are worth a second look, the most doubtful first.

    Parameters
    ----------
    project : Project
        Any.
    predictor : Predictor
        The model that is asked.
    most : int
        Masks looked at, the newest: each takes a prediction.
    should_stop : callable
        Asked before each image; what was found until then is returned.
    """
    cases = _cases(project, predictor, most, should_stop)
    by_target: dict[str, list[_Case]] = {}
    for case in cases:
        by_target.setdefault(case.target.id, []).append(case)
    usual = {
        target: confidence((case.probability, case.mask) for case in mine)
        for target, mine in by_target.items()
    }
    names = {target.id: target.name for target in project.targets()}
    found = [
        doubt
        for case in cases
        if (doubt := _doubt(project, predictor, case, usual[case.target.id], names))
    ]
    return sorted(found, key=lambda doubt: -doubt.score)


def _cases(
    project: Project,
    predictor: Predictor,
    most: int,
    should_stop: Callable[[], bool],
) -> list[_Case]:
    targets = [project.target(t) for t in surveyed_targets(project, predictor.card)]
    if not targets:
        return []
    known = truths(project)
    newest: dict[str, int] = {}
    for record in project.masks():
        newest[record.image] = max(newest.get(record.image, 0), record.revision)
    images = [image for image in training_images(project) if image.id in known]
    images.sort(key=lambda image: -newest.get(image.id, 0))
    cases: list[_Case] = []
    for image in images:
        if should_stop() or len(cases) >= most:
            break
        truth = read_truth(project, image.id, known[image.id])
        if not any(target.id in truth for target in targets):
            continue
        answers = predictor.predict(
            project.pixels(image),
            image.axes,
            [target.wordings[0] for target in targets],
            like=image,
        )
        maps = {
            target.id: _small(answer.probability)
            for target, answer in zip(targets, answers, strict=True)
        }
        for target in targets:
            if target.id in truth:
                others = {
                    name: map_ for name, map_ in maps.items() if name != target.id
                }
                mask = _small(truth[target.id].astype(np.float32)) > 0.5
                cases.append(_Case(image, target, mask, maps[target.id], others))
    return cases


def _doubt(
    project: Project,
    predictor: Predictor,
    case: _Case,
    usual: Confidence,
    names: dict[str, str],
) -> Doubt | None:
    seen = in_doubt(case.probability, case.mask, usual)
    other, better = _fits_better(case)
    if not seen.score and not other:
        return None
    mask = project.mask(case.image.id, case.target.id)
    if mask is None:
        return None
    marked = (seen.missed | seen.extra).astype(np.float32)
    if not marked.any():
        marked = case.mask.astype(np.float32)
    seen_at = marked if "z" in case.image.axes else marked[0]
    regions = places(seen_at, case.image.orientation)
    return Doubt(
        case.image.id,
        case.target.id,
        mask.revision,
        max(seen.score, better),
        mask.revision <= predictor.card.position,
        _says(case, seen, names.get(other, ""), regions),
        [_at_full_size(region, case) for region in regions],
    )


def _fits_better(case: _Case) -> tuple[str, float]:
    """Return the other target that a mask fits by far better, and by how much."""
    if not case.mask.any() or not case.others:
        return "", 0.0
    own = _overlap(case.mask, case.probability)
    fits = {name: _overlap(case.mask, map_) for name, map_ in case.others.items()}
    best = max(fits, key=lambda name: fits[name])
    gain = fits[best] - own
    return (best, gain) if gain >= SWAPPED else ("", 0.0)


def _says(case: _Case, seen: InDoubt, other: str, regions: list[Region]) -> str:
    name = case.target.name
    if other:
        return f"what is drawn as '{name}' looks like '{other}' to the model"
    where = f", most {regions[0].words}" if regions else ""
    if not case.mask.any():
        told = f"'{name}' is marked as not there, but the model is sure that it is"
        return f"{told} there{where}"
    if seen.missed.sum() >= seen.extra.sum():
        return f"the model is sure of more '{name}' than is drawn{where}"
    return f"the model is sure that less is '{name}' than is drawn{where}"


def _overlap(mask: Masks, probability: Floats) -> float:
    found = probability > 0.5
    whole = int(mask.sum() + found.sum())
    return 2.0 * int((mask & found).sum()) / whole if whole else 1.0


def _small(values: Floats) -> Floats:
    """(H, W) or (Z, H, W) -> (Z, h, w), averaged down to `SIDE` at most."""
    import torch
    import torch.nn.functional as F

    planes = values if values.ndim == 3 else values[None]
    height, width = planes.shape[1:]
    if max(height, width) <= SIDE:
        return np.asarray(planes, np.float32)
    size = Letterbox(height, width, SIDE).scaled
    tensor = torch.from_numpy(np.ascontiguousarray(planes, np.float32))[None]
    small = F.interpolate(tensor, size, mode="bilinear", antialias=True)[0]
    return np.asarray(small.numpy())


def _at_full_size(region: Region, case: _Case) -> Region:
    """Return the region in the image's own pixels."""
    shape, small = case.image.spatial_shape[-2:], case.mask.shape[1:]
    (top, bottom), (left, right) = (
        (round(a * full / part), round(b * full / part))
        for (a, b), full, part in zip(
            (region.rows, region.columns), shape, small, strict=True
        )
    )
    return Region(
        region.slice, (top, bottom), (left, right), region.share, region.words
    )
