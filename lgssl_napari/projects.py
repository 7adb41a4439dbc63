"""Opening projects, making them, and taking pictures in."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Literal

from lgssl_napari.annotating import Then, nothing
from lgssl_napari.lanes import Lane
from lgssl_napari.snapshot import first_look, read_rows
from lgssl_napari.state import Choice, Level, ProjectState
from lgssl_napari.taking import Taking
from src_core.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lgssl_napari.desk import Desk
    from lgssl_napari.recent import Recent
    from lgssl_napari.state import ImageRow
    from src_core.store import Project

    Entered = tuple[Project, ProjectState, tuple[Path, ...]]
    Failed = Callable[[Exception], None]

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
        self._taking = Taking(desk, self._taken)
        self._leave: Callable[[Then], None] = lambda then: then()
        self._unsaved: Callable[[], bool] = lambda: False

    def guard(self, leave: Callable[[Then], None], unsaved: Callable[[], bool]) -> None:
        """Enter no other project over what is not saved in the open one.

        Parameters
        ----------
        leave : callable
            Calls what it is given once nothing would be lost by it.
        unsaved : callable
            Whether anything would be.
        """
        self._leave, self._unsaved = leave, unsaved

    def list_recent(self) -> None:
        """Read which projects were opened last."""
        self._desk.run(
            self._recent.read, lambda listed: self._desk.update(recent=listed)
        )

    def open(self, path: Path, mode: Mode = "rw", then: Then = nothing) -> None:
        """Open a project that is there."""
        if self._is_open(path, mode):
            self._desk.say(f"'{path.name}' is open already.")
            self.refresh()
            return

        def work() -> Project:
            from src_core.store import Project

            return Project.open(path, mode=mode, who=self._desk.who)

        def failed(error: Exception) -> None:
            remedy = None
            if isinstance(error, LockedError) and mode == "rw":
                remedy = Choice("Look without changing", lambda: self.open(path, "r"))
            self._desk.fail(error, remedy)

        self._enter(work, f"Opening '{path.name}'", failed, then)

    def make(self, path: Path, pictures: tuple[Path, ...] = ()) -> None:
        """Make a project in a new or an empty folder, with pictures if any."""

        def work() -> Project:
            from src_core.store import Project

            return Project.create(path, who=self._desk.who)

        def then() -> None:
            if pictures:
                self._taking.begin(pictures)

        self._enter(work, f"Making the project '{path.name}'", then=then)

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

        def work() -> Project:
            from sample_data import table_path
            from src_core.exchange import import_table
            from src_core.store import Project

            # Under another name until it is whole: a window closed half-way must not
            # leave half a sample behind.
            partial = home.with_name(f".{home.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            with Project.create(partial, "sample", who=self._desk.who) as project:
                import_table(project, table_path(), who=self._desk.who, notify=imported)
            partial.rename(home)
            return Project.open(home, mode="rw", who=self._desk.who)

        def imported(done: int, total: int) -> None:
            self._desk.tell(f"Taking images in: {done} of {total}", Lane.STORE)

        self._enter(work, "Making the sample project")

    def add(self, paths: tuple[Path, ...]) -> None:
        """Take files into the open project: pictures, folders, or import tables."""
        if self._desk.entering:
            self._desk.say(
                "Another project is being opened; add the files once it is there.",
                Level.WARNING,
            )
        elif self._desk.project is None:
            self._without_project(paths)
        else:
            self._taking.begin(paths)

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
        project, stopped = self._desk.project, self._taking.stop()
        self._desk.canvas.clear()
        self._desk.opened(None)
        if stopped:
            self._desk.say(stopped, Level.WARNING)
        if project is not None:
            self._let_go(project, self.list_recent)

    # ---------------------------------------------------------------- plumbing
    def _is_open(self, path: Path, mode: Mode) -> bool:
        project = self._desk.project
        if project is None or project.path != path.absolute():
            return False
        return mode == "r" or not project.read_only

    def _enter(
        self,
        work: Callable[[], Project],
        busy: str,
        failed: Failed | None = None,
        then: Then = nothing,
    ) -> None:
        """Leave the open project for another, once nothing would be lost by it."""
        self._leave(lambda: self._begin(work, busy, failed or self._desk.fail, then))

    def _begin(
        self, work: Callable[[], Project], busy: str, failed: Failed, then: Then
    ) -> None:
        """Open another project; the one at hand stays usable until that is there."""
        desk = self._desk

        def opened() -> Entered:
            project = work()
            try:
                return project, first_look(project), self._recent.add(project.path)
            except BaseException:
                project.close()
                raise

        def done(entered: Entered) -> None:
            desk.entering = False
            if self._unsaved():  # painted while the other was being opened
                self._ask_again(entered[0], then)
            else:
                self._show(entered, then)

        def broke(error: Exception) -> None:
            desk.entering = False
            failed(error)

        desk.entering = True
        desk.run(opened, done, lane=Lane.STORE, busy=busy, failed=broke)

    def _show(self, entered: Entered, then: Then) -> None:
        desk, before = self._desk, self._desk.project
        project, state, recent = entered
        stopped = self._taking.stop()
        desk.canvas.clear()
        desk.opened(project)
        desk.update(project=state, recent=recent, message=None)
        if stopped:
            desk.say(stopped, Level.WARNING)
        self._ready()
        self._list_rest()
        if before is not None:
            # Behind the strokes that are still on their way to its journal.
            self._let_go(before)
        then()

    def _ask_again(self, project: Project, then: Then) -> None:
        """Let the other project go, and come back when the strokes are decided on."""
        path = project.path
        mode: Mode = "r" if project.read_only else "rw"
        self._let_go(project, lambda: self.open(path, mode, then))

    def _let_go(self, project: Project, then: Then = nothing) -> None:
        self._desk.run(lambda: self._taking.close(project), lambda _: then())

    def _taken(self, then: Then) -> None:
        """Show what is in the project now, and its first image where none was."""

        def listed() -> None:
            if self._desk.state.work.image is None:
                self._ready()
            then()

        self.refresh(listed)

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
