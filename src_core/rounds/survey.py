"""Every training image looked at: by its looks alone, and by a model version.

Kept on shelves in the project's cache, one for the looks and one for each version.
Both go on where they were stopped, a open image and a finished one in turn, each in an
order by chance: whatever has been looked at so far is a fair sample of the rest, and
holds images to choose from as well as those to hold them against.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.acquire.looks import WAY, look, squeeze
from src_core.errors import StoreError
from src_core.imaging.turn import Turn
from src_core.rounds.shelf import Shelf
from src_core.rounds.tally import merged, moved, only
from src_core.rounds.validation import effective_split, held_out_groups
from src_core.store.truth import truths
from src_core.types import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from numpy.typing import NDArray

    from src_core.checkpoints import ModelCard
    from src_core.predict import Predictor
    from src_core.store import Project
    from src_core.types import Image

    Row = dict[str, NDArray[Any]]
    GiveUp = Callable[[], bool]

WIDTH: Final = 64
"""Numbers that an image's features are squeezed to."""

VIEWS: Final = 8
"""Views asked at once."""

PART: Final = 512
SOON, SECONDS = 2.0, 15.0
"""A part is written after so many images or so long: what a killed worker loses. The
first ones sooner, as somebody may be waiting for them."""

KEPT: Final = 2
"""Versions whose surveys stay in the cache, the newest."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to go, and whom to tell.

    Attributes
    ----------
    images : int, optional
        At most so many.
    seconds : float, optional
        No image is begun after so long, and a volume half asked about is given up
        unless it is the first: whoever waits gets on by one image at least.
    should_stop : callable
        Asked before each image, and between the slices or tiles of a large one, which
        is then given up.
    progress : callable
        Called with the images known, and all of them.
    """

    images: int | None = None
    seconds: float | None = None
    should_stop: Callable[[], bool] = lambda: False
    progress: Callable[[int, int], None] = lambda done, total: None

    def reached(self, done: int, seconds: float) -> bool:
        """Whether to stop before the next image, after so many and so long."""
        enough = self.images is not None and done >= self.images
        return self.is_late(seconds) or enough or self.should_stop()

    def is_late(self, seconds: float) -> bool:
        """Whether the time is over, after so long."""
        return self.seconds is not None and seconds >= self.seconds


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a project has been looked at.

    Attributes
    ----------
    done, total : int
        Images known, and all that are to be.
    failed : int
        Of those tried this time, how many could not be read.
    """

    done: int
    total: int
    failed: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is left."""
        return self.done >= self.total


def looks_shelf(project: Project) -> Shelf:
    """Where the looks are kept."""
    return Shelf(project.cache_dir / f"looks-{WAY}", "looks")


def survey_shelf(project: Project, card: ModelCard) -> Shelf:
    """Where the survey of a model version is kept."""
    targets = ",".join(surveyed_targets(project, card))
    folder = project.cache_dir / "survey" / card.version
    return Shelf(folder, f"{card.version} of {card.created} for {targets}")


def surveyed_targets(project: Project, card: ModelCard) -> list[str]:
    """Ids of the targets that a version is asked for: those that it has learned."""
    known = {target.id for target in project.targets()}
    return sorted(known.intersection(card.targets))


def training_images(project: Project) -> list[Image]:
    """List the images that may be labelled to be learned from."""
    held_out = held_out_groups(project)
    return [
        image
        for image in project.images()
        if effective_split(image, held_out) is Split.TRAIN
    ]


def take_in_looks(project: Project, limits: Limits | None = None) -> Coverage:
    """Describe the pictures that have not been described; goes on where it stopped.

    Pictures of every split, so that one that is in two of them can be pointed out.
    """

    def told(images: Iterator[Image], _: GiveUp) -> Iterator[tuple[str, Row]]:
        for image in images:
            with suppress(StoreError):  # a broken image must not hide the others
                pixels = _middle_slice(project, image)
                seen = look(pixels, image.axes.replace("z", ""))
                row = {
                    "features": seen.features.astype(np.float16),
                    "thumbnail": seen.thumbnail.astype(np.float16),
                }
                yield image.id, row

    images = project.images()
    return _fill(project, looks_shelf(project), images, told, limits or Limits())


def take_survey(
    project: Project, predictor: Predictor, limits: Limits | None = None
) -> Coverage:
    """Ask a model about the images it was not asked about; goes on where it stopped.

    Parameters
    ----------
    project : Project
        Only read; the rows go into its cache.
    predictor : Predictor
        The version.
    limits : Limits, optional
        How far to go; to the end if not given.
    """
    card = predictor.card
    targets = [project.target(name) for name in surveyed_targets(project, card)]
    prompts = [target.wordings[0] for target in targets]
    if not targets:
        return Coverage(0, 0)
    _forget_older(project, card)

    def told(images: Iterator[Image], give_up: GiveUp) -> Iterator[tuple[str, Row]]:
        return ask_about(project, predictor, prompts, images, give_up)

    images, shelf = training_images(project), survey_shelf(project, card)
    return _fill(project, shelf, images, told, limits or Limits())


