"""What was imported already, so that an import that was stopped goes on, not anew."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.imaging import Source
    from src_core.store import Project

_FILE = "imported"


class Imported:
    """A project's memory of the files that it took in.

    Of a file nothing is kept but a keyed hash of its path, size and time: file names
    name patients. It is a cache: without it everything is read once more, and found
    to be there already by its pixels.

    Parameters
    ----------
    project : Project
        Open for writing.
    secret : str
        The project's own.
    """

    def __init__(self, project: Project, secret: str) -> None:
        self._path = project.cache_dir / _FILE
        self._key = secret.encode()[:64]
        self._known: dict[str, str] = {}
        if self._path.exists():
            for line in self._path.read_text("utf-8").splitlines():
                stamp, _, what = line.partition(" ")
                self._known[stamp] = what

    def stamp(self, source: Source, *more: object) -> str:
        """Return what changes when a source's files do.

        Parameters
        ----------
        source : Source
            Files that are there.
        *more
            What else makes it another import, such as a label's value.
        """
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        digest.update(repr((source.part, more)).encode())
        for path in source.stamped:
            digest.update(repr(_state(path)).encode())
        return digest.hexdigest()

    def get(self, stamp: str) -> str | None:
        """Return what was made of a stamp, None where it is new."""
        return self._known.get(stamp)

    def add(self, stamp: str, what: str) -> None:
        """Remember what was made; a line that a crash cuts off is only read again."""
        if self._known.get(stamp) == what:
            return
        self._known[stamp] = what
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {what}\n")


def _state(path: Path) -> tuple[str, int, int]:
    """Path, size and time; of a folder that is one image, of its metadata."""
    if path.is_dir():
        marks = (path / name for name in ("zarr.json", ".zattrs"))
        path = next((mark for mark in marks if mark.exists()), path)
    found = path.stat()
    return str(path.absolute()), found.st_size, found.st_mtime_ns
