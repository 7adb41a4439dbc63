"""Patients' names stay out of the ledger: pseudonyms, and the map beside it.

The map is one 0600 file in the project's folder. Pseudonyms are numbered in order of
appearance, so they say nothing about a name, and one import gives the same ones again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from src_core.errors import BadInputError
from src_core.files import write_private
from src_core.store.guard import LIMITS, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE_NAME: Final = "groups.json"
_SHAPE: Final = re.compile(r"anon-(\d{4,9})")
_MAX_NAME: Final = 500


class GroupMap:
    """The pseudonyms of one project.

    Parameters
    ----------
    root : Path
        The project's folder.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / FILE_NAME
        self._names: dict[str, str] | None = None  # pseudonym -> name
        self._pseudonyms: dict[str, str] = {}

    def pseudonym(self, name: str, used: Iterable[str]) -> str:
        """Return a group's pseudonym, a new one where the name is new.

        Parameters
        ----------
        name : str
            What the hospital calls the patient; a pseudonym stays as it is.
        used : iterable of str
            Pseudonyms in the ledger, which the map may have lost.

        Returns
        -------
        str
            ``"anon-0001"`` and so on; the map is on the disk before this returns.

        Raises
        ------
        BadInputError
            When the name is too long.
        """
        name = name.strip()
        if not name or _SHAPE.fullmatch(name):
            return name
        if len(name) > _MAX_NAME:
            raise BadInputError(f"A group's name may have {_MAX_NAME} characters.")
        names = self._load()
        if name not in self._pseudonyms:
            numbers = (_SHAPE.fullmatch(known) for known in {*names, *used})
            last = max((int(found[1]) for found in numbers if found), default=0)
            fresh = f"anon-{last + 1:04d}"
            content = {**names, fresh: name}
            write_private(self._path, json.dumps(content, indent=1).encode())
            names[fresh] = name
            self._pseudonyms[name] = fresh
        return self._pseudonyms[name]

    def name(self, pseudonym: str) -> str:
        """Return whom a pseudonym stands for; itself where the map does not say."""
        return self._load().get(pseudonym, pseudonym)

    def _load(self) -> dict[str, str]:
        if self._names is None:
            self._names = self._read()
            self._pseudonyms = {name: key for key, name in self._names.items()}
        return self._names

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        with self._path.open("rb") as file:
            data = file.read(LIMITS.document + 1)
        content = parse_json(
            data,
            f"The map of patients '{self._path}' (put back a copy, or remove it to go "
            "on without names)",
        )
        return {key: str(name) for key, name in content.items()}
