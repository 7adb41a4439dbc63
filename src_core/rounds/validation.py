"""The validation set: by group, never trained on; it grows with the labels.

Images imported as ``val`` are the validation set. Where there are none, some labelled
groups are held out the first time that it is possible. Who examines does so for good,
and so does who has taught: of those labelled since, a fifth joins the examiners before
it has taught anything. The choice is written into the ledger. Both versions of a
comparison are asked anew, so that they stand on one ground.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from src_core.rounds.promotion import promoted
from src_core.store.truth import truths
from src_core.types import MaskStatus, Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from src_core.store import Project
    from src_core.types import Image

    Groups = dict[str, list[Image]]

DOCUMENT = "documents/validation.json"
SHARE: Final = 0.2
FEWEST, PICTURES = 4, 8
"""Labelled groups, and pictures or slices of them, from which some examine."""

ENOUGH: Final = 300
"""Examiners from which no more join: they tell the mean Dice to a point, and each
label is worth more as a teacher."""


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
    """Decide who examines in the round that is about to begin, and return them.

    Nobody does while few are labelled: each of so few is worth more as a teacher than
    as an examiner. From then on a fifth of them does. Besides, patients join who were
    told since of images that were held out alone.

    Parameters
    ----------
    project : Project
        Open for writing; what is labelled now teaches or examines from now on.
    who : str
        Goes into the ledger with the choice.
    """
    before = project.document(DOCUMENT) or {"groups": []}
    held, imported = frozenset(before["groups"]), bool(truths(project, Split.VAL))
    if not held and imported:
        return held
    groups = _labelled(project)
    # Where nobody wrote down who taught the version that answers, all may have.
    unknown = groups if promoted(project) else ()
    taught = frozenset(before.get("taught", unknown))
    now = _with_patients(project, groups, held)
    if not imported and len(now) < ENOUGH and _suffice(groups):
        now |= _joining(project, groups, now, taught)
    content = {"groups": sorted(now), "taught": sorted(taught.union(groups) - now)}
    if now != held or (content != before and len(now) < ENOUGH):
        what = "hold out" if now != held else "teach"
        project.record(what, {DOCUMENT: json.dumps(content).encode()}, who=who)
    return now


def _labelled(project: Project) -> Groups:
    """Return the groups with a finished mask, and in each the images that have one."""
    finished = truths(project, Split.TRAIN)
    groups: Groups = {}
    for image in project.images(Split.TRAIN):
        if image.id in finished:
            groups.setdefault(image.group or image.id, []).append(image)
    return groups


def _suffice(groups: Groups) -> bool:
    """Whether some of them can be spared."""
    shapes = [
        image.spatial_shape if "z" in image.axes else (1,)
        for images in groups.values()
        for image in images
    ]
    return len(groups) >= FEWEST and sum(shape[0] for shape in shapes) >= PICTURES


def _joining(
    project: Project, groups: Groups, held: frozenset[str], taught: frozenset[str]
) -> frozenset[str]:
    """Return who examines from now on, of those that have not taught.

    As many as are missing to `SHARE`. Once there was a round, of all that are labelled
    only every second, by its hash, can: none must find that nothing new may teach it.
    """
    known = held | taught
    fresh = [name for name in groups if known.isdisjoint(_names(groups, name))]
    examine = [name for name in groups if not held.isdisjoint(_names(groups, name))]
    missing = min(ENOUGH, round(SHARE * len(groups))) - len(examine)
    if known:
        fresh = [name for name in fresh if _hash(name)[-1] % 2]
    shows = _showing(project, groups)
    order = sorted(fresh, key=_hash)
    if not known:
        return frozenset(_divided(order, max(1, missing), shows))
    if not any(shows[name] for name in examine):
        first = next((name for name in order if shows[name]), "")
        order.sort(key=lambda name: name != first)
    return frozenset(order[: max(0, missing)])


def _names(groups: Groups, name: str) -> set[str]:
    """What a group was known by, before its patient was told, too."""
    return {name, *(image.id for image in groups[name])}


def _hash(name: str) -> bytes:
    """No order of import or of labelling decides who examines."""
    return hashlib.sha256(name.encode()).digest()


def _with_patients(
    project: Project, groups: Groups, held: frozenset[str]
) -> frozenset[str]:
    """Hold the patients of images out that were held out before anybody told them.

    Else a model would learn from the patient by whom it is judged. Where nobody would
    be left to teach, the images stay held out alone.
    """
    alone = map(project.find_image, held)
    wider = held.union(image.group for image in alone if image and image.group)
    left = (image for images in groups.values() for image in images)
    if all(effective_split(image, wider) is Split.VAL for image in left):
        return held
    return wider


def _divided(order: list[str], count: int, shows: Mapping[str, bool]) -> list[str]:
    """Take the first so many, and show something on both sides if that can be.

    Where no target is there at all, a model that finds nothing is perfect; and nothing
    else is learned from such images.
    """
    picked, rest = order[:count], order[count:]
    examine = [group for group in picked if shows[group]]
    teach = [group for group in rest if shows[group]]
    if len(teach) > 1 and not examine:
        picked[-1] = teach[0]
    elif examine and not teach:
        picked[picked.index(examine[-1])] = rest[0]
    return picked


def _showing(project: Project, groups: Groups) -> dict[str, bool]:
    """Tell of each group whether any of the targets is there."""
    masks = project.masks(Split.TRAIN)
    shown = {mask.image for mask in masks if mask.status is MaskStatus.DONE}
    return {
        name: any(image.id in shown for image in images)
        for name, images in groups.items()
    }
