"""How an import is to be done, and what it brought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.imaging import Source

Notify = Callable[[int, int], None]


@dataclass(slots=True)
class Intake:
    """What an import brought.

    Attributes
    ----------
    added, known : int
        Images that are new, and images that were there already.
    masks, replaced : int
        Masks that are new, and masks in the place of others.
    failed : list of (str, str)
        File and reason of each that could not be used; the rest is there.
    notes : list of (str, str)
        File and what a person should know of it.
    segmentations : list of Path
        DICOM-SEG files among the pictures: masks, which `import_any` takes in.
    in_time : list of Source
        The first of each series in time of which nobody said what to take.
    """

    added: int = 0
    known: int = 0
    masks: int = 0
    replaced: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    segmentations: list[Path] = field(default_factory=list)
    in_time: list[Source] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is in the project that was not there before."""
        return bool(self.added or self.masks or self.replaced)

    @property
    def sentence(self) -> str:
        """The whole of it for a person."""
        parts = [f"{_counted(self.added, 'image')} added"]
        if self.known:
            were = "was" if self.known == 1 else "were"
            parts.append(f"{self.known} {were} there already")
        if self.masks:
            parts.append(f"{_counted(self.masks, 'mask')} imported")
        if self.replaced:
            parts.append(f"{_counted(self.replaced, 'mask')} replaced")
        if self.failed:
            parts.append(f"{_counted(len(self.failed), 'file')} could not be used")
        return ", ".join(parts) + "."

    def join(self, other: Intake) -> None:
        """Count what another import brought as well."""
        self.added += other.added
        self.known += other.known
        self.masks += other.masks
        self.replaced += other.replaced
        self.failed.extend(other.failed)
        self.notes.extend(other.notes)
        self.segmentations.extend(other.segmentations)
        self.in_time.extend(other.in_time)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """How an import is done.

    Attributes
    ----------
    notify : callable
        Called with images done and images in all.
    should_stop : callable
        Asked between images; what was taken in until then is there, and the next
        import of the same files goes on from there.
    take : str
        What of a series in time (4-D NIfTI, film, cine MR) is wanted: ``"all"``,
        ``"first"``, ``"middle"``, a number from 0, or ``""``: such a series is
        reported as not usable, with the way to say it.
    workers : int or None
        Processes that decode; None: as many as there are cores, where it pays.
    replace : bool
        Whether a mask takes the place of one that somebody has begun, which stays in
        the history; otherwise that one is kept and the file reported.
    """

    notify: Notify = lambda done, total: None
    should_stop: Callable[[], bool] = lambda: False
    take: str = ""
    workers: int | None = None
    replace: bool = False
