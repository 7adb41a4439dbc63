"""How a project's folder is made, and what lies in it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from src_core.errors import BadInputError
from src_core.files import fsync_folder, make_private_folder
from src_core.store import records
from src_core.store.guard import contained
from src_core.store.ledger import FILE_NAME, Ledger
from src_core.store.lock import LOCK_NAME, NOTE_NAME, ProjectLock
from src_core.store.rows import Change
from src_core.store.schema import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

REFERENCES: Final = "references"
CACHE: Final = "cache"
FOLDERS: Final = (
    *("images", "models", "jobs", "logs", "journal", "tmp"),
    *(CACHE, REFERENCES),
)
_UNFINISHED: Final = f"{FILE_NAME}.new"


def is_project(root: Path) -> bool:
    """Whether a folder holds a project."""
    return (root / FILE_NAME).is_file()


def make_folders(root: Path) -> None:
    """Make the project's folders, each for its owner only."""
    root.chmod(0o700)
    for folder in FOLDERS:
        make_private_folder(root / folder)


def sweep(root: Path) -> None:
    """Remove what killed imports left; only the writer may know that they died.

    Raises
    ------
    BadInputError
        When the folder is a link that leads out.
    """
    for left in contained(root, "tmp").glob("*"):
        with suppress(OSError):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()


def make_project(root: Path, name: str, who: str) -> None:
    """Make an empty project in a new or an empty folder.

    Parameters
    ----------
    root : Path
        What a creation that was killed left in it is taken over.
    name, who : str
        The project's name; its author.

    Raises
    ------
    BadInputError
        When the folder holds something else already.
    LockedError
        When somebody else makes it at this moment.
    """
    if is_project(root):
        raise BadInputError(f"'{root}' is a project already; open it.")
    root.parent.mkdir(parents=True, exist_ok=True)
    if root.exists() and not root.is_dir():
        raise BadInputError(f"'{root}' is a file; choose another folder.")
    make_private_folder(root)
    own = {*FOLDERS, LOCK_NAME, NOTE_NAME}
    strange = sorted(
        path.name
        for path in root.iterdir()
        if path.name not in own and not path.name.startswith(_UNFINISHED)
    )
    if strange:
        raise BadInputError(
            f"'{root}' is not empty ('{strange[0]}' is in it); choose a new folder."
        )
    make_folders(root)
    lock = ProjectLock(root, who)
    lock.acquire()
    try:
        _make_ledger(root, name, who)
    finally:
        lock.release()


def _make_ledger(root: Path, name: str, who: str) -> None:
    """Make the ledger with its first revision, and only then give it its name."""
    unfinished = root / _UNFINISHED
    for left in root.glob(f"{_UNFINISHED}*"):
        left.unlink()
    folders = (records.IMAGES, records.MASKS, records.TARGETS, records.DOCUMENTS)
    nodes: dict[str, bytes | None] = {
        f"{folder}{records.NODE}": records.group_node() for folder in folders
    }
    facts = {"schema": SCHEMA, "name": records.clean(name, "name of a project")}
    nodes[records.NODE] = records.group_node({"lgssl": facts})
    with Ledger(unfinished, mode="rw", create=True) as ledger:
        ledger.commit(Change(who, "create"), nodes)
    unfinished.replace(root / FILE_NAME)
    fsync_folder(root)
    fsync_folder(root.parent)
