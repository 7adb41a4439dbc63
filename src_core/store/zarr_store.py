"""The ledger as a zarr v3 store, and an overlay that makes many writes one revision.

::

    zarr.open_group(LedgerStore("ledger.sqlite", at=42), mode="r")   # frozen

    with LedgerStore("ledger.sqlite").transaction(who="ada", what="mask") as store:
        zarr.create_array(store, name="a", data=pixels)              # one revision
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from src_core.store.key_values import KeyValueStore
from src_core.store.ledger import FILE_NAME, HEAD, Ledger
from src_core.store.rows import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarr.core.buffer import Buffer

    from src_core.types import Revision


class LedgerStore(KeyValueStore):
    """A ledger file as a zarr store, live or frozen at one revision.

    Parameters
    ----------
    path : Path or str
        The ledger's file, or the project folder that holds it.
    at : int, optional
        Show the ledger as it was right after this revision; such a store is
        read-only. Without it the newest revision is shown, whoever writes it.
    read_only : bool, optional
        Default: whether `at` is given.
    who : str
        The author of what is written; a write outside `transaction` is one revision.

    Notes
    -----
    The file is opened when first used, so that a store can be sent to another process.
    """

    def __init__(
        self,
        path: Path | str,
        at: int | None = None,
        *,
        read_only: bool | None = None,
        who: str = "",
    ) -> None:
        frozen = at is not None
        super().__init__(read_only=frozen if read_only is None else read_only)
        if frozen and not self.read_only:
            raise ValueError("a store at an earlier revision is read-only")
        path = Path(path).absolute()
        self.path = path / FILE_NAME if path.is_dir() else path
        self.at = at
        self.who = who
        self._ledger: Ledger | None = None
        self._owns_ledger = True

    @classmethod
    def over(cls, ledger: Ledger, at: int | None = None, *, who: str = "") -> Self:
        """Make a store over a ledger that is already open and stays open."""
        store = cls(ledger.path, at, read_only=ledger.read_only or at is not None)
        store.who = who
        store._ledger = ledger
        store._owns_ledger = False
        return store

    @property
    def ledger(self) -> Ledger:
        """The open ledger.

        Raises
        ------
        NotFoundError
            When there is no such file and this store may not make one.
        """
        if self._ledger is None:
            write = not self.read_only
            self._ledger = Ledger(self.path, mode="rw" if write else "r", create=write)
        self._is_open = True
        return self._ledger

    async def _open(self) -> None:
        if self._is_open:
            raise ValueError("store is already open")
        if not (self.read_only and not self.path.exists()):
            _ = self.ledger
        self._is_open = True

    def close(self) -> None:
        """Close the file where this store opened it."""
        super().close()
        if self._ledger is not None and self._owns_ledger:
            self._ledger.close()
            self._ledger = None

    def with_read_only(self, read_only: bool = False) -> LedgerStore:
        """Return an unopened store on the same file with the other permission."""
        at = self.at if read_only else None
        return type(self)(self.path, at, read_only=read_only, who=self.who)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, type(self))
            and self.path == other.path
            and self.at == other.at
        )

    def __hash__(self) -> int:
        return hash((self.path, self.at))

    def __str__(self) -> str:
        return f"ledger://{self.path}" + ("" if self.at is None else f"@{self.at}")

    def __repr__(self) -> str:
        return f"LedgerStore('{self}')"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ledger": None, "_is_open": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _owns_ledger=True)

    def _read(self, key: str) -> bytes | None:
        return self.ledger.read(key, self.at)

    def _keys(self, prefix: str) -> list[str]:
        return self.ledger.keys(prefix, self.at)

    def _children(self, prefix: str) -> list[str]:
        return self.ledger.children(prefix, self.at)

    def _write(self, values: dict[str, bytes | None]) -> None:
        self.ledger.commit(Change(who=self.who, what="zarr"), values)

    async def exists(self, key: str) -> bool:
        return self.ledger.newest(key, self.at) is not None

    async def getsize(self, key: str) -> int:
        entry = self.ledger.newest(key, self.at)
        if entry is None or entry.size is None:
            raise FileNotFoundError(key)
        return entry.size

    async def is_empty(self, prefix: str) -> bool:
        prefix = prefix.strip("/")
        return not self.ledger.any_key(f"{prefix}/" if prefix else "", self.at)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        self._check_writable()
        if not await self.exists(key):
            await self.set(key, value)

    @contextmanager
    def transaction(
        self, *, who: str = "", what: str = "zarr", note: str = ""
    ) -> Iterator[Overlay]:
        """Collect every write of the block and append them as one revision.

        Yields
        ------
        Overlay
            A store that reads its own writes; nobody else sees them before the end.
            An exception in the block drops them.
        """
        self._check_writable()
        overlay = Overlay(self)
        yield overlay
        change = Change(who=who or self.who, what=what, note=note, parent=HEAD)
        overlay.revision = self.ledger.commit(change, overlay.changes)


class Overlay(KeyValueStore):
    """Writes held in memory above a store that is only read.

    Attributes
    ----------
    changes : dict of str to bytes or None
        What was written so far; None where a key was removed.
    revision : Revision or None
        What the writes became, once their transaction has ended.
    """

    def __init__(self, base: KeyValueStore) -> None:
        super().__init__(read_only=False)
        self._base = base
        self._is_open = True
        self.changes: dict[str, bytes | None] = {}
        self.revision: Revision | None = None

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def _read(self, key: str) -> bytes | None:
        if key in self.changes:
            return self.changes[key]
        return self._base._read(key)

    def _keys(self, prefix: str) -> list[str]:
        keys = dict.fromkeys(self._base._keys(prefix), True)
        for key, value in self.changes.items():
            if key.startswith(prefix):
                keys[key] = value is not None
        return sorted(key for key, alive in keys.items() if alive)

    def _children(self, prefix: str) -> list[str]:
        names = (key[len(prefix) :].partition("/")[0] for key in self._keys(prefix))
        return list(dict.fromkeys(names))

    def _write(self, values: dict[str, bytes | None]) -> None:
        self.changes.update(values)

    # Nothing here waits for a disk: a thread would only cost time.
    async def set(self, key: str, value: Buffer) -> None:
        self.set_sync(key, value)

    async def delete(self, key: str) -> None:
        self.delete_sync(key)
