"""A folder for work under way, beside what will come of it.

On the same disk, so that the result gets its name in one step. A process that is killed
leaves its folder behind, gigabytes perhaps and with patients in it: the next one beside
it takes that away.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from src_core.files import PRIVATE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = ".lgssl-"
MARK: Final = "under-way.lock"
"""Held while the work is under way."""

NEW: Final = 60.0
"""Seconds in which whoever has just made a folder may not hold its mark yet."""


@contextmanager
def scratch(beside: Path, kind: str) -> Iterator[Path]:
    """Give a private folder beside a path, and take it away at the end.

    Parameters
    ----------
    beside : Path
        What the work is for; its parent is made where it is missing.
    kind : str
        What the folder's name says.

    Yields
    ------
    Path
        Empty, readable by its owner alone.
    """
    place = beside.parent
    place.mkdir(parents=True, exist_ok=True)
    _take_away_left(place, kind)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX + kind, dir=place))
    work = folder / "work"
    with ExitStack() as held:
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        # Where a disk has no locks nothing is ever taken for left behind.
        with suppress(NotImplementedError, OSError):
            held.enter_context(_mark(folder))
        work.mkdir(mode=0o700)
        # While it is marked: what is left half removed is known for ours.
        held.callback(shutil.rmtree, work, ignore_errors=True)
        yield work


def _take_away_left(place: Path, kind: str) -> None:
    for folder in place.glob(f"{PREFIX}{kind}*"):
        with suppress(OSError, NotImplementedError, Timeout):
            if folder.is_symlink() or time.time() - folder.stat().st_mtime < NEW:
                continue
            if (folder / MARK).is_file():
                with _mark(folder):
                    if (folder / "work").exists():
                        shutil.rmtree(folder / "work")
                (folder / MARK).unlink()
            folder.rmdir()


def _mark(folder: Path) -> FileLock:
    return FileLock(str(folder / MARK), mode=PRIVATE_FILE, timeout=0)
