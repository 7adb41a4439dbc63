"""Unsaved strokes on the disk, written behind the brush; and a person's time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from lgssl_napari.desk import Desk
    from src_core.store import Project, StrokeJournal


class Stopwatch:
    """A person's time on one mask: pauses count up to a minute each.

    Parameters
    ----------
    now : callable
        Seconds of a clock that never goes back.
    """

    LONGEST_PAUSE = 60.0

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.start()

    def start(self) -> None:
        """Begin at zero."""
        self._last, self._sum = self._now(), 0.0

    def touch(self) -> None:
        """Note that the person did something."""
        now = self._now()
        self._sum += min(now - self._last, self.LONGEST_PAUSE)
        self._last = now

    @property
    def seconds(self) -> float:
        """The time up to now."""
        self.touch()
        return self._sum


class Strokes:
    """Keeps the newest state of the canvas in the journal, one write at a time.

    While one write is under way later strokes only mark that another is due, so a
    slow disk is never more than one write behind and never holds the brush up.

    Parameters
    ----------
    desk : Desk
        Whose project and canvas.
    again : callable
        Called when a write is done while another was due.
    """

    def __init__(self, desk: Desk, again: Callable[[], None]) -> None:
        self._desk, self._again = desk, again
        # Whose strokes are being written: what runs for a project that was closed
        # meanwhile is never heard of again.
        self._writing: Project | None = None
        self._due = False
        self._kept: tuple[Project, str, str] | None = None
        self._journal: StrokeJournal | None = None
        self._of: Project | None = None

    def put_off(self) -> bool:
        """Whether a write is under way; then another is due, and is called for."""
        self._due = self._writing is not None and self._writing is self._desk.project
        return self._due

    def keep(self, drawn: NDArray[np.uint8] | None = None) -> None:
        """Write what the canvas holds now.

        Parameters
        ----------
        drawn : ndarray, optional
            That, where it is known already.
        """
        work, project = self._desk.state.work, self._desk.project
        if project is None or work.image is None or work.target is None:
            return
        if project.read_only:
            return
        if self.put_off():
            return
        self._writing = project
        array = self._desk.canvas.annotation() if drawn is None else drawn
        image, target, parent = work.image.id, work.target.id, work.revision
        self._kept = project, image, target
        self._desk.run(
            lambda: self.journal(project).write(image, target, array, parent),
            lambda _: self._written(),
            failed=self._broke,
        )

    def drop(self) -> None:
        """Forget the strokes of the mask at hand, if any were kept: all is saved."""
        work, project, self._due = self._desk.state.work, self._desk.project, False
        if project is None or work.image is None or work.target is None:
            return
        image, target = work.image.id, work.target.id
        if self._kept == (project, image, target):
            self._kept = None
            self._desk.run(lambda: self.clear(project, image, target), lambda _: None)

    def reset(self) -> None:
        """Forget what is due: another mask is on the canvas."""
        self._due = False

    def journal(self, project: Project) -> StrokeJournal:
        """Return a project's journal; runs where the store is used."""
        from src_core.store import StrokeJournal

        if self._journal is None or self._of is not project:
            self._journal, self._of = StrokeJournal(project), project
        return self._journal

    def clear(self, project: Project, image: str, target: str) -> None:
        """Forget the strokes of one mask; runs where the store is used."""
        if not project.read_only:
            self.journal(project).clear(image, target)

    def read(self, project: Project, image: str, target: str) -> NDArray[np.uint8]:
        """Return a mask with its strokes; runs where the store is used."""
        return self.journal(project).read(image, target)

    def _written(self) -> None:
        self._writing = None
        if self._due:
            self._again()

    def _broke(self, error: Exception) -> None:
        self._writing = None
        self._desk.fail(error)
