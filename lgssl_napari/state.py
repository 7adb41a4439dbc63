"""What the panel shows, as frozen values: each change makes a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from lgssl_napari.results import Answer, JobState, Judgement
from src_core.types import Image, MaskStatus, Revision, Split, Target

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lgssl_napari.guide import Guide, Named

Statuses = Mapping[tuple[str, str], MaskStatus]  # (image, target) -> status


class Level(StrEnum):
    """How much a message matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Choice:
    """Something a person may press, and what it does."""

    label: str
    act: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence for the person, with the next sensible thing to press."""

    level: Level
    text: str
    remedy: Choice | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Something only the person can decide; nothing happens until a choice is made.

    Attributes
    ----------
    text : str
    choices : tuple of Choice
    about_mask : bool
        Whether it is about the mask at hand, and falls when another is shown.
    """

    text: str
    choices: tuple[Choice, ...]
    about_mask: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels on their way to the canvas.

    Attributes
    ----------
    image : Image
        Name, axes and spacing.
    pixels : ndarray
        With the axes ``image.axes``.
    window : str
        The preset that CT is shown in; ``""`` for the usual one.
    """

    image: Image
    pixels: NDArray[np.generic]
    window: str = ""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One line of the list of images."""

    id: str
    name: str
    split: Split
    finished: int = 0
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One model version.

    Attributes
    ----------
    version, parent : str
        Its name; the version it went on from, or ``""``.
    created : str
        UTC, ISO 8601.
    method : str
    labelled, unlabelled : int
        Images it learned from, with and without truth.
    dice : float or None
        Mean over targets on the validation images; None where there are none.
    per_target : tuple of (str, float)
        Target id and Dice.
    answers : bool
        Whether this is the version that is asked.
    """

    version: str
    parent: str
    created: str
    method: str
    labelled: int
    unlabelled: int
    dice: float | None
    per_target: tuple[tuple[str, float], ...]
    answers: bool


@dataclass(frozen=True, slots=True)
class ProjectState:
    """The open project.

    Attributes
    ----------
    path, name, read_only
        Of the project.
    images : tuple of ImageRow
        The list, or its first page.
    targets : tuple of Target
    statuses : mapping
        (image, target) to how far the mask is.
    versions : tuple of VersionRow
        Newest first.
    count : int
        Of all images.
    first : str
        Id of the first training image that nobody has finished, or ``""``.
    """

    path: Path
    name: str
    read_only: bool = False
    images: tuple[ImageRow, ...] = ()
    targets: tuple[Target, ...] = ()
    statuses: Statuses = field(default_factory=lambda: MappingProxyType({}))
    versions: tuple[VersionRow, ...] = ()
    count: int = 0
    first: str = ""

    @property
    def listed(self) -> bool:
        """Whether `images` is the whole list, and not its first page."""
        return len(self.images) >= self.count

    @property
    def version(self) -> str | None:
        """The model version that answers, None before the first."""
        return next((row.version for row in self.versions if row.answers), None)

    def target_named(self, words: str) -> Target | None:
        """Return the target that has this wording, whatever the case."""
        wanted = plain(words)
        for target in self.targets:
            if any(plain(wording) == wanted for wording in target.wordings):
                return target
        return None

    @property
    def counts(self) -> tuple[int, int]:
        """Training images with any finished mask, and with none.

        Until all are listed, those that are not yet count as training images.
        """
        train = [row for row in self.images if row.split is Split.TRAIN]
        labelled = sum(row.finished > 0 for row in train)
        if self.listed:
            return labelled, len(train) - labelled
        listed = {row.id for row in self.images}
        truths = [status for status in MaskStatus if status.is_truth]
        finished = {image for (image, _), s in self.statuses.items() if s in truths}
        labelled += len(finished - listed)
        return labelled, len(train) + self.count - len(listed) - labelled


@dataclass(frozen=True, slots=True)
class Scribbling:
    """How strokes are drawn, and what is made of them.

    Attributes
    ----------
    kind : int
        What a stroke says now: ``INSIDE``, ``OUTSIDE``, or 0 for none.
    method : str
        A row of :data:`lgssl_napari.refine.REFINERS`.
    whole : bool
        Over the whole volume, not the visible slice alone.
    at_each_stroke : bool
        Whether each stroke refines at once.
    """

    kind: int = 0
    method: str = "walker"
    whole: bool = False
    at_each_stroke: bool = True


@dataclass(frozen=True, slots=True)
class WorkState:
    """The image and the target at hand.

    Attributes
    ----------
    image : Image or None
    position : int
        Of the image in the list, from 0; -1 where there is none.
    target : Target or None
        Whose mask the annotation layer holds.
    status : MaskStatus
        Of the mask as it is saved.
    reviewer : str
        Who signed it off, or ``""``.
    revision : int or None
        The one that was loaded: what a save gives as its parent.
    dirty : bool
        Whether something on the canvas is not saved.
    reason : str
        Why this image, or ``""``.
    history : tuple of Revision
        Of this image, newest first.
    looking_at : int or None
        The revision shown in the preview.
    scribbling : Scribbling
        How the mask is refined.
    where : str
        Where to look, in words, while that is shown; else ``""``.
    """

    image: Image | None = None
    position: int = -1
    target: Target | None = None
    status: MaskStatus = MaskStatus.UNLABELLED
    reviewer: str = ""
    revision: int | None = None
    dirty: bool = False
    reason: str = ""
    history: tuple[Revision, ...] = ()
    looking_at: int | None = None
    scribbling: Scribbling = field(default_factory=Scribbling)
    where: str = ""


@dataclass(frozen=True, slots=True)
class PanelState:
    """All that the panel shows.

    Attributes
    ----------
    project, work, answer, job
        Described there.
    question, message
        What the strip says.
    busy : str
        What is under way, or ``""``.
    stop : Choice or None
        Gives up what is under way, where that can be.
    recent : tuple of Path
        Projects opened last.
    neighbours : bool
        Whether the other targets' masks are shown.
    judgement : Judgement or None
        What a version changed.
    comparing : str
        What is shown side by side, or ``""``.
    guide : Guide or None
        The learning curve, and what stands out in the pool.
    doubted : tuple of Named or None
        Finished masks that the model doubts; None before it was asked.
    looking : str
        How far the pool has been looked at, while that goes on.
    tour : int
        The step of the tour that is shown, from 1; 0 for none.
    who : str
        The author of what is saved.
    """

    project: ProjectState | None = None
    work: WorkState = field(default_factory=WorkState)
    answer: Answer | None = None
    job: JobState = field(default_factory=JobState)
    question: Question | None = None
    message: Message | None = None
    busy: str = ""
    stop: Choice | None = None
    recent: tuple[Path, ...] = ()
    neighbours: bool = False
    judgement: Judgement | None = None
    comparing: str = ""
    guide: Guide | None = None
    doubted: tuple[Named, ...] | None = None
    looking: str = ""
    tour: int = 0
    who: str = ""


def plain(words: str) -> str:
    """Return a wording without what does not matter: case and spaces."""
    return " ".join(words.split()).casefold()
