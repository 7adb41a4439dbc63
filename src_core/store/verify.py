"""Whether everything ever stored is still what was stored.

The chain shows any row that was changed, moved or taken out of the middle. It cannot
show that the *newest* rows were cut off or that somebody hashed all of it anew: for
that, keep the newest revision's hash somewhere else (`lgssl history -n 1` prints it).
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from src_core.errors import LgsslError
from src_core.store.images import open_pixels, stored_hash
from src_core.store.rows import COLUMNS, row_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from src_core.store.ledger import Ledger
    from src_core.types import Image

_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was stored.

    Attributes
    ----------
    where : str
        ``"revision 12"``, ``"revision 12, masks/a/b/c/0/0"`` or ``"image a"``.
    problem : str
        What is wrong with it, as a sentence.
    revision : int or None
        The row, where it is one of the ledger.
    """

    where: str
    problem: str
    revision: int | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


def verify(
    root: Path,
    ledger: Ledger,
    position: int,
    images: Callable[[], Iterable[Image]],
    *,
    deep: bool,
) -> list[Finding]:
    """Check a project up to a position; at most 100 findings, first broken first.

    Parameters
    ----------
    root : Path
        The project's folder.
    ledger : Ledger
        Its open ledger.
    position : int
        The last revision to check.
    images : callable
        Lists the images, once the ledger is known to be sound.
    deep : bool
        Hash every value and every pixel too.
    """
    found = _findings(root, ledger, position, images, deep)
    return list(itertools.islice(found, _MOST))


def _findings(
    root: Path,
    ledger: Ledger,
    position: int,
    images: Callable[[], Iterable[Image]],
    deep: bool,
) -> Iterator[Finding]:
    try:
        yield from _pages(ledger, deep)
        yield from _chain(ledger, position, deep)
        known = images()
    except LgsslError as error:
        yield Finding("ledger", str(error))
        return
    except (ValueError, AttributeError, TypeError) as error:
        yield Finding("ledger", f"A row has values that no commit writes ({error}).")
        return
    for image in known:
        problem = _image_problem(root, image, deep)
        if problem:
            yield Finding(f"image {image.id}", problem)


def _image_problem(root: Path, image: Image, deep: bool) -> str:
    try:
        array = open_pixels(root, image)
        if deep and stored_hash(array, image) != image.sha256:
            return "The pixels are not those that were imported."
    except LgsslError as error:
        return str(error)
    except (RuntimeError, ValueError, OSError) as error:
        return f"The pixels cannot be decoded ({error})."
    return ""


def _pages(ledger: Ledger, deep: bool) -> Iterator[Finding]:
    """SQLite's own check of its pages; the deep one compares indexes with tables."""
    check = "integrity_check" if deep else "quick_check"
    for (message,) in ledger.rows(f"PRAGMA {check}(10)"):
        if message != "ok":
            yield Finding("ledger", f"SQLite reports: {message}.")


def _chain(ledger: Ledger, position: int, deep: bool) -> Iterator[Finding]:
    written = _entries(ledger, position, deep)
    pending = next(written, None)
    number, previous = 0, bytes(32)
    rows = f"SELECT {COLUMNS} FROM revision WHERE number <= ? ORDER BY number"
    for row in ledger.rows(rows, (position,)):
        where = f"revision {row[0]}"
        if row[0] != number + 1:
            yield Finding(where, f"Revision {number + 1} is missing.", row[0])
        number = row[0]
        entries: list[tuple[str, bytes | None]] = []
        while pending is not None and pending[0] <= number:
            entries.append((pending[1], pending[2]))
            if pending[3]:
                yield Finding(f"{where}, {pending[1]}", pending[3], number)
            pending = next(written, None)
        fields, digest, before = row[:-2], row[-2], row[-1]
        if before != previous:
            problem = "It does not follow the row before it."
            yield Finding(where, problem, number)
        if row_hash(fields, sorted(entries), before) != digest:
            problem = "The row, or the list of what it wrote, was changed."
            yield Finding(where, problem, number)
        previous = digest
    if pending is not None:
        yield Finding(pending[1], "It belongs to no revision.", pending[0])
    if number != position:
        yield Finding("ledger", f"It ends at revision {number}, not {position}.")


def _entries(
    ledger: Ledger, position: int, deep: bool
) -> Iterator[tuple[int, str, bytes | None, str]]:
    """Yield revision, key, hash and problem of every entry, in order."""
    value = "value" if deep else "NULL"
    sql = (
        f"SELECT revision, key, size, sha256, {value}, value IS NULL FROM entry "
        "WHERE revision <= ? ORDER BY revision, id"
    )
    for revision, key, size, digest, content, removed in ledger.rows(sql, (position,)):
        yield revision, key, digest, _problem(size, digest, content, removed, deep)


def _problem(
    size: int | None, digest: bytes | None, content: Any, removed: bool, deep: bool
) -> str:
    if removed != (digest is None) or removed != (size is None):
        return "The value and its hash do not agree on whether it was removed."
    if not deep or removed:
        return ""
    if len(content) != size or hashlib.sha256(content).digest() != digest:
        return "The value does not match the hash that was recorded with it."
    return ""
