"""Rows of numbers about images, in parts on the disk: written piece by piece, resumed.

One shelf is one folder of the project's cache. Each part is one safetensors file that
appears whole or not at all; several processes may add parts at once. What is there
twice is read once. Deleting the folder costs only the time to fill it again.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.files import write_private

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

FORMAT: Final = 1
"""Of the parts; those of another number are not read."""

READINGS: Final = 5
"""So often is a shelf listed anew while others put its parts together."""

_SUFFIX: Final = ".safetensors"
_IDS: Final = "ids"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What a shelf holds.

    Attributes
    ----------
    ids : list of str
        (M,) one an image, none twice.
    arrays : dict of str to ndarray
        (M, ...) each, in the order of `ids`.
    """

    ids: list[str]
    arrays: Arrays

    def __len__(self) -> int:
        return len(self.ids)


class Shelf:
    """One folder of parts.

    Parameters
    ----------
    folder : Path
        Made when first written to.
    kind : str
        What the rows are, with everything that makes two shelves differ (a model's
        targets, say): parts of another kind are not read.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind

    def add(self, ids: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write rows as a new part; without any, there is nothing to write.

        Parameters
        ----------
        ids : sequence of str
            (m,).
        arrays : mapping of str to ndarray
            (m, ...) each, the same names as in every part of the shelf.
        """
        from safetensors.numpy import save

        if len(ids) == 0:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        joined = np.frombuffer("\n".join(ids).encode(), np.uint8)
        held = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
        note = json.dumps({"format": FORMAT, "kind": self.kind, "rows": len(ids)})
        path = self.folder / f"{len(ids)}-{uuid.uuid4().hex}{_SUFFIX}"
        # Not durable: after a power cut a part may be missing, and is made again.
        write_private(path, save({**held, _IDS: joined}, {"meta": note}), durable=False)

    def read(self, only: Collection[str] | None = None) -> Rows:
        """Return all rows; those of a damaged or foreign part are missing.

        Parameters
        ----------
        only : collection of str, optional
            The arrays to read; all of them if not given.
        """
        parts = self._parts(only)
        if not parts:
            return Rows([], {})
        names = parts[0].arrays.keys()
        parts = [rows for rows in parts if rows.arrays.keys() == names]
        ids = [identifier for rows in parts for identifier in rows.ids]
        arrays = {
            name: parts[0].arrays[name]
            if len(parts) == 1
            else np.concatenate([rows.arrays[name] for rows in parts])
            for name in names
        }
        if len(set(ids)) < len(ids):
            first = {identifier: row for row, identifier in reversed([*enumerate(ids)])}
            kept = np.array(sorted(first.values()), np.int64)
            ids = [ids[row] for row in kept]
            arrays = {name: array[kept] for name, array in arrays.items()}
        return Rows(ids, arrays)

    def ids(self) -> set[str]:
        """Return which images are there."""
        return set(self.read(only=()).ids)

    def count(self) -> int:
        """Return how many rows there are, those that are there twice counted twice."""
        return sum(int(path.name.partition("-")[0]) for path in self._paths())

    def stamp(self) -> tuple[str, ...]:
        """Return what changes whenever a part is added or put together."""
        return tuple(path.name for path in self._paths())

    def replace(self, ids: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write rows in the place of everything that the folder holds.

        Parameters
        ----------
        ids, arrays
            As :meth:`add`.
        """
        old = self._paths()
        self.add(ids, arrays)
        self._drop(old)

    def compact(self) -> None:
        """Put all parts into one file, which is read at once."""
        paths = self._paths()
        if len(paths) < 2:
            return
        rows = self.read()
        if len(rows) == 0:
            return
        self.add(rows.ids, rows.arrays)
        self._drop(paths)

    @staticmethod
    def _drop(paths: Sequence[Path]) -> None:
        for path in paths:
            # Another process may be reading it, where that forbids to delete.
            with suppress(OSError):
                path.unlink()

    def _paths(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(self.folder.glob(f"[0-9]*-*{_SUFFIX}"))

    def _parts(self, only: Collection[str] | None) -> list[Rows]:
        """Read every part that can be read."""
        for _ in range(READINGS):
            # Another process may put parts together between listing and reading.
            with suppress(FileNotFoundError):
                found = [self._part(path, only) for path in self._paths()]
                return [rows for rows in found if rows is not None]
        return []

    def _part(self, path: Path, only: Collection[str] | None) -> Rows | None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                meta = json.loads((file.metadata() or {}).get("meta", "{}"))
                if (meta.get("format"), meta.get("kind")) != (FORMAT, self.kind):
                    return None
                names = set(file.keys()) - {_IDS}
                wanted = names if only is None else names.intersection(only)
                arrays = {name: file.get_tensor(name) for name in sorted(wanted)}
                joined = file.get_tensor(_IDS).tobytes().decode()
        except FileNotFoundError:
            raise
        except (SafetensorError, OSError, ValueError, KeyError):
            return None  # a part that is damaged is made again
        ids = joined.split("\n") if joined else []
        if not ids or any(len(array) != len(ids) for array in arrays.values()):
            return None
        return Rows(ids, arrays)
