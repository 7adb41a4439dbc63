"""Files that survive a power cut and that nobody else can read.

A file's content reaches the disk with an fsync of the file, its *name* only with an
fsync of the folder; a rename is atomic but not durable until the folder is synced too.
"""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from src_core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def disk_full(where: Path) -> StoreError:
    """The one sentence for a full disk, whoever met it first."""
    return StoreError(
        f"The disk that holds '{where}' is full: nothing of this change was kept and "
        "everything saved before is intact; free some space and do it again."
    )


@contextmanager
def clear_disk_errors(where: Path) -> Iterator[None]:
    """Turn an operating system's "no space" into a sentence.

    Raises
    ------
    StoreError
        When the disk is full; any other OSError passes unchanged.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise disk_full(where) from error
        raise


def make_private_folder(path: Path) -> Path:
    """Create one folder that only its owner can enter; an existing one is kept."""
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    return path


def fsync_file(path: Path) -> None:
    """Wait until the file's content is on the disk."""
    # Windows can flush only a handle that may write.
    flags = os.O_RDWR if os.name == "nt" else os.O_RDONLY
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(path: Path) -> None:
    """Wait until the names inside a folder are on the disk."""
    if os.name == "nt":  # Windows journals names itself and cannot open a folder
        return
    fsync_file(path)


def seal_tree(root: Path) -> None:
    """Make a whole folder private (0700 and 0600) and durable, leaves first."""
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            path = Path(folder, name)
            path.chmod(PRIVATE_FILE)
            fsync_file(path)
        Path(folder).chmod(PRIVATE_FOLDER)
        fsync_folder(Path(folder))


def write_private(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file's content in one step, readable by its owner only.

    Parameters
    ----------
    path : Path
        A reader sees the old content or the new one, never a part.
    data : bytes
        The whole content.
    durable : bool
        Whether to wait for the disk; without it a killed process loses nothing, but
        a power cut may lose the newest content.

    Raises
    ------
    StoreError
        When the disk is full; the old content stands.
    """
    with clear_disk_errors(path):
        descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if durable:
            fsync_folder(path.parent)