def ask_about(
    project: Project,
    predictor: Predictor,
    prompts: Sequence[str],
    images: Iterator[Image],
    give_up: GiveUp = lambda: False,
) -> Iterator[tuple[str, Row]]:
    """Yield each image's tally and features, in the order of the images.

    Views of several images are asked together, and the slices or tiles of a large one
    in several goes; between two of them `give_up` may end all of it.
    """
    # torch comes in here and not at the top: looks are taken in without it.
    import torch

    from src_core.rounds.opinion import Asker
    from src_core.rounds.tallying import tally
    from src_core.rounds.views import views_of

    asker = Asker(predictor, list(prompts))
    open_images: OrderedDict[str, list[Row]] = OrderedDict()
    known: dict[str, Image] = {}
    waiting: list[tuple[str, Any, Any, Any]] = []

    def ask() -> None:
        names, spots, asked, views = zip(*waiting, strict=True)
        waiting.clear()
        opinions = asker.ask(torch.cat(views))
        rows = tally(opinions, list(spots))
        features = opinions.features
        for n, name in enumerate(names):
            told = np.zeros(0, np.float32) if features is None else features[n].numpy()
            row: dict[str, Any] = {
                "tally": only(rows[n], asked[n]),
                "features": told,
                "voices": int(opinions.voices),
            }
            open_images[name].append(row)

    def finished(under_way: str = "") -> Iterator[tuple[str, Row]]:
        """Yield the images at the front of which no view waits or is still to come."""
        pending = {under_way, *(name for name, *_ in waiting)}
        while open_images and next(iter(open_images)) not in pending:
            name, rows = open_images.popitem(last=False)
            yield name, _whole(rows, predictor, known.pop(name))

    for image in images:
        open_images[image.id], known[image.id] = [], image
        try:
            for spot, asked, view in views_of(project, predictor, image, prompts):
                waiting.append((image.id, spot, asked, view))
                if len(waiting) == VIEWS:
                    ask()
                    yield from finished(under_way=image.id)
                    if give_up():
                        return
        except StoreError:  # a broken image must not hide the others
            waiting[:] = [item for item in waiting if item[0] != image.id]
            del open_images[image.id], known[image.id]
        yield from finished()
    if waiting:
        ask()
    yield from finished()


def _whole(rows: list[Row], predictor: Predictor, image: Image) -> Row:
    from src_core.rounds.views import as_on_screen

    turn = Turn.of(image) if predictor.frame.standing else Turn("", "")
    tally = merged(np.stack([row["tally"] for row in rows]))
    features = np.mean([row["features"] for row in rows], axis=0, keepdims=True)
    if features.shape[1] > WIDTH:
        features = squeeze(features.astype(np.float32), WIDTH)
    return {
        "tally": moved(tally, partial(as_on_screen, turn, image)),
        "features": features[0].astype(np.float16),
        "voices": np.uint8(rows[0]["voices"]),
    }


def _in_turn(images: list[Image], labelled: Container[str]) -> list[Image]:
    """Order images: those to train with first, an open and a finished one in turn."""
    by_chance = sorted(images, key=lambda image: _shuffled(image.id))
    place = {True: count(), False: count()}
    turn = {image.id: next(place[image.id in labelled]) for image in by_chance}
    return sorted(
        by_chance,
        key=lambda image: (
            image.split is not Split.TRAIN,
            turn[image.id],
            image.id in labelled,
        ),
    )


def _fill(
    project: Project,
    shelf: Shelf,
    everything: list[Image],
    told: Callable[[Iterator[Image], GiveUp], Iterator[tuple[str, Row]]],
    limits: Limits,
) -> Coverage:
    """Add what is missing to a shelf, part by part."""
    known = shelf.ids()
    missing = _in_turn(
        [image for image in everything if image.id not in known], truths(project)
    )
    there = len(everything) - len(missing)
    done, tried, held = 0, 0, dict[str, "Row"]()
    given_up = False
    started = flushed = time.monotonic()

    def until_stopped() -> Iterator[Image]:
        nonlocal tried
        for image in missing:
            if limits.reached(tried, time.monotonic() - started):
                return
            tried += 1
            yield image

    def give_up() -> bool:
        nonlocal given_up
        late = done > 0 and limits.is_late(time.monotonic() - started)
        given_up = given_up or late or limits.should_stop()
        return given_up

    def flush() -> None:
        names = next(iter(held.values())).keys()
        shelf.add(
            list(held),
            {name: np.stack([row[name] for row in held.values()]) for name in names},
        )
        held.clear()

    try:
        for name, row in told(until_stopped(), give_up):
            held[name] = row
            done += 1
            limits.progress(there + done, len(everything))
            now = time.monotonic()
            due = min(SECONDS, max(SOON, (now - started) / 2))
            if len(held) >= PART or now - flushed >= due:
                flush()
                flushed = now
    finally:
        if held:
            flush()
    if tried and tried == len(missing) and not given_up:
        shelf.compact()
    # What was given up half asked about has not failed.
    failed = 0 if given_up else tried - done
    return Coverage(there + done, len(everything), failed)


def _middle_slice(project: Project, image: Image) -> NDArray[np.generic]:
    pixels = project.pixels(image)
    if "z" not in image.axes:
        return np.asarray(pixels[...])
    depth = image.axes.index("z")
    where: list[slice | int] = [slice(None)] * len(image.shape)
    where[depth] = image.shape[depth] // 2
    return np.asarray(pixels[tuple(where)])


def _shuffled(identifier: str) -> bytes:
    return hashlib.blake2b(identifier.encode(), digest_size=8).digest()


def _forget_older(project: Project, card: ModelCard) -> None:
    """Drop the surveys of versions that nobody will ask for again."""
    from src_core.checkpoints import version_number

    home = project.cache_dir / "survey"
    if not home.is_dir():
        return
    folders = sorted(home.iterdir(), key=lambda path: version_number(path.name))
    for folder in folders[:-KEPT]:
        if folder.name != card.version:
            shutil.rmtree(folder, ignore_errors=True)
