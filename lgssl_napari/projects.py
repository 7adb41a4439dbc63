"""Opening projects, making them, and taking pictures in."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lgssl_napari.lanes import Lane
from lgssl_napari.snapshot import first_look, read_rows
from lgssl_napari.state import Choice, Level, ProjectState
from src_core.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lgssl_napari.desk import Desk
    from lgssl_napari.recent import Recent
    from lgssl_napari.state import ImageRow
    from src_core.exchange import Intake
    from src_core.imaging import Source
    from src_core.store import Project

    Opened = tuple[Project, Intake | None]

Mode = Literal["r", "rw"]
LEDGER = "ledger.sqlite"


def sample_folder() -> Path:
    """Return where the sample project lives once it was asked for."""
    from platformdirs import user_data_path

    folder: Path = user_data_path("lgssl-napari", ensure_exists=True)
    return folder / "sample project"


class Projects:
    """Which project is open.

    Parameters
    ----------
    desk : Desk
        Where its state is kept.
    ready : callable
        Called once a project is open and its state is known.
    recent : Recent
        Remembers what was opened.
    """

    def __init__(self, desk: Desk, ready: Callable[[], None], recent: Recent) -> None:
        self._desk, self._ready, self._recent = desk, ready, recent
        self._stopped = threading.Event()

    def list_recent(self) -> None:
        """Read which projects were opened last."""
        self._desk.run(
            self._recent.read, lambda listed: self._desk.update(recent=listed)
        )

    def open(self, path: Path, mode: Mode = "rw") -> None:
        """Open a project that is there."""

        def work() -> Opened:
            from src_core.store import Project

            return Project.open(path, mode=mode, who=self._desk.who), None

        def failed(error: Exception) -> None:
            remedy = None
            if isinstance(error, LockedError) and mode == "rw":
                remedy = Choice("Look without changing", lambda: self.open(path, "r"))
            self._desk.opened(None)
            self._desk.fail(error, remedy)

        self._enter(work, f"Opening '{path.name}'", failed)

    def make(self, path: Path, pictures: tuple[Path, ...] = ()) -> None:
        """Make a project in a new or an empty folder, with pictures if any."""

        def work() -> Opened:
            from src_core.store import Project

            project = Project.create(path, who=self._desk.who)
            try:
                return project, self._take_in(project, pictures) if pictures else None
            except BaseException:
                project.close()
                raise

        self._enter(
            work, f"Making the project '{path.name}'", work_stops=bool(pictures)
        )

    def open_folder(self, path: Path) -> None:
        """Open a folder, whatever it is: a project, nothing yet, or pictures."""
        if (path / LEDGER).is_file():
            self.open(path)
            return
        if not path.exists() or not any(path.iterdir()):
            self.make(path)
            return
        home = _beside(path)
        self._desk.ask(
            f"'{path.name}' is not a project. Make one, '{home.name}', beside it and "
            "take its pictures in?",
            Choice("Make it", lambda: self.make(home, (path,))),
            Choice("Cancel", lambda: None),
        )

    def try_sample(self, path: Path | None = None) -> None:
        """Open the sample project, made the first time from the bundled phantoms."""
        home = path or sample_folder()
        if (home / LEDGER).is_file():
            self.open(home)
            return

        def work() -> Opened:
            from sample_data import table_path
            from src_core.exchange import import_table
            from src_core.store import Project

            # Under another name until it is whole: a window closed half-way must not
            # leave half a sample behind.
            partial = home.with_name(f".{home.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            with Project.create(partial, "sample", who=self._desk.who) as project:
                import_table(
                    project, table_path(), who=self._desk.who, notify=self._imported
                )
            partial.rename(home)
            return Project.open(home, mode="rw", who=self._desk.who), None

        self._enter(work, "Making the sample project")

    def add(self, paths: tuple[Path, ...], take: str = "") -> None:
        """Take files into the open project: pictures, folders, or import tables.

        Parameters
        ----------
        paths : tuple of Path
            What was dropped or chosen.
        take : str
            What of a series in time; see `IntakeOptions`. Asked for where it matters.
        """
        project = self._desk.project
        if project is None:
            self._without_project(paths)
            return

        def done(intake: Intake) -> None:
            self._report(intake)
            self.refresh(lambda: None if self._desk.state.work.image else self._ready())

        self._desk.run(
            lambda: self._take_in(project, paths, take),
            done,
            busy="Taking files in",
            stop=self._stopped.set,
        )

    def refresh(self, then: Callable[[], None] = lambda: None) -> None:
        """Read the project's state again."""
        project = self._desk.project
        if project is None:
            return

        def done(state: ProjectState) -> None:
            self._desk.update(project=state)
            then()
            self._list_rest()

        self._desk.run(lambda: first_look(project), done)

    def _list_rest(self) -> None:
        """Read the rest of a long list in the helper, while the window is used."""
        desk, shown = self._desk, self._desk.state.project
        if shown is None or shown.listed:
            return

        def done(rows: tuple[ImageRow, ...]) -> None:
            now = desk.state.project
            if now is None:
                return
            # What was marked meanwhile is newer than what was read.
            marked = {row.id: row for row in now.images}
            whole = tuple(marked.get(row.id, row) for row in rows)
            desk.update_project(images=whole, count=len(whole))
            image = desk.state.work.image
            if image is not None:
                ids = [row.id for row in rows]
                position = ids.index(image.id) if image.id in ids else -1
                desk.update_work(position=position)

        desk.run(lambda: desk.helper.call(read_rows, shown.path), done, lane=Lane.EDIT)

    def close(self) -> None:
        """Close the open project; the start page comes back."""
        project = self._desk.project
        self._desk.canvas.clear()
        self._desk.opened(None)
        if project is not None:
            self._desk.run(project.close, lambda _: self.list_recent())

    # ---------------------------------------------------------------- plumbing
    def _enter(
        self,
        work: Callable[[], Opened],
        busy: str,
        failed: Callable[[Exception], None] | None = None,
        *,
        work_stops: bool = False,
    ) -> None:
        desk, before = self._desk, self._desk.project

        def opened() -> tuple[Opened, ProjectState, tuple[Path, ...]]:
            if before is not None:
                before.close()
            project, intake = work()
            state = first_look(project)
            return (project, intake), state, self._recent.add(project.path)

        def done(outcome: tuple[Opened, ProjectState, tuple[Path, ...]]) -> None:
            (project, intake), state, recent = outcome
            desk.canvas.clear()
            desk.opened(project)
            desk.update(project=state, recent=recent, message=None)
            if intake is not None:
                self._report(intake)
            self._ready()
            self._list_rest()

        self._stopped.clear()
        stop = self._stopped.set if work_stops else None
        desk.run(opened, done, lane=Lane.STORE, busy=busy, failed=failed, stop=stop)

    def _report(self, intake: Intake) -> None:
        asked = {str(source.path) for source in intake.in_time}
        failed = [one for one in intake.failed if one[0] not in asked]
        text = replace(intake, failed=failed).sentence
        if failed:
            name, reason = failed[0]
            text = f"{text} The first: '{Path(name).name}': {reason}"
        if self._stopped.is_set():
            text = f"Stopped: {text} Take the same files in again to go on."
        self._desk.say(text, Level.WARNING if failed else Level.INFO)
        if intake.in_time:
            self._ask_which(intake.in_time)

    def _ask_which(self, sources: list[Source]) -> None:
        """Ask what to take of series in time: nobody wants all of a film unasked."""
        paths = tuple(dict.fromkeys(source.path for source in sources))
        first = sources[0]
        what = f"'{first.path.name}' is a series in time of {first.count} pictures"
        if len(sources) > 1:
            most = max(source.count for source in sources)
            what = f"{len(sources)} files are series in time of up to {most} pictures"

        def taking(take: str) -> Callable[[], None]:
            return lambda: self.add(paths, take)

        self._desk.ask(
            f"{what}. What of it is wanted?",
            Choice("The first", taking("first")),
            Choice("The middle one", taking("middle")),
            Choice("All", taking("all")),
            Choice("Nothing", lambda: None),
        )

    def _imported(self, done: int, total: int) -> None:
        self._desk.tell(f"Taking images in: {done} of {total}")

    def _take_in(
        self, project: Project, paths: tuple[Path, ...], take: str = ""
    ) -> Intake:
        from src_core.exchange import IntakeOptions, take_in

        self._stopped.clear()
        options = IntakeOptions(self._imported, self._stopped.is_set, take)
        return take_in(project, paths, who=self._desk.who, options=options)

    def _without_project(self, paths: tuple[Path, ...]) -> None:
        first = paths[0]
        if len(paths) == 1 and first.is_dir():
            self.open_folder(first)
            return
        home = _beside(first.parent)
        self._desk.ask(
            f"No project is open. Make one, '{home.name}', in '{home.parent}' and take "
            f"{'the file' if len(paths) == 1 else f'the {len(paths)} files'} in?",
            Choice("Make it", lambda: self.make(home, paths)),
            Choice("Cancel", lambda: None),
        )


def _beside(folder: Path) -> Path:
    """Return a free name for a project beside a folder of pictures."""
    folder = folder.resolve()
    home = folder.with_name(f"{folder.name} project")
    number = 2
    while home.exists():
        home = folder.with_name(f"{folder.name} project {number}")
        number += 1
    return home
