"""Images and targets in memory, kept up to date from the ledger's new entries only."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from src_core.store.records import (
    IMAGES,
    NODE,
    TARGETS,
    unpack_image,
    unpack_target,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from src_core.store.ledger import Ledger
    from src_core.types import Image, Target

_ROOTS: Final = (IMAGES + NODE, TARGETS + NODE)


class Catalogue:
    """What a ledger says about images and targets at a position.

    Parameters
    ----------
    ledger : Ledger
        The open ledger.
    at : int, optional
        A frozen position; None follows the newest revision.
    """

    def __init__(self, ledger: Ledger, at: int | None) -> None:
        self._ledger = ledger
        self._at = at
        self._seen = 0
        self._guard = threading.Lock()
        self._images: dict[str, Image] = {}
        self._targets: dict[str, Target] = {}
        self._by_hash: dict[str, str] = {}
        self._members: dict[str, set[str]] = {}

    def images(self) -> list[Image]:
        """List every image, sorted by identifier."""
        with self._fresh():
            return sorted(self._images.values(), key=lambda image: image.id)

    def image(self, identifier: str) -> Image | None:
        """Return one image."""
        with self._fresh():
            return self._images.get(identifier)

    def targets(self) -> list[Target]:
        """List every target, sorted by identifier."""
        with self._fresh():
            return sorted(self._targets.values(), key=lambda target: target.id)

    def with_hash(self, sha256: str) -> Image | None:
        """Return the image with these very pixels."""
        with self._fresh():
            return self._images.get(self._by_hash.get(sha256, ""))

    def groups(self) -> list[str]:
        """List every group's pseudonym."""
        with self._fresh():
            return sorted(self._members)

    def group(self, group: str) -> list[Image]:
        """List a group's images; none where the group is empty or has no name."""
        with self._fresh():
            members = sorted(self._members.get(group, ())) if group else []
            return [self._images[member] for member in members]

    @contextmanager
    def _fresh(self) -> Iterator[None]:
        with self._guard:
            head = self._ledger.head if self._at is None else self._at
            if head != self._seen:
                self._refresh(head)
                self._seen = head
            yield

    def _refresh(self, head: int) -> None:
        changed = self._ledger.values
        for key, data in changed(IMAGES, since=self._seen, at=head):
            if key not in _ROOTS and data is not None:
                self._add(unpack_image(key, data))
        for key, data in changed(TARGETS, since=self._seen, at=head):
            if key not in _ROOTS and data is not None:
                target = unpack_target(key, data)
                self._targets[target.id] = target

    def _add(self, image: Image) -> None:
        before = self._images.get(image.id)
        if before is not None and before.group:
            self._members[before.group].discard(image.id)
            if not self._members[before.group]:
                del self._members[before.group]
        self._images[image.id] = image
        self._by_hash[image.sha256] = image.id
        if image.group:
            self._members.setdefault(image.group, set()).add(image.id)
