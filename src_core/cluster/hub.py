"""What a server does with what clients hand in, whoever carries it to the door."""

from __future__ import annotations

import json
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from src_core.cluster.asking import Question
from src_core.cluster.manifest import LARGEST, Blob, Sha, bundle_name, read_manifest
from src_core.cluster.records import Record
from src_core.config import Settings
from src_core.errors import BadInputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from src_core.cluster.blobs import BlobStore
    from src_core.cluster.records import Entry, JobBook

_STALE: Final = 3600.0


class Asked(Settings):
    """The body of a new job."""

    bundle: Sha
    request: str = Field(max_length=1 << 20)
    kind: Literal["train", "ask"] = "train"


class Reached(Settings):
    """The body of a checkpoint."""

    files: dict[str, Blob]


@dataclass(slots=True)
class Hub:
    """What the handlers share.

    Parameters
    ----------
    store : BlobStore
        The contents.
    book : JobBook
        The jobs.
    start, stop : callable
        Called with a job's entry: to have it carried out, and to have it end.
    workers : callable
        Returns how many there are.
    inside : callable
        Returns the port of dask's scheduler for workers of other machines; 0 for none.
    revoked : callable
        Returns the serial numbers that are not let in.
    """

    store: BlobStore
    book: JobBook
    start: Callable[[Entry], None]
    stop: Callable[[Entry], None]
    workers: Callable[[], int]
    inside: Callable[[], int]
    revoked: Callable[[], frozenset[str]]
    # Hash -> bytes of what was said to be coming; bundle -> when, and its part of that.
    _expected: dict[str, int] = field(default_factory=dict)
    _bundles: dict[str, tuple[float, dict[str, int]]] = field(default_factory=dict)

    def expect(self, data: bytes) -> dict[str, Any]:
        """Take a manifest in, and say what of it is missing."""
        manifest = read_manifest(data)
        name, wanted = bundle_name(data), manifest.blobs()
        absent = self.store.missing(wanted)
        now = time.time()
        for old, (heard, _) in list(self._bundles.items()):
            if now - heard > _STALE:
                del self._bundles[old]
        self._bundles[name] = now, {**wanted, name: len(data)}
        self._expected = {
            sha256: size
            for _, blobs in self._bundles.values()
            for sha256, size in blobs.items()
        }
        begun = {sha256: self.store.begun(sha256) for sha256 in absent}
        self.store.forget_unfinished(now - _STALE)
        self.store.make_room(sum(absent.values()) + len(data), self.in_use)
        self.store.append(name, len(data), 0, data)
        return {
            "bundle": name,
            "missing": sorted(absent),
            "begun": {sha256: size for sha256, size in begun.items() if size},
        }

    def in_use(self) -> set[str]:
        """Return every content that a job, or a bundle on its way, refers to."""
        kept = set(self._expected)
        for entry in self.book:
            record = entry.record
            kept |= {sha256 for sha256, _ in record.files.values()}
            kept |= {sha256 for sha256, _ in record.checkpoint.values()}
            if not record.state.is_over and self.store.has(record.bundle):
                kept.add(record.bundle)
                kept |= set(read_manifest(self.store.read(record.bundle)).blobs())
        return kept

    def take(self, body: bytes, *, anything: bool) -> dict[str, Any]:
        """Take pieces of contents in.

        Parameters
        ----------
        body : bytes
            Four bytes with the length of a JSON list of hash, size, offset and length;
            the list; the pieces one after the other.
        anything : bool
            Whether contents that nobody was told to send are taken, too.
        """
        pieces, at = _pieces(body)
        for sha256, size, offset, length in pieces:
            if not anything and self._expected.get(sha256) != size:
                raise NotFoundError(
                    "The server does not wait for this content; start the training "
                    "again."
                )
            self.store.append(sha256, size, offset, body[at : at + length])
            at += length
        return {}

    def add(self, job: str, owner: str, asked: Asked) -> Entry:
        """Take a job in, once all that it needs is here."""
        known = self.book.find(job)
        if known is not None:
            return self.book.of(owner, job)
        if not self.store.has(asked.bundle):
            raise NotFoundError("The server has not got this bundle; send it first.")
        manifest = read_manifest(self.store.content(asked.bundle))
        absent = self.store.missing(manifest.blobs())
        if absent:
            raise NotFoundError(
                f"{len(absent)} contents of this bundle are still missing; send them."
            )
        if asked.kind == "ask":
            Question.model_validate_json(asked.request)
            if manifest.model is None:
                raise BadInputError("There is no model in the bundle to ask.")
        record = Record(
            id=job,
            owner=owner,
            bundle=asked.bundle,
            request=asked.request,
            kind=asked.kind,
            images=len(manifest.images),
            created=time.time(),
        )
        return self.book.add(record)

    def forget(self, entry: Entry) -> None:
        """Forget a job; one that runs ends first, unheard."""
        entry.record = entry.record.model_copy(update={"forgotten": True})
        if entry.record.state.is_over:
            self.book.remove(entry)
        else:
            self.book.save(entry)
            self.stop(entry)


def _pieces(body: bytes) -> tuple[list[tuple[str, int, int, int]], int]:
    """Read the list before the pieces (hash, size, offset, length), and its end."""
    try:
        (length,) = struct.unpack_from(">I", body)
        start = 4 + length
        head = json.loads(body[4:start])
        pieces = [(str(h), int(s), int(o), int(n)) for h, s, o, n in head]
        total = sum(n for *_, n in pieces)
        whole = all(0 <= s <= LARGEST and n >= 0 for _, s, _, n in pieces)
    except (struct.error, ValueError, TypeError, RecursionError) as error:
        raise BadInputError("The contents were not sent as they must be.") from error
    if not whole or start + total != len(body):
        raise BadInputError("The contents do not have the sizes that they declare.")
    return pieces, start
