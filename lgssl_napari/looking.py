"""Looking at the whole pool in the worker, so that the next image is there at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lgssl_napari.lanes import Lane
from lgssl_napari.state import Level
from src_core.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lgssl_napari.desk import Desk
    from lgssl_napari.events import Event
    from lgssl_napari.training import EngineLike, JobLike
    from src_core.store import Project


class Looking:
    """One look at a time, whenever the worker has nothing better to do.

    Parameters
    ----------
    desk : Desk
        Shared state.
    engine : callable
        Returns the engine that trains; starts it where there is none.
    lost : callable
        Called when its worker died.
    known : callable
        Called when all has been looked at.
    """

    def __init__(
        self,
        desk: Desk,
        engine: Callable[[], EngineLike],
        lost: Callable[[], None],
        known: Callable[[], None],
    ) -> None:
        self._desk, self._engine, self._lost = desk, engine, lost
        self._known = known
        self._job: JobLike | None = None
        self._under_way = self._stop_asked = False
        self._done: tuple[Path, str | None, int] | None = None

    def begin(self) -> None:
        """Look at what is not known yet; nothing where all is, or while it trains."""
        desk, project, shown = self._desk, self._desk.project, self._desk.state.project
        if project is None or shown is None or project.read_only or not shown.count:
            return
        wanted = (project.path, shown.version, shown.count)
        if desk.state.job.running or self._under_way or wanted == self._done:
            return
        self._under_way, self._stop_asked = True, False

        def done(_: dict[str, Any]) -> None:
            desk.update(looking="")
            if not self._stop_asked:
                self._done = wanted
                self._known()

        def failed(error: Exception) -> None:
            desk.update(looking="")
            self._done = wanted  # what fails once is not tried again all day
            if isinstance(error, JobError):
                self._lost()
            desk.say(
                f"The pictures could not be looked at in the background: {error} The "
                "next image is chosen from those that are known.",
                Level.WARNING,
            )

        desk.run(lambda: self._work(project), done, lane=Lane.LOOK, failed=failed)

    def stop(self) -> None:
        """Make room for a training; blocks for a moment."""
        self._stop_asked = True
        job = self._job
        if job is not None:
            job.stop()

    def _work(self, project: Project) -> dict[str, Any]:
        from src_core.worker import look_job

        try:
            self._job = self._engine().submit(
                look_job,
                str(project.path),
                on_event=lambda event: self._desk.runner.post(
                    lambda: self._heard(project, event)
                ),
            )
            if self._stop_asked:
                self._job.stop()
            told: dict[str, Any] = self._job.result()
            return told
        finally:
            self._job, self._under_way = None, False

    def _heard(self, project: Project, event: Event) -> None:
        is_open = project is self._desk.project
        if event["kind"] == "looking" and self._under_way and is_open:
            done, total = event["done"], event["total"]
            self._desk.update(
                looking=f"In the background: {event['text']}, {done:,} of {total:,}."
            )
