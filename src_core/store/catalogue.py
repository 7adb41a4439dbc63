"""Images, targets and where masks stand, held in memory: only what is new is read."""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from src_core.errors import StoreError
from src_core.store.records import (
    IMAGES,
    NODE,
    TARGETS,
    unpack_image,
    unpack_target,
)
from src_core.store.remembered import WORTH_IT, Remembered, recall, remember
from src_core.types import Image, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from src_core.store.ledger import Ledger
    from src_core.store.rows import MaskRecord

_GROWTH: Final = 1.1
"""The images are remembered anew when there are so many times as many."""

R = TypeVar("R", bound=Image | Target)


class Catalogue:
    """What a ledger says about images, targets and masks at a position.

    The three are read apart: to ask for one mask of 100,000, the targets are enough.

    Parameters
    ----------
    ledger : Ledger
        The open ledger.
    at : int, optional
        A frozen position; None follows the newest revision.
    cache : Path, optional
        Folder in which the images of a large project are remembered.
    """

    def __init__(
        self, ledger: Ledger, at: int | None, cache: Path | None = None
    ) -> None:
        self._ledger, self._cache = ledger, cache
        self._recalled = 0
        self._by_hash: dict[str, str] = {}
        self._members: dict[str, set[str]] = {}
        self._images = _Shelf(
            ledger, at, IMAGES, unpack_image, self._note, self._recall
        )
        self._targets = _Shelf(ledger, at, TARGETS, unpack_target)
        self._masks = _Masks(ledger, at)

    def images(self) -> list[Image]:
        """List every image, sorted by identifier."""
        return self._images.sorted()

    def targets(self) -> list[Target]:
        """List every target, sorted by identifier."""
        return self._targets.sorted()

    def masks(self) -> list[MaskRecord]:
        """List where every mask stands, sorted by image and target."""
        return self._masks.sorted()

    def with_hash(self, sha256: str) -> Image | None:
        """Return the image with these very pixels."""
        with self._images.fresh() as known:
            return known.get(self._by_hash.get(sha256, ""))

    def groups(self) -> list[str]:
        """List every group's pseudonym."""
        with self._images.fresh():
            return sorted(self._members)

    def member(self, group: str) -> Image | None:
        """Return any one image of a group: what holds for a group holds for each."""
        with self._images.fresh() as known:
            return next((known[one] for one in self._members.get(group, ())), None)

    def group(self, group: str) -> list[Image]:
        """List a group's images; none where the group is empty or has no name."""
        with self._images.fresh() as known:
            members = sorted(self._members.get(group, ())) if group else []
            return [known[member] for member in members]

    def remember(self, cache: Path) -> None:
        """Spare the next opening of a large project to read every image's record.

        Does nothing where few are new since that was done last, or the disk is full.
        """
        images, position = self._images.state()
        if len(images) < max(WORTH_IT, _GROWTH * self._recalled):
            return
        digest = self._ledger.revision(position).sha256
        with suppress(OSError, StoreError):
            remember(cache, Remembered(position, digest, images))
            self._recalled = len(images)

    def _recall(self, head: int) -> tuple[list[Image], int]:
        """Return the images as they were at a position up to this one."""
        found = None if self._cache is None else recall(self._cache)
        if found is None or not 0 < found.position <= head:
            return [], 0
        # A file of another ledger, or of one that went back to a backup.
        if self._ledger.revision(found.position).sha256 != found.sha256:
            return [], 0
        self._recalled = len(found.images)
        return found.images, found.position

    def _note(self, before: Image | None, image: Image) -> None:
        """Keep track of who belongs to which group."""
        if before is not None and before.group:
            self._members[before.group].discard(image.id)
            if not self._members[before.group]:
                del self._members[before.group]
        self._by_hash[image.sha256] = image.id
        if image.group:
            self._members.setdefault(image.group, set()).add(image.id)


class _Shelf(Generic[R]):
    """The records under one prefix, read again only where they changed."""

    def __init__(
        self,
        ledger: Ledger,
        at: int | None,
        prefix: str,
        unpack: Callable[[str, bytes], R],
        note: Callable[[R | None, R], None] | None = None,
        recall: Callable[[int], tuple[list[R], int]] | None = None,
    ) -> None:
        self._ledger, self._at = ledger, at
        self._prefix = prefix
        self._unpack = unpack
        self._note = note
        self._recall = recall
        self._known: dict[str, R] = {}
        self._sorted: list[R] | None = None
        self._seen = 0
        self._guard = threading.Lock()

    @contextmanager
    def fresh(self) -> Iterator[dict[str, R]]:
        """Hold the records still, as they are at the position now."""
        with self._guard:
            self._refresh()
            yield self._known

    def sorted(self) -> list[R]:
        """List the records by identifier, in a list of the caller's own."""
        with self._guard:
            self._refresh()
            if self._sorted is None:
                self._sorted = sorted(self._known.values(), key=lambda each: each.id)
            return self._sorted.copy()

    def state(self) -> tuple[list[R], int]:
        """Return the records, and the position at which they are so."""
        with self.fresh() as known:
            return list(known.values()), self._seen

    def _refresh(self) -> None:
        head = self._ledger.head if self._at is None else self._at
        if head == self._seen:
            return
        with _uncollected():
            if not self._seen and self._recall is not None:
                recalled, self._seen = self._recall(head)
                self._take_in(recalled)
            changed = self._ledger.values(self._prefix, since=self._seen, at=head)
            self._take_in(
                self._unpack(key, data)
                for key, data in changed
                if data is not None and key != self._prefix + NODE
            )
        self._seen = head

    def _take_in(self, records: Iterable[R]) -> None:
        known, note = self._known, self._note
        for record in records:
            if note is not None:
                note(known.get(record.id), record)
            known[record.id] = record
            self._sorted = None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no rubbish meanwhile.

    100,000 records are no rubbish, and were looked through again and again as they
    came: 0.2 s of 1.5.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Masks:
    """Where every mask stands: the ledger's rows are gone over once, not each time."""

    def __init__(self, ledger: Ledger, at: int | None) -> None:
        self._ledger, self._at = ledger, at
        self._known: dict[tuple[str, str], MaskRecord] = {}
        self._seen = 0
        self._guard = threading.Lock()

    def sorted(self) -> list[MaskRecord]:
        """List the masks, in a list of the caller's own."""
        with self._guard:
            head = self._ledger.head if self._at is None else self._at
            if head != self._seen:
                before = len(self._known)
                for record in self._ledger.masks(head, since=self._seen):
                    self._known[record.image, record.target] = record
                if self._seen and len(self._known) > before:
                    self._known = dict(sorted(self._known.items(), key=_name))
                self._seen = head
            return list(self._known.values())


def _name(item: tuple[tuple[str, str], object]) -> tuple[str, str]:
    return item[0]
