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
from typing import TYPE_CHECKING

from src_core.store.truth import truths
from src_core.types import MaskStatus, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from src_core.store import Project
    from src_core.types import Image

    Groups = dict[str, list[Image]]

DOCUMENT = "documents/validation.json"
SHARE, FEWEST = 0.2, 4
ENOUGH = 300
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

    Nobody does while fewer than `FEWEST` groups are labelled: each of so few is worth
    more as a teacher than as an examiner. From then on a fifth of them does. Besides,
    patients join who were told since of images that were held out alone.

    Parameters
    ----------
    project : Project
        Open for writing; what is labelled now teaches or examines from now on.
    who : str
        Goes into the ledger with the choice.
    """
    before = project.document(DOCUMENT) or {"groups": []}
    held, taught = frozenset(before["groups"]), before.get("taught")
    imported = bool(truths(project, Split.VAL))
    if not held and imported:
        return held
    groups = _labelled(project)
    if not held:
        if len(groups) < FEWEST:
            return held
        shows = _showing(project, groups)
        now = frozenset(_divided(_by_hash(shows), shows))
    else:
        now = _with_patients(project, groups, held)
        # A choice of before this was written down: any of them may have taught.
        known = groups if taught is None else taught
        if not imported and len(now) < ENOUGH:
            now |= _joining(groups, now, frozenset(known))
    teach = sorted(frozenset(taught or ()).union(groups) - now)
    content = {"groups": sorted(now), "taught": teach}
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


def _joining(
    groups: Groups, held: frozenset[str], taught: frozenset[str]
) -> frozenset[str]:
    """Return who examines from now on, of those that were labelled since.

    As many as are missing to `SHARE`; but of all that are labelled only every second,
    by its hash, can: no round must find that nothing new may teach it.
    """
    examine = [name for name in groups if not held.isdisjoint(_names(groups, name))]
    fresh = [
        name
        for name in groups
        if (held | taught).isdisjoint(_names(groups, name)) and _hash(name)[-1] % 2
    ]
    missing = min(ENOUGH, round(SHARE * len(groups))) - len(examine)
    return frozenset(_by_hash(fresh)[: max(0, missing)])


def _names(groups: Groups, name: str) -> set[str]:
    """What a group was known by, before its patient was told, too."""
    return {name, *(image.id for image in groups[name])}


def _by_hash(names: Iterable[str]) -> list[str]:
    """So that no order of import or of labelling decides who examines."""
    return sorted(names, key=_hash)


def _hash(name: str) -> bytes:
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


def _divided(order: list[str], shows: Mapping[str, bool]) -> list[str]:
    """Take the first `SHARE`, so that something is shown on both sides if it can be.

    Where no target is there at all, a model that finds nothing is perfect; and nothing
    else is learned from such images.
    """
    count = max(1, min(ENOUGH, round(SHARE * len(order))))
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
