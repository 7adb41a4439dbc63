"""One row of the ledger as a value, and the hash that chains it to the row before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from src_core.errors import BadInputError, CorruptError
from src_core.types import HUMAN, MaskStatus, Revision, Source, SourceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS: Final = (
    'number, "when", who, what, image, target, status, source, model, prompt, '
    "parent, seconds_spent, reviewer, note, sha256, prev_hash"
)
# A dictionary answers five times sooner than an enumeration's constructor.
_STATUS: Final = {str(status): status for status in MaskStatus}
_MAX_NAME: Final = 200
_MAX_NOTE: Final = 10_000


@dataclass(frozen=True, slots=True)
class MaskRecord:
    """One mask without its pixels: where it stands at a position."""

    image: str
    target: str
    status: MaskStatus
    revision: int


@dataclass(frozen=True, slots=True)
class Effort:
    """A person's time on one mask, in seconds, as one revision recorded it."""

    image: str
    target: str
    seconds: float
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit says about itself; the ledger adds number, time and hashes.

    Attributes
    ----------
    who, what : str
        The author; a verb.
    image, target : str or None
        Which mask.
    status : MaskStatus or None
        The mask's status from now on.
    source : Source
        Where the pixels came from.
    parent : int or None
        The revision of the mask that the author had before them.
    seconds_spent : float
        A person's time.
    reviewer, note : str
        Who signed it off; free text.
    """

    who: str
    what: str
    image: str | None = None
    target: str | None = None
    status: MaskStatus | None = None
    source: Source = HUMAN
    parent: int | None = None
    seconds_spent: float = 0.0
    reviewer: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        limits = (
            ("author", self.who, _MAX_NAME),
            ("verb", self.what, _MAX_NAME),
            ("reviewer", self.reviewer, _MAX_NAME),
            ("note", self.note, _MAX_NOTE),
        )
        for name, value, longest in limits:
            if len(value) > longest or "\0" in value:
                raise BadInputError(
                    f"The {name} may have {longest} characters and no NUL; "
                    f"{value[:40]!r} has {len(value)}."
                )
        if not 0 <= self.seconds_spent < float("inf"):
            raise BadInputError(
                f"The time spent must be 0 s or more, not {self.seconds_spent}."
            )

    def fields(self, number: int, when: str) -> tuple[Any, ...]:
        """The row's columns without its hashes, in the order of `COLUMNS`."""
        return (
            number,
            when,
            self.who,
            self.what,
            self.image,
            self.target,
            None if self.status is None else str(self.status),
            str(self.source.kind),
            self.source.model,
            self.source.prompt,
            self.parent,
            float(self.seconds_spent),
            self.reviewer,
            self.note,
        )


def row_hash(
    fields: Sequence[Any],
    entries: Sequence[tuple[str, bytes | None]],
    previous: bytes,
) -> bytes:
    """Hash a row, what it wrote, and the row before.

    Parameters
    ----------
    fields : sequence
        The columns before the hashes.
    entries : sequence of (str, bytes or None)
        Key and sha256 of each value (None where it was removed), sorted by key.
    previous : bytes
        The row before's hash; 32 zero bytes for the first.

    Returns
    -------
    bytes
        32 bytes of sha256.
    """
    content = [
        list(fields),
        [[key, None if digest is None else digest.hex()] for key, digest in entries],
        previous.hex(),
    ]
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def to_revision(row: Sequence[Any]) -> Revision:
    """A row of the table (in the order of `COLUMNS`) as a value.

    Raises
    ------
    CorruptError
        When it holds what no commit writes.
    """
    (number, when, who, what, image, target, status, kind, model, prompt) = row[:10]
    parent, seconds, _, note, digest, previous = row[10:]
    try:
        return Revision(
            number=number,
            when=when,
            who=who,
            what=what,
            image=image,
            target=target,
            status=None if status is None else _STATUS[status],
            source=Source(SourceKind(kind), model, prompt),
            parent=parent,
            seconds_spent=seconds,
            note=note,
            sha256=digest.hex(),
            prev_hash=previous.hex(),
        )
    except (KeyError, ValueError) as error:
        raise _unreadable(number) from error


def to_record(row: Sequence[Any]) -> MaskRecord:
    """A row of image, target, status and number as a value.

    Raises
    ------
    CorruptError
        When the status is none.
    """
    try:
        return MaskRecord(row[0], row[1], _STATUS[row[2]], row[3])
    except KeyError as error:
        raise _unreadable(row[3]) from error


def _unreadable(number: int) -> CorruptError:
    return CorruptError(
        f"Revision {number} holds what no save writes; run `lgssl verify`, and restore "
        "the project from a backup."
    )
