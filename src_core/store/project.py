"""One project: a folder of images, and the ledger of all that was ever drawn on them.

::

    with Project.create("heart") as project:
        image, _ = project.add_image(pixels, name="case 1", axes="yx", who="ada")
        target = project.add_target("left ventricle", who="ada")
        project.save_mask(image.id, target.id, drawn, who="ada", status=MaskStatus.DONE)

    with Project.open("heart", at=42) as frozen:        # sees nothing newer, ever
        frozen.mask(image.id, target.id).read()
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from src_core.errors import BadInputError, NotFoundError
from src_core.store.edit import ProjectEditor
from src_core.store.layout import is_project, make_folders, make_project, sweep
from src_core.store.ledger import FILE_NAME, Ledger
from src_core.store.lock import ProjectLock, user_name

if TYPE_CHECKING:
    from types import TracebackType

    from src_core.store.verify import Finding


class Project(ProjectEditor):
    """One open project; made with `create` or `open`, closed with `close` or `with`.

    Parameters
    ----------
    path : Path
        The folder.
    ledger : Ledger
        Its open ledger.
    at : int or None
        A frozen position.
    lock : ProjectLock or None
        The writer's lock, already held.
    who : str
        The author where a change names none.
    """

    def __init__(
        self,
        path: Path,
        ledger: Ledger,
        *,
        at: int | None = None,
        lock: ProjectLock | None = None,
        who: str = "",
    ) -> None:
        super().__init__(path, ledger, at=at, who=who)
        self._lock = lock

    @classmethod
    def create(cls, path: Path | str, name: str = "", *, who: str = "") -> Self:
        """Make a project in a new or an empty folder, and open it for writing.

        Raises
        ------
        BadInputError
            When the folder holds something else already.
        """
        root = Path(path).absolute()
        make_project(root, name or root.name, who or user_name())
        return cls.open(root, mode="rw", who=who)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        mode: Literal["r", "rw"] = "r",
        at: int | None = None,
        who: str = "",
    ) -> Self:
        """Open a project.

        Parameters
        ----------
        path : Path or str
            The folder.
        mode : {"r", "rw"}
            Any number of processes read; one writes.
        at : int, optional
            Show the project as it was right after this revision, whatever is written
            meanwhile. Without it the newest revision is shown.
        who : str
            The author where a change names none; default: the account's name.

        Raises
        ------
        NotFoundError
            When there is no project, or no such revision.
        LockedError
            When somebody else writes; the message says who.
        """
        root = Path(path).absolute()
        if not is_project(root):
            raise NotFoundError(
                f"There is no project at '{root}'; check the path, or make one with "
                f"`lgssl init {root}`."
            )
        if at is not None and mode == "rw":
            raise BadInputError("An earlier position is read-only; open it with 'r'.")
        lock = None
        if mode == "rw":
            lock = ProjectLock(root, who or user_name())
            lock.acquire()
        try:
            if lock is not None:
                make_folders(root)
                sweep(root)
            ledger = Ledger(root / FILE_NAME, mode=mode)
            if at is not None and not 0 <= at <= ledger.head:
                newest = ledger.head
                ledger.close()
                raise NotFoundError(
                    f"'{root}' has no revision {at}; the newest is {newest}."
                )
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return cls(root, ledger, at=at, lock=lock, who=who)

    @classmethod
    def from_backup(cls, file: Path | str, path: Path | str) -> Self:
        """Unpack a backup into a new folder, verify it, and open it for writing.

        Raises
        ------
        BadInputError
            When the file is no backup, or a name in it leads out.
        CorruptError
            When what it holds does not match its hashes.
        """
        from src_core.store.backup import unpack

        def check(root: Path) -> list[Finding]:
            with cls.open(root) as project:
                return project.verify()

        return cls.open(unpack(Path(file), Path(path), check), mode="rw")

    def close(self) -> None:
        """Close the project and let others write; closing twice does nothing."""
        try:
            self.ledger.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
