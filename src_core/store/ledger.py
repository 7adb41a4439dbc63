"""The append-only ledger: keys and values with the row that says who and why.

A commit is one transaction and one row of ``revision`` with any number of ``entry``
rows; the value of a key at position S is its newest entry with ``revision <= S``.
Nothing here knows zarr or masks' pixels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from src_core.errors import (
    ConflictError,
    CorruptError,
    NotFoundError,
    ReadOnlyError,
)
from src_core.store import queries
from src_core.store.database import Database
from src_core.store.rows import (
    COLUMNS,
    Change,
    MaskRecord,
    row_hash,
    to_record,
    to_revision,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from src_core.types import Revision

FILE_NAME: Final = "ledger.sqlite"
HEAD: Final = -1
"""As a change's parent: whatever stands now, no conflict possible."""

_GENESIS: Final = bytes(32)
_LAST: Final = 2**62
_PAGE: Final = 4096
"""Values held at once where all of them are read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as one revision left it; `size` is None where it was removed."""

    key: str
    revision: int
    size: int | None
    sha256: bytes | None


class Ledger:
    """One open ledger file; safe to share between threads.

    Parameters
    ----------
    path : Path
        The SQLite file.
    mode : {"r", "rw"}
        ``"r"`` opens the file read-only; it may be written by others meanwhile.
    create : bool
        Make the file where there is none (only in ``"rw"``).
    synchronous : {"FULL", "OFF"}
        ``"OFF"`` is only for tests that must be able to lose data.

    Raises
    ------
    NotFoundError
        When there is no such file.
    StoreError
        When it is not a ledger, or one of a later program.
    CorruptError
        When it is damaged beyond opening.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        mode: Literal["r", "rw"] = "r",
        create: bool = False,
        synchronous: Literal["FULL", "OFF"] = "FULL",
    ) -> None:
        given = Path(path)
        self.path = given.parent.resolve() / given.name
        self.read_only = mode == "r"
        self.database = Database(
            self.path, read_only=self.read_only, create=create and not self.read_only
        )
        self.database.connection.pragma("synchronous", synchronous)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        self.database.close()

    # ---------------------------------------------------------------- reading
    @property
    def head(self) -> int:
        """Number of the newest revision; 0 in an empty ledger."""
        return self.database.number("SELECT max(number) FROM revision")

    def read(self, key: str, at: int | None = None) -> bytes | None:
        """Return the value of a key at a position, None where there is none.

        Raises
        ------
        CorruptError
            When the value is not the one that was hashed when it was written.
        """
        row = self.database.first(queries.READ, (key, _position(at)))
        return None if row is None else _whole(key, *row)

    def newest(self, key: str, at: int | None = None) -> Entry | None:
        """Return which entry a key has at a position, without its value."""
        row = self.database.first(queries.NEWEST, (key, _position(at)))
        if row is None or row[0] is None:
            return None
        return Entry(key, row[2], row[0], row[1])

    def keys(self, prefix: str = "", at: int | None = None) -> list[str]:
        """List the keys that have a value at a position, sorted.

        One pass over all that was ever written there; where few keys were written
        often, such as a mask's chunks, `rewritten_keys` has them sooner.
        """
        bounds = (prefix, _after(prefix), _position(at))
        return [row[0] for row in self.database.all(queries.LIVE, bounds)]

    def rewritten_keys(self, prefix: str, at: int | None = None) -> list[str]:
        """List what `keys` lists, in a time that does not grow with their history."""
        bounds = (prefix, _after(prefix), _position(at))
        return [row[0] for row in self.database.all(queries.HOPS, bounds)]

    def any_key(self, prefix: str = "", at: int | None = None) -> bool:
        """Whether any key with this prefix has a value."""
        bounds = (prefix, _after(prefix), _position(at))
        return self.database.first(f"{queries.LIVE} LIMIT 1", bounds) is not None

    def children(self, prefix: str = "", at: int | None = None) -> list[str]:
        """List the names directly under a prefix (``""`` or one that ends in /).

        Hops from child to child along the index: a folder of 10,000 masks costs
        10,000 steps and not one for each of their chunks.
        """
        names: list[str] = []
        start: str | bytes = prefix
        end = _after(prefix)
        while row := self.database.first(
            f"{queries.LIVE} LIMIT 1", (start, end, _position(at))
        ):
            name, slash, _ = row[0][len(prefix) :].partition("/")
            names.append(name)
            # Behind "name" come "name!", then "name/...": a leaf and a folder of one
            # name are listed once, and what lies between them is not lost.
            start = _after(f"{prefix}{name}/") if slash else row[0] + "\0"
        return list(dict.fromkeys(names))

    def entries(self, revision: int) -> list[Entry]:
        """List what one revision wrote, sorted by key."""
        rows = self.database.all(
            "SELECT key, revision, size, sha256 FROM entry WHERE revision = ? "
            "ORDER BY key",
            (revision,),
        )
        return [Entry(*row) for row in rows]

    def values(
        self, prefix: str, *, since: int = 0, at: int | None = None
    ) -> Iterator[tuple[str, bytes | None]]:
        """Yield keys and values under a prefix that changed after `since`, sorted.

        A key that was removed since has None; without `since` it is left out.

        Raises
        ------
        CorruptError
            When a value is not the one that was hashed when it was written.
        """
        # One position for all pages, whatever is written between two of them.
        position = self.head if at is None else at
        start, end = prefix, _after(prefix)
        if since:
            changed = self.database.all(queries.CHANGED, (start, end, position, since))
            for key, value, digest, _ in changed:
                yield key, _whole(key, value, digest)
            return
        while page := self.database.all(queries.VALUES, (start, end, position, _PAGE)):
            for key, value, digest, _ in page:
                yield key, _whole(key, value, digest)
            start = page[-1][0] + "\0"

    def revision(self, number: int) -> Revision:
        """Return one row.

        Raises
        ------
        NotFoundError
            When there is none of this number.
        """
        sql = f"SELECT {COLUMNS} FROM revision WHERE number = ?"
        row = self.database.first(sql, (number,))
        if row is None:
            raise NotFoundError(
                f"There is no revision {number}; the newest is {self.head}."
            )
        return to_revision(row)

    def history(
        self,
        image: str | None = None,
        target: str | None = None,
        *,
        key: str | None = None,
        at: int | None = None,
        limit: int | None = None,
    ) -> list[Revision]:
        """List revisions, newest first, of an image, a target, a mask or a key."""
        conditions = {"image = ?": image, "target = ?": target}
        if key is not None:
            conditions["number IN (SELECT revision FROM entry WHERE key = ?)"] = key
        given = {sql: value for sql, value in conditions.items() if value is not None}
        where = " AND ".join(["number <= ?", *given])
        sql = f"SELECT {COLUMNS} FROM revision WHERE {where} ORDER BY number DESC"
        values = [_position(at), *given.values()]
        if limit is not None:
            sql, values = f"{sql} LIMIT ?", [*values, limit]
        return [to_revision(row) for row in self.database.all(sql, values)]

    def mask_head(
        self, image: str, target: str | None, at: int | None = None
    ) -> Revision | None:
        """Return a mask's newest revision; the image's own where target is None."""
        row = self.database.first(queries.MASK_HEAD, (image, target, _position(at)))
        return None if row is None else to_revision(row)

    def mask_author(self, image: str, target: str, at: int | None = None) -> str:
        """Return who made the mask that stands; who signed it off is not its author."""
        row = self.database.first(queries.MASK_AUTHOR, (image, target, _position(at)))
        return "" if row is None else str(row[0])

    def reviewer(self, number: int) -> str:
        """Return who signed a revision off; empty where nobody did."""
        row = self.database.first(
            "SELECT reviewer FROM revision WHERE number = ?", (number,)
        )
        return "" if row is None else str(row[0])

    def masks(self, at: int | None = None, *, since: int = 0) -> list[MaskRecord]:
        """List the newest revision of every mask that changed after `since`.

        Sorted by image and target; one pass along an index, or over what is newer.
        """
        query, values = queries.MASKS, [_position(at)]
        if since:
            query, values = queries.MASKS_SINCE, [*values, since]
        return [to_record(row) for row in self.database.all(query, values)]

    # ---------------------------------------------------------------- writing
    def commit(
        self, change: Change, entries: Mapping[str, bytes | None] | None = None
    ) -> Revision:
        """Append one revision with its entries, in one transaction, durably.

        Parameters
        ----------
        change : Change
            The audit row. Where it names an image and a target and its parent is not
            `HEAD`, the mask's newest revision must be that parent.
        entries : mapping of str to bytes or None
            Key to value; None removes the key. What already stands is not written
            again, so a volume saved whole costs only the chunks that changed.

        Returns
        -------
        Revision
            On the disk when this returns.

        Raises
        ------
        ConflictError
            When somebody changed the mask since `change.parent`.
        ReadOnlyError
            When the ledger was opened for reading.
        LockedError
            When another process wrote for more than 20 s.
        StoreError
            When the disk is full; the ledger is as before.
        """
        if self.read_only:
            raise ReadOnlyError(
                f"'{self.path.parent}' is open for reading only; open it for writing "
                "to change it."
            )
        hashed = [
            (key, value, None if value is None else hashlib.sha256(value).digest())
            for key, value in sorted((entries or {}).items())
        ]
        with self.database.transaction() as connection:
            change = self._with_parent(change)
            kept = [item for item in hashed if self._differs(item[0], item[2])]
            last = self.database.first(
                "SELECT number, sha256 FROM revision ORDER BY number DESC LIMIT 1"
            )
            number, previous = (1, _GENESIS) if last is None else (last[0] + 1, last[1])
            when = datetime.now(UTC).isoformat(timespec="milliseconds")
            digests = [(key, digest) for key, _, digest in kept]
            fields = change.fields(number, when)
            digest = row_hash(fields, digests, previous)
            row = (*fields, digest, previous)
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO revision VALUES ({marks})", row)
            self._insert(number, kept)
        return to_revision(row)

    def _insert(
        self, number: int, kept: Iterable[tuple[str, bytes | None, bytes | None]]
    ) -> None:
        first = self.database.number("SELECT max(id) FROM entry") + 1
        self.database.connection.executemany(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)",
            (
                (i, number, key, None if value is None else len(value), digest, value)
                for i, (key, value, digest) in enumerate(kept, start=first)
            ),
        )

    def _with_parent(self, change: Change) -> Change:
        if change.image is None or change.target is None:
            return replace(change, parent=None)
        head = self.mask_head(change.image, change.target)
        found = None if head is None else head.number
        if change.parent not in (HEAD, found):
            raise ConflictError(change.image, change.target, change.parent, found)
        return replace(change, parent=found)

    def _differs(self, key: str, digest: bytes | None) -> bool:
        standing = self.newest(key)
        return (None if standing is None else standing.sha256) != digest

    def copy_to(self, path: Path) -> None:
        """Copy the whole ledger, consistent at one revision, while others write."""
        self.database.copy_to(path)

    def rows(self, sql: str, values: Iterable[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a query of the checks row by row, without holding them in memory."""
        return self.database.rows(sql, values)


def _whole(key: str, value: bytes | None, digest: bytes | None) -> bytes | None:
    """Return a value if it is the one that was hashed when it was written."""
    # 1 us for a mask's chunk: a rotten bit must not be learned from.
    if value is not None and hashlib.sha256(value).digest() != digest:
        raise CorruptError(
            f"The ledger's value of '{key[:120]}' is not what was written; run "
            "`lgssl verify`, and restore the project from a backup."
        )
    return value


def _position(at: int | None) -> int:
    return _LAST if at is None else at


def _after(prefix: str) -> str | bytes:
    """Return the first key behind every key with a prefix, as SQLite orders them."""
    for end in range(len(prefix), 0, -1):
        code = ord(prefix[end - 1]) + 1
        if 0xD800 <= code <= 0xDFFF:  # surrogates have no UTF-8
            code = 0xE000
        if code <= 0x10FFFF:
            return prefix[: end - 1] + chr(code)
    # Any blob sorts behind any text.
    return b""
