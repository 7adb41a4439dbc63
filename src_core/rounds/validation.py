"""The frozen validation set: chosen once a project, by group, never trained on.

Images imported as ``val`` are the validation set. Where there are none, some labelled
groups are held out the first time that it is possible, and the choice is written into
the ledger; it is never drawn again, so that all versions are compared on one ground.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from src_core.store.truth import truths
from src_core.types import MaskStatus, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from src_core.store import Project
    from src_core.types import Image

DOCUMENT = "documents/validation.json"
SHARE, FEWEST = 0.2, 4


def held_out_groups(project: Project) -> frozenset[str]:
    """Return the groups held out of training; empty where ``val`` images serve.

    An image without a group is one of its own, by its identifier.
    """
    document = project.document(DOCUMENT)
    return frozenset(document["groups"]) if document else frozenset()


def effective_split(image: Image, held_out: frozenset[str]) -> Split:
    """Return the image's split, validation for the groups that were held out."""
    # By its identifier also once somebody has told its group: it was held out alone.
    if image.split is Split.TRAIN and not held_out.isdisjoint((image.group, image.id)):
        return Split.VAL
    return image.split


def ensure_validation(project: Project, who: str) -> frozenset[str]:
    """Choose the held-out groups if that is due, and return them.

    Nothing is chosen while fewer than `FEWEST` groups are labelled: each of so few is
    worth more as a teacher than as an examiner. Once chosen, it only grows: by the
    patients told since of images that were held out alone.

    Parameters
    ----------
    project : Project
        Open for writing.
    who : str
        Goes into the ledger with the choice.
    """
    chosen = held_out_groups(project)
    if chosen:
        return _with_patients(project, chosen, who)
    if truths(project, Split.VAL):
        return chosen
    labelled = truths(project, Split.TRAIN)
    shows: dict[str, bool] = {}
    for image in project.images():
        if image.id in labelled:
            group = image.group or image.id
            shows[group] = shows.get(group, False) or _shows(
                project, image, labelled[image.id]
            )
    if len(shows) < FEWEST:
        return frozenset()
    # By hash: no order of import or of labelling decides who examines.
    order = sorted(shows, key=lambda group: hashlib.sha256(group.encode()).digest())
    return _hold_out(project, _divided(order, shows), who)


def _hold_out(project: Project, groups: Iterable[str], who: str) -> frozenset[str]:
    content = json.dumps({"groups": sorted(groups)}).encode()
    project.record("hold out", {DOCUMENT: content}, who=who)
    return frozenset(groups)


def _with_patients(
    project: Project, chosen: frozenset[str], who: str
) -> frozenset[str]:
    """Hold the patients of images out that were held out before anybody told them.

    Else a model would learn from the patient by whom it is judged. Where nobody would
    be left to teach, the images stay held out alone.
    """
    alone = map(project.find_image, chosen)
    wider = chosen.union(image.group for image in alone if image and image.group)
    labelled = map(project.image, truths(project, Split.TRAIN))
    if wider == chosen or all(
        effective_split(image, wider) is Split.VAL for image in labelled
    ):
        return chosen
    return _hold_out(project, wider, who)


def _divided(order: list[str], shows: Mapping[str, bool]) -> list[str]:
    """Take the first `SHARE`, so that something is shown on both sides if it can be.

    Where no target is there at all, a model that finds nothing is perfect; and nothing
    else is learned from such images.
    """
    count = max(1, round(SHARE * len(order)))
    picked, rest = order[:count], order[count:]
    examine = [group for group in picked if shows[group]]
    teach = [group for group in rest if shows[group]]
    if len(teach) > 1 and not examine:
        picked[-1] = teach[0]
    elif examine and not teach:
        picked[picked.index(examine[-1])] = rest[0]
    return picked


def _shows(project: Project, image: Image, targets: Iterable[str]) -> bool:
    """Whether any of the targets is there."""
    masks = (project.mask(image.id, target) for target in targets)
    return any(mask is not None and mask.status is MaskStatus.DONE for mask in masks)
