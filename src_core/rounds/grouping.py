"""Before any label: pictures grouped by look, and those that are nearly the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.acquire.likeness import clusters, typicality
from src_core.rounds.derived import look_alikes_of
from src_core.rounds.survey import looks_shelf

if TYPE_CHECKING:
    from src_core.store import Project
    from src_core.types import Image

MOST: Final = 12


@dataclass(frozen=True, slots=True)
class LookGroup:
    """Images that look alike, the most typical first.

    Attributes
    ----------
    images : tuple of str
        Ids.
    """

    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Images that are nearly the same.

    Attributes
    ----------
    images : tuple of str
        Ids.
    across_groups : bool
        Whether they are said to be of different patients: the same picture twice, or
        one patient under two names.
    across_splits : bool
        Whether one is learned from and another tested on.
    """

    images: tuple[str, ...]
    across_groups: bool
    across_splits: bool


def groups_by_look(project: Project, count: int = 0, seed: int = 0) -> list[LookGroup]:
    """Divide the images that were looked at into groups, the largest first.

    Parameters
    ----------
    project : Project
        With looks taken in (:func:`src_core.rounds.survey.take_in_looks`).
    count : int
        So many groups; 0 lets the number of images decide, at most `MOST`.
    seed : int
        Of the grouping.
    """
    rows = looks_shelf(project).read(only=("features",))
    if not len(rows):
        return []
    features = rows.arrays["features"].astype(np.float32)
    rng = np.random.default_rng(seed)
    wanted = count or min(MOST, max(1, round(np.sqrt(len(rows) / 2))))
    cluster, typical = clusters(features, wanted, rng), typicality(features, rng)
    found = []
    for number in np.unique(cluster):
        mine = np.flatnonzero(cluster == number)
        mine = mine[np.argsort(-typical[mine], kind="stable")]
        found.append(LookGroup(tuple(rows.ids[row] for row in mine)))
    return sorted(found, key=lambda group: -len(group.images))


def look_alikes(project: Project, *, wait: bool = True) -> list[LookAlikes]:
    """List the images that are nearly the same, the suspicious ones first.

    Slices of one volume that lie side by side are nearly the same by nature; what is
    said to be of two patients, or stands in two splits, comes first.

    Parameters
    ----------
    project : Project
        With looks taken in.
    wait : bool
        Compare however many pictures there are; else, of many, what the worker has
        found serves.
    """
    rows = look_alikes_of(
        looks_shelf(project), project.cache_dir / "derived", wait=wait
    )
    if not len(rows):
        return []
    twin = rows.arrays["twin"]
    order = np.argsort(twin, kind="stable")
    starts = np.flatnonzero(np.diff(twin[order], prepend=-1))
    sets = [part for part in np.split(order, starts[1:]) if len(part) > 1]
    known = {image.id: image for image in project.images()}
    found = [
        _alike([known[rows.ids[row]] for row in part if rows.ids[row] in known])
        for part in sets
    ]
    return sorted(
        (alike for alike in found if len(alike.images) > 1),
        key=lambda alike: (not alike.across_splits, not alike.across_groups),
    )


def _alike(images: list[Image]) -> LookAlikes:
    groups = {image.group or image.id for image in images}
    splits = {image.split for image in images}
    return LookAlikes(
        tuple(image.id for image in images), len(groups) > 1, len(splits) > 1
    )
