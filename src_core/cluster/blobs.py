"""Files kept by the sha256 of their content: nothing is sent or stored twice.

The oldest that nothing refers to any more make room where the bound is reached.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

from src_core.errors import BadInputError, CorruptError, NotFoundError, StoreError
from src_core.files import PRIVATE_FILE, PRIVATE_FOLDER, clear_disk_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from io import BufferedWriter
    from pathlib import Path

BLOCK: Final = 1 << 20
_GIB: Final = 1 << 30


class BlobStore:
    """Content-addressed files below one folder; safe to share between threads.

    Parameters
    ----------
    root : Path
        Its folder; made if missing, 0700.
    bound : int
        Bytes that all of it may take.
    """

    def __init__(self, root: Path, bound: int = 50 * _GIB) -> None:
        self.root, self.bound = root, bound
        self._partial = root / "partial"
        self._guard = threading.RLock()
        for folder in (root, self._partial):
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the content of a hash lies, or would."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise BadInputError(f"{sha256[:80]!r} is not a sha256.")
        return self.root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether it is here, whole."""
        return self.path(sha256).is_file()

    def missing(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Return which of the wanted are not here; the others count as just used."""
        absent = {}
        for sha256, size in wanted.items():
            try:
                os.utime(self.path(sha256))
            except OSError:
                absent[sha256] = size
        return absent

    def begun(self, sha256: str) -> int:
        """Return how many bytes of an unfinished one are here."""
        with suppress(OSError):
            return self._unfinished(sha256).stat().st_size
        return 0

    def append(self, sha256: str, size: int, offset: int, data: bytes) -> int:
        """Add a piece of a content; the last one makes it whole.

        Parameters
        ----------
        sha256, size : str, int
            Of the whole content.
        offset : int
            Where the piece belongs; a piece that is here already is passed over.
        data : bytes
            The piece.

        Returns
        -------
        int
            Bytes that are now here; `size` when it is whole and verified.

        Raises
        ------
        CorruptError
            If the whole does not have this hash; what was here of it is dropped.
        BadInputError
            If the piece leads beyond the declared size.
        StoreError
            If the disk is full.
        """
        with self._guard, clear_disk_errors(self.root):
            if self.has(sha256):
                return size
            if offset < 0 or offset + len(data) > size:
                raise BadInputError(
                    f"A piece of {sha256} leads beyond its {size} bytes; send it again."
                )
            path = self._unfinished(sha256)
            have = self.begun(sha256)
            if offset > have or offset + len(data) < have:
                return have
            with _private(path, "ab") as file:
                file.write(data[have - offset :])
            have = offset + len(data)
            if have == size:
                self._finish(path, sha256)
            return have

    def add_file(self, path: Path) -> tuple[str, int]:
        """Keep a copy of a file, and return its hash and size."""
        sha256 = file_hash(path)
        size = path.stat().st_size
        with self._guard, clear_disk_errors(self.root):
            if not self.has(sha256):
                unfinished = self._unfinished(sha256)
                with path.open("rb") as source, _private(unfinished, "wb") as sink:
                    shutil.copyfileobj(source, sink, BLOCK)
                self._finish(unfinished, sha256)
        return sha256, size

    def read(self, sha256: str, offset: int = 0, length: int = -1) -> bytes:
        """Return a part of a content, by default all of it.

        Raises
        ------
        NotFoundError
            If it is not here.
        """
        try:
            with self.path(sha256).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError as error:
            raise _absent(sha256) from error

    def content(self, sha256: str) -> bytes:
        """Return a whole content, verified; raises as :meth:`place`."""
        data = self.read(sha256)
        self._check(sha256, hashlib.sha256(data).hexdigest())
        return data

    def place(self, sha256: str, target: Path) -> None:
        """Put a verified content at a new path, without a second copy if possible.

        Raises
        ------
        CorruptError
            If what lies here has rotted; it is dropped, to be sent again.
        NotFoundError
            If it is not here.
        """
        source = self.path(sha256)
        if not source.is_file():
            raise _absent(sha256)
        self._check(sha256, file_hash(source))
        try:
            target.hardlink_to(source)
        except OSError:  # a file system without links, or too many of them
            with source.open("rb") as file, _private(target, "xb") as sink:
                shutil.copyfileobj(file, sink, BLOCK)

    def _check(self, sha256: str, found: str) -> None:
        if found != sha256:
            self.drop(sha256)
            raise CorruptError(
                f"The stored content {sha256} has changed on the server's disk; start "
                "the training again, and it is sent again."
            )

    def drop(self, sha256: str) -> None:
        """Forget a content."""
        with self._guard, suppress(FileNotFoundError):
            self.path(sha256).unlink()

    def used(self) -> int:
        """Return how many bytes all of it takes, unfinished content included."""
        begun = sum(p.stat().st_size for p in self._partial.iterdir())
        return begun + sum(size for _, size, _ in self._files())

    def make_room(self, needed: int, kept: Callable[[], Collection[str]]) -> None:
        """Drop the longest unused until so many bytes fit.

        Parameters
        ----------
        needed : int
            Bytes that are about to come.
        kept : callable
            Returns the hashes that something still refers to; asked only if need be.

        Raises
        ------
        StoreError
            If what is in use leaves too little, or the disk is full.
        """
        with self._guard:
            excess = self.used() + needed - self.bound
            if excess > 0:
                in_use = kept()
                for _, size, name in sorted(self._files()):
                    if excess <= 0:
                        break
                    if name not in in_use:
                        self.drop(name)
                        excess -= size
            free = shutil.disk_usage(self.root).free
            if excess > 0 or needed > free:
                room = max(0, min(free, needed - max(0, excess)))
                raise StoreError(
                    f"The server has room for {room / _GIB:.1f} GiB and this training "
                    f"needs {needed / _GIB:.1f} GiB; ask for a larger --cache-gb or "
                    "disk there, or train when others have finished."
                )

    def forget_unfinished(self, older_than: float) -> None:
        """Drop what was begun before a moment and not gone on with since."""
        for path in self._partial.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < older_than:
                    path.unlink()

    def _files(self) -> list[tuple[float, int, str]]:
        """Last use, size and hash of every whole content."""
        found = []
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            with os.scandir(folder) as entries:
                for entry in entries:
                    state = entry.stat()
                    found.append((state.st_mtime, state.st_size, entry.name))
        return found

    def _unfinished(self, sha256: str) -> Path:
        return self._partial / self.path(sha256).name

    def _finish(self, unfinished: Path, sha256: str) -> None:
        if file_hash(unfinished) != sha256:
            unfinished.unlink()
            raise CorruptError(
                f"What arrived as {sha256} has another content; it was dropped and "
                "must be sent again."
            )
        final = self.path(sha256)
        final.parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        # Not synced one by one: what a power cut tears has another hash when it is
        # used, and is sent again.
        unfinished.replace(final)


def _absent(sha256: str) -> NotFoundError:
    return NotFoundError(
        f"The content {sha256} is not kept here any more; start the training again, "
        "and it is sent again."
    )


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _private(path: Path, mode: Literal["ab", "wb", "xb"]) -> BufferedWriter:
    """Open a file that only its owner can read."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, PRIVATE_FILE)

    return open(path, mode, opener=opener)
