"""Taking files into the open project, while the person goes on working in it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lgssl_napari.annotating import Then, nothing
from lgssl_napari.lanes import Lane
from lgssl_napari.state import Choice, Level

if TYPE_CHECKING:
    from collections.abc import Callable

    from lgssl_napari.desk import Desk
    from src_core.exchange import Intake
    from src_core.imaging import Source
    from src_core.store import Project


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Files on their way into a project; `writing` is held while they go in."""

    project: Project
    stopped: threading.Event = field(default_factory=threading.Event)
    writing: threading.Lock = field(default_factory=threading.Lock)


class Taking:
    """Takes pictures, folders and tables in.

    In a lane of its own: what is drawn is saved and journalled meanwhile. A project may
    be used by several threads at once.

    Parameters
    ----------
    desk : Desk
        Shared state.
    taken : callable
        Shows what was taken in; calls what it is given when that is under way.
    """

    def __init__(self, desk: Desk, taken: Callable[[Then], None]) -> None:
        self._desk, self._taken = desk, taken
        self._runs: list[Run] = []

    def begin(self, paths: tuple[Path, ...], take: str = "") -> None:
        """Take files into the open project.

        Parameters
        ----------
        paths : tuple of Path
            What was dropped or chosen.
        take : str
            What of a series in time; see `IntakeOptions`. Asked for where it matters.
        """
        desk, project = self._desk, self._desk.project
        if project is None:
            return
        run = Run(project)

        def done(intake: Intake) -> None:
            self._runs.remove(run)
            self._report(intake, stopped=run.stopped.is_set())
            self._taken(lambda: self._ask_which(intake.in_time))

        def failed(error: Exception) -> None:
            self._runs.remove(run)
            desk.fail(error)

        self._runs.append(run)
        desk.run(
            lambda: self._take_in(run, paths, take),
            done,
            lane=Lane.TAKE,
            busy="Taking files in",
            failed=failed,
            stop=run.stopped.set,
        )

    def stop(self) -> str:
        """Give up what goes into the open project; say what to tell of it, if any."""
        under_way = self._into(self._desk.project)
        for run in under_way:
            run.stopped.set()
        if not under_way:
            return ""
        return (
            "Not all files were taken in before the project was closed. Add the same "
            "files to it again to go on."
        )

    def close(self, project: Project) -> None:
        """Close a project once nothing is written to it any more; blocks."""
        for run in self._into(project):
            with run.writing:
                self._runs.remove(run)
        project.close()

    def _into(self, project: Project | None) -> list[Run]:
        return [run for run in self._runs if run.project is project]

    # -------------------------------------------------------------- in the lane
    def _take_in(self, run: Run, paths: tuple[Path, ...], take: str) -> Intake:
        from src_core.exchange import Intake, IntakeOptions, take_in

        def told(done: int, total: int) -> None:
            if not run.stopped.is_set():
                self._desk.tell(f"Taking images in: {done} of {total}", Lane.TAKE)

        options = IntakeOptions(told, run.stopped.is_set, take)
        with run.writing:
            if run.stopped.is_set():
                return Intake()
            return take_in(run.project, paths, who=self._desk.who, options=options)

    # ------------------------------------------------------------------- words
    def _report(self, intake: Intake, *, stopped: bool) -> None:
        asked = {str(source.path) for source in intake.in_time}
        failed = [one for one in intake.failed if one[0] not in asked]
        text = replace(intake, failed=failed).sentence
        if failed:
            name, reason = failed[0]
            text = f"{text} The first: '{Path(name).name}': {reason}"
        if stopped:
            text = f"Stopped: {text} Take the same files in again to go on."
        self._desk.say(text, Level.WARNING if failed else Level.INFO)

    def _ask_which(self, sources: list[Source]) -> None:
        """Ask what to take of series in time: nobody wants all of a film unasked."""
        if not sources:
            return
        paths = tuple(dict.fromkeys(source.path for source in sources))
        first = sources[0]
        what = f"'{first.path.name}' is a series in time of {first.count} pictures"
        if len(sources) > 1:
            most = max(source.count for source in sources)
            what = f"{len(sources)} files are series in time of up to {most} pictures"

        def taking(take: str) -> Callable[[], None]:
            return lambda: self.begin(paths, take)

        self._desk.ask(
            f"{what}. What of it is wanted?",
            Choice("The first", taking("first")),
            Choice("The middle one", taking("middle")),
            Choice("All", taking("all")),
            Choice("Nothing", nothing),
        )
