"""A project's training images as the arrays that a choice is made from.

What is slow to make (who resembles whom, how typical each is) is made once for a state
of the shelves and kept beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.acquire import ALONE, Gallery
from src_core.acquire.hybrid import OPINIONS, mean_rank
from src_core.rounds.derived import look_alikes_of, numbers_for, typicality_of
from src_core.rounds.kinds import kinds_of
from src_core.rounds.shelf import Rows
from src_core.rounds.survey import looks_shelf, survey_shelf, surveyed_targets
from src_core.rounds.tally import Voices, scores, traits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from src_core.checkpoints import ModelCard
    from src_core.rounds.kinds import Kind
    from src_core.store import Project
    from src_core.types import Image

    Floats = NDArray[np.float32]
    Integers = NDArray[np.int64]

VOICES: Final = {
    Voices.NONE: "",
    Voices.DECODERS: "the two decoders",
    Voices.DROPOUT: "parts of the network",
}
_LAST_NUMBER: Final = re.compile(r"(?s:(.*\D|))(\d+)(\D*)")


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """The images that may be picked, and what is known of them.

    Attributes
    ----------
    gallery : Gallery
        M images.
    row : dict
        Image id to row.
    kinds : list of (str, int)
        The kinds of image that there are.
    kind : ndarray
        (M,) number of each image's kind.
    scores : mapping
        (M, T) each, over the project's targets; NaN where a model said nothing.
        Empty without a survey.
    traits : ndarray or None
        (M, T, 2) what a correction's time may depend on.
    voices : str
        Whose opinions ``bald`` compares.
    """

    gallery: Gallery
    row: dict[str, int]
    kinds: list[Kind]
    kind: Integers
    scores: Mapping[str, Floats]
    traits: Floats | None
    voices: str


@dataclass(frozen=True, slots=True, eq=False)
class Shelves:
    """What is kept of a project: its looks, and a version's survey.

    Attributes
    ----------
    looks : Rows
    survey : Rows
        Empty before there is a model.
    asked : list of str
        Ids of the targets that the survey is about.
    stamp : tuple of str
        Of both.
    alike : Rows
        Sets of look-alikes.
    home : Path
        Where what is derived from them is kept.
    """

    looks: Rows
    survey: Rows
    asked: list[str]
    stamp: tuple[str, ...]
    alike: Rows
    home: Path

    @property
    def rows(self) -> Rows:
        """What images are likened by: the survey, or the looks where it is silent."""
        features = self.survey.arrays.get("features")
        speaks = features is not None and features.shape[1] > 0
        return self.survey if speaks else self.looks


def stamp_of(project: Project, card: ModelCard | None) -> tuple[str, ...]:
    """Return what changes whenever more has been looked at."""
    stamp = looks_shelf(project).stamp()
    return stamp if card is None else (*stamp, *survey_shelf(project, card).stamp())


def read_shelves(project: Project, card: ModelCard | None) -> Shelves:
    """Read what is kept; all of it is empty in a new project."""
    stamp = stamp_of(project, card)
    survey, asked = Rows([], {}), list[str]()
    if card is not None:
        survey, asked = (
            survey_shelf(project, card).read(),
            surveyed_targets(project, card),
        )
    looks, home = looks_shelf(project), project.cache_dir / "derived"
    return Shelves(
        looks.read(only=("features",)),
        survey,
        asked,
        stamp,
        look_alikes_of(looks, home),
        home,
    )


def everything(images: Sequence[Image]) -> Stock:
    """Return every image as one that nothing is known of: enough to draw by chance."""
    count = len(images)
    gallery = _gallery(
        images,
        np.arange(count),
        np.zeros((count, 1), np.float32),
        np.ones(count, np.float32),
    )
    return Stock(gallery, _row_of(images), *kinds_of(images), {}, None, "")


def looked_at(
    images: Sequence[Image], targets: Sequence[str], shelves: Shelves
) -> Stock:
    """Return the images that have been looked at, with all that is known of them.

    Parameters
    ----------
    images : sequence of Image
        The training images.
    targets : sequence of str
        Ids of the project's targets, in order.
    shelves : Shelves
        As :func:`read_shelves` returns them.
    """
    rows, survey = shelves.rows, shelves.survey
    at = {identifier: row for row, identifier in enumerate(rows.ids)}
    if len(survey) and rows is not survey:
        asked = set(survey.ids)
        at = {identifier: row for identifier, row in at.items() if identifier in asked}
    known = [image for image in images if image.id in at]
    if not known:
        return everything([])
    features = rows.arrays["features"].astype(np.float32)
    twin = numbers_for(rows.ids, shelves.alike)
    typical = typicality_of(rows, features, twin, shelves.stamp, shelves.home)
    taken = np.array([at[image.id] for image in known], np.int64)
    gallery = _gallery(known, twin[taken], features[taken], typical[taken])
    row, (kinds, kind) = _row_of(known), kinds_of(known)
    if not len(survey):
        return Stock(gallery, row, kinds, kind, {}, None, "")
    place = {identifier: number for number, identifier in enumerate(survey.ids)}
    taken = np.array([place[image.id] for image in known], np.int64)
    tallies = survey.arrays["tally"][taken]  # (M, K, columns)
    column = [targets.index(target) for target in shelves.asked]
    told = {
        name: _spread(score, column, len(targets))
        for name, score in scores(tallies).items()
    }
    # What stood beside a target was counted among the targets that were asked for.
    beside = told["hot_beside"]
    known_beside = np.isfinite(beside) & (beside >= 0)
    beside[known_beside] = np.array(column)[beside[known_beside].astype(int)]
    # Of all images and once: a pick among 100,000 must not sort them again.
    told["unsure"] = np.stack(
        [
            mean_rank({name: told[name][:, t] for name in OPINIONS})
            for t in range(len(targets))
        ],
        axis=1,
    )
    voices = Voices(int(survey.arrays["voices"].max()))
    return Stock(
        gallery,
        row,
        kinds,
        kind,
        told,
        np.stack(
            [
                _spread(t, column, len(targets))
                for t in np.moveaxis(traits(tallies), -1, 0)
            ],
            axis=-1,
        ),
        VOICES[voices],
    )


def series_of(names: Sequence[str], groups: Integers) -> tuple[Integers, Integers]:
    """Find the stacks of slices among 2-D images, by their names.

    Images of one patient whose names differ in their last number alone are slices of
    one stack, and that number is their place in it.

    Parameters
    ----------
    names : sequence of str
        (M,).
    groups : ndarray
        (M,).

    Returns
    -------
    (ndarray, ndarray)
        (M,) number of the stack, `ALONE` for none; (M,) place in it.
    """
    stacks: dict[tuple[int, str, str], int] = {}
    series = np.full(len(names), ALONE, np.int64)
    place = np.zeros(len(names), np.int64)
    for row, (name, group) in enumerate(zip(names, groups.tolist(), strict=True)):
        found = _LAST_NUMBER.fullmatch(name)
        # Not a hash: a number of so many digits counts nothing.
        if found and len(found[2]) <= 9:
            key = (group, found[1], found[3])
            series[row] = stacks.setdefault(key, len(stacks))
            place[row] = int(found[2])
    return series, place


def _gallery(
    images: Sequence[Image], twin: Integers, features: Floats, typical: Floats
) -> Gallery:
    numbers: dict[str, int] = {}
    group = np.array(
        [numbers.setdefault(i.group or f"/{i.id}", len(numbers)) for i in images],
        np.int64,
    )
    names = [image.name for image in images]
    series, place = series_of(names, group)
    return Gallery(
        [image.id for image in images],
        names,
        group,
        series,
        place,
        twin,
        features,
        typical,
    )


def _spread(values: Floats, column: list[int], width: int) -> Floats:
    """(M, K) -> (M, T), NaN for the targets that were not asked for."""
    wide = np.full((len(values), width), np.nan, np.float32)
    wide[:, column] = values
    return wide


def _row_of(images: Sequence[Image]) -> dict[str, int]:
    return {image.id: row for row, image in enumerate(images)}
