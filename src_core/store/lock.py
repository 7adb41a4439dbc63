"""One writer a project: an operating system's lock, and a note that says whose it is.

The system drops the lock when its process ends, however it ends, so a killed window
leaves nothing behind. The note beside it is only for the message to the second writer.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from filelock import FileLock, SoftFileLock, Timeout

from src_core.errors import LockedError, StoreError
from src_core.files import PRIVATE_FILE, write_private

if TYPE_CHECKING:
    from pathlib import Path

LOCK_NAME: Final = ".lock"
NOTE_NAME: Final = ".lock.json"


def user_name() -> str:
    """The account's name; "unknown" where the system does not say."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a project open for writing."""

    who: str
    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"{self.who} (process {self.pid} on {self.host}, since {self.since})"


class ProjectLock:
    """The right to write to one project, held until `release` or the process ends.

    Parameters
    ----------
    root : Path
        The project's folder.
    who : str
        What the second writer is told.
    """

    def __init__(self, root: Path, who: str) -> None:
        self._root = root
        self._who = who
        # thread_local: the window opens on one thread and may close on another.
        self._lock = FileLock(
            str(root / LOCK_NAME), mode=PRIVATE_FILE, thread_local=False
        )

    def acquire(self) -> None:
        """Take the lock without waiting.

        Raises
        ------
        LockedError
            When somebody has it; the message says who.
        StoreError
            When the file system has no locks (some network folders).
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            holder = read_holder(self._root)
            raise LockedError(
                f"'{self._root}' is open for writing by {holder or 'another process'}; "
                "open it for reading only, or close the other window."
            ) from error
        except NotImplementedError as error:
            raise self._no_locks() from error
        except OSError as error:
            raise StoreError(
                f"'{self._root}' cannot be written ({error}); open it for reading only."
            ) from error
        if issubclass(type(self._lock), SoftFileLock):
            # filelock's fallback is a file that a killed process leaves behind.
            self._lock.release()
            raise self._no_locks()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        note = Holder(self._who, os.getpid(), socket.gethostname(), now)
        text = json.dumps(asdict(note)).encode()
        write_private(self._root / NOTE_NAME, text, durable=False)

    def release(self) -> None:
        """Give the lock back; releasing twice does nothing."""
        if self._lock.is_locked:
            with suppress(OSError):
                (self._root / NOTE_NAME).unlink()
            self._lock.release()

    def _no_locks(self) -> StoreError:
        return StoreError(
            f"The disk that holds '{self._root}' has no file locks, so two windows "
            "could overwrite each other; move the project to a local disk."
        )


def read_holder(root: Path) -> Holder | None:
    """Return what the last writer noted about itself, None where there is no note."""
    try:
        note = json.loads((root / NOTE_NAME).read_bytes())
        return Holder(
            str(note["who"])[:100],
            int(note["pid"]),
            str(note["host"])[:100],
            str(note["since"])[:40],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
