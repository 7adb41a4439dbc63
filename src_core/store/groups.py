"""Patients' names stay out of the ledger: pseudonyms, and the map beside it.

The map is one 0600 file in the project's folder, a line of JSON a name, so that one
more costs one line however many there are. The first name of a group is a person's;
what files call the same patient follows it. Pseudonyms are numbered in order of
appearance, so they say nothing about a name, and one import gives the same ones again.
"""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from typing import TYPE_CHECKING, Any, Final

from src_core.errors import BadInputError, CorruptError
from src_core.files import PRIVATE_FILE, clear_disk_errors, fsync_folder
from src_core.store.guard import LIMITS, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from src_core.store.catalogue import Catalogue

FILE_NAME: Final = "groups.jsonl"
FIRST_FILE_NAME: Final = "groups.json"
"""What the first projects have: one JSON object, read beside the lines."""

KEY_NAME: Final = "pseudonyms.key"
"""Makes what stands in the map for a patient whom only a DICOM header names: without
it the same patient is another one."""

_SHAPE: Final = re.compile(r"anon-(\d{4,9})")
_MAX_NAME: Final = 500
_MAX_LINE: Final = 8 << 10
_MAX_FILE: Final = 512 << 20


class GroupMap:
    """The pseudonyms of one project; safe to share between threads.

    Parameters
    ----------
    root : Path
        The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / FILE_NAME
        self._first_path = root / FIRST_FILE_NAME
        self._guard = threading.Lock()
        self._names: dict[str, str] | None = None  # pseudonym -> first name
        self._pseudonyms: dict[str, str] = {}  # first name -> pseudonym
        self._also: dict[str, set[str]] = {}  # further name -> pseudonyms
        self._whole = 0  # bytes of the file's whole lines
        self._last = -1

    def pseudonym(self, name: str, catalogue: Catalogue) -> str:
        """Return a group's pseudonym, a new one where the name is new.

        Parameters
        ----------
        name : str
            What the hospital calls the patient; a pseudonym stays as it is.
        catalogue : Catalogue
            Knows the pseudonyms in the ledger, which the map may have lost.

        Returns
        -------
        str
            ``"anon-0001"`` and so on; the map is on the disk before this returns.

        Raises
        ------
        BadInputError
            When the name is too long.
        CorruptError
            When the map is not readable.
        StoreError
            When the disk is full; the map is as before.
        """
        name = name.strip()
        if not name or _SHAPE.fullmatch(name):
            return name
        if len(name) > _MAX_NAME:
            raise BadInputError(f"A group's name may have {_MAX_NAME} characters.")
        with self._guard:
            names = self._load()
            if name not in self._pseudonyms:
                known = self._also.get(name, ())
                # A name that several groups share, such as "anonymous", tells nobody.
                if len(known) == 1:
                    return next(iter(known))
                number = self._next(names, catalogue)
                fresh = _pseudonym(number)
                self._append(fresh, name)
                self._last = number
                names[fresh] = name
                self._pseudonyms[name] = fresh
            return self._pseudonyms[name]

    def also(self, pseudonym: str, name: str) -> None:
        """Remember what files call a patient to whom a person gave another name.

        An image that nobody names is of the same group then, if no other group has
        files that call their patient so. A name that is a group's first stays its own.

        Raises
        ------
        CorruptError
            When the map is not readable.
        StoreError
            When the disk is full; the map is as before.
        """
        with self._guard:
            names = self._load()
            known = self._also.setdefault(name, set())
            if name not in self._pseudonyms and pseudonym in names:
                if pseudonym not in known:
                    self._append(pseudonym, name)
                known.add(pseudonym)

    def name(self, pseudonym: str) -> str:
        """Return whom a pseudonym stands for; itself where the map does not say."""
        with self._guard:
            return self._load().get(pseudonym, pseudonym)

    def _next(self, names: Iterable[str], catalogue: Catalogue) -> int:
        """Return the number behind the last one."""
        if self._last < 0:
            known = map(_SHAPE.fullmatch, (*names, *catalogue.groups()))
            self._last = max((int(found[1]) for found in known if found), default=0)
        number = self._last + 1
        # Somebody may have given or restored one since they were counted.
        while catalogue.member(_pseudonym(number)) is not None:
            number += 1
        return number

    def _append(self, pseudonym: str, name: str) -> None:
        """Write one line, and wait for the disk."""
        line = json.dumps({pseudonym: name}).encode() + b"\n"
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with clear_disk_errors(self._path):
            is_new = not self._path.exists()
            descriptor = os.open(self._path, flags, PRIVATE_FILE)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                # Behind the whole lines there may be one that was cut off: nobody was
                # given its pseudonym.
                file.truncate(self._whole)
                file.seek(self._whole)
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            if is_new:
                fsync_folder(self._path.parent)
        self._whole += len(line)

    def _load(self) -> dict[str, str]:
        if self._names is None:
            names: dict[str, str] = {}
            self._whole, self._also = 0, {}
            for part in (self._first(), *self._lines()):
                for key, name in part.items():
                    if names.setdefault(key, str(name)) != str(name):
                        self._also.setdefault(str(name), set()).add(key)
            self._names = names
            self._pseudonyms = {name: key for key, name in names.items()}
        return self._names

    def _first(self) -> dict[str, Any]:
        """Read the one object of the first projects."""
        if not self._first_path.exists():
            return {}
        with self._first_path.open("rb") as file:
            data = file.read(LIMITS.document + 1)
        return parse_json(data, _what(self._first_path))

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Read the whole lines, and count their bytes."""
        if self._path.is_symlink():
            raise CorruptError(f"{_what(self._path)} is a link; it was not followed.")
        if not self._path.exists():
            return
        if self._path.stat().st_size > _MAX_FILE:
            raise CorruptError(f"{_what(self._path)} is too long to be read.")
        with self._path.open("rb") as file:
            while (line := file.readline(_MAX_LINE)).endswith(b"\n"):
                yield parse_json(line, _what(self._path))
                self._whole += len(line)
        if len(line) == _MAX_LINE:
            raise CorruptError(f"{_what(self._path)} has a line that is too long.")


def _pseudonym(number: int) -> str:
    return f"anon-{number:04d}"


def _what(path: Path) -> str:
    return (
        f"The map of patients '{path}' (put back a copy, or remove it to go on "
        "without names)"
    )
