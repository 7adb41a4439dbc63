"""What each change of a project writes: the audit row, and the keys with their values.

Nothing here touches the disk: a change is worked out against the ledger's newest
revision and handed back for one commit, which refuses it where that has moved on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError, NotFoundError
from src_core.store import masks
from src_core.store.guard import LIMITS, check_size
from src_core.store.records import (
    IMAGES,
    MASKS,
    NODE,
    group_node,
    image_key,
    mask_prefix,
    pack_image,
    unpack_image,
)
from src_core.store.rows import Change
from src_core.types import MaskStatus, Source, SourceKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from src_core.store.catalogue import Catalogue
    from src_core.store.ledger import Ledger
    from src_core.types import Image, Revision, Split

Entries = dict[str, bytes | None]

_CLEARS: Final = frozenset({MaskStatus.EMPTY, MaskStatus.UNLABELLED})
"""Statuses that, saved without pixels, remove those that stand."""


def add_image(image: Image, who: str) -> tuple[Change, Entries]:
    """Make an image known, with the group that its masks go into."""
    change = Change(who, "image", image=image.id, source=Source(SourceKind.IMPORT))
    entries: Entries = {
        image_key(image.id): pack_image(image),
        f"{MASKS}{image.id}/{NODE}": group_node(),
    }
    return change, entries


def update_image(
    catalogue: Catalogue,
    image: Image,
    *,
    split: Split | None,
    group: str | None,
    caption: str | None,
    who: str,
) -> tuple[Change, Entries]:
    """Change what is known about an image; a group moves to another split as one.

    Raises
    ------
    BadInputError
        When the image would join a group that is in another split.
    """
    joined = image.group if group is None else group
    changed = replace(
        image,
        group=joined,
        split=image.split if split is None else split,
        caption=image.caption if caption is None else caption,
    )
    others = [other for other in catalogue.group(joined) if other.id != image.id]
    if split is None and any(other.split != changed.split for other in others):
        raise BadInputError(
            f"'{image.id}' is for {changed.split} and the group '{joined}' for "
            f"{others[0].split}; a group is never divided, so give the split too."
        )
    moved = [replace(other, split=changed.split) for other in others]
    change = Change(who, "image", image=image.id)
    packed = {image_key(item.id): pack_image(item) for item in (changed, *moved)}
    return change, dict(packed)


def check_group(catalogue: Catalogue, group: str, split: Split, name: str) -> None:
    """Refuse a new image whose group is already in another split.

    Raises
    ------
    BadInputError
        It would let a patient's images be both learned from and tested on.
    """
    other = catalogue.member(group)
    if other is not None and other.split != split:
        raise BadInputError(
            f"'{name}' is for {split}, but other images of its group '{group}' are for "
            f"{other.split}; a group is never divided: give all of it one split."
        )


def save_mask(
    ledger: Ledger,
    image: Image,
    target: str,
    array: NDArray[Any] | None,
    change: Change,
) -> Entries:
    """Work out which chunks a saved mask changes.

    Parameters
    ----------
    ledger : Ledger
        Says what stands.
    image : Image
        Whose mask it is.
    target : str
        The target's identifier.
    array : ndarray or None
        0 and 1 over the image's spatial shape; None keeps what stands, or clears it
        where the status says that nothing is there.
    change : Change
        The audit row.

    Raises
    ------
    BadInputError
        When the pixels do not fit the image or contradict the status.
    """
    what = f"'{target}' in '{image.id}'"
    _check_status(change, what)
    shape = image.spatial_shape
    check_size(shape, 1, LIMITS.mask, f"The mask of {what}")
    prefix = mask_prefix(image.id, target)
    entries: Entries = {}
    if ledger.newest(prefix + NODE) is None:
        entries[prefix + NODE] = masks.metadata(shape)
    if array is None:
        if change.status not in _CLEARS:
            return entries
        pixels = np.zeros(shape, np.uint8)
    else:
        pixels = masks.as_mask(array, shape, what)
    if change.status is MaskStatus.EMPTY and pixels.any():
        raise BadInputError(
            f"{what} was called empty on purpose and has {int(pixels.sum())} pixels; "
            "remove them, or save it as done."
        )
    occupied = {
        key.removeprefix(prefix) for key in ledger.rewritten_keys(f"{prefix}c/")
    }
    chunks = masks.encode(pixels, occupied)
    return entries | {f"{prefix}{key}": data for key, data in chunks.items()}


def _check_status(change: Change, what: str) -> None:
    if change.parent is not None and change.parent < 1:
        raise BadInputError(
            f"{what} cannot replace revision {change.parent}; give the number of the "
            "mask that was loaded, or None where there was none."
        )
    if change.status is MaskStatus.FLAGGED and not change.note.strip():
        raise BadInputError(
            f"{what} was flagged for review without a note; say what to look at."
        )
    if change.reviewer and change.reviewer == change.who:
        raise BadInputError(
            f"{what} was made by {change.who}; a second person has to review it."
        )


def sign_off(ledger: Ledger, image: str, target: str, who: str) -> Change:
    """A second person's signature under a finished mask.

    Raises
    ------
    NotFoundError
        When there is no mask.
    BadInputError
        When it is not finished, or the signer is its author.
    """
    head = ledger.mask_head(image, target)
    if head is None or head.status is None:
        raise NotFoundError(f"There is no mask of '{target}' in '{image}' to sign off.")
    if not head.status.is_truth:
        raise BadInputError(
            f"'{target}' in '{image}' is {head.status}; only a mask that is done or "
            "empty on purpose can be signed off."
        )
    author = ledger.mask_author(image, target)
    if not who or who == author:
        raise BadInputError(
            f"'{target}' in '{image}' was made by {author}; a second person has to "
            "sign it off."
        )
    return Change(
        who,
        "sign-off",
        image=image,
        target=target,
        status=head.status,
        source=head.source,
        parent=head.number,
        reviewer=who,
    )


def restore(
    ledger: Ledger, catalogue: Catalogue, number: int, who: str
) -> tuple[Change, Entries]:
    """What brings back the state that one revision left, as a new revision.

    Where that moves an image to another split, its group moves with it.

    Raises
    ------
    NotFoundError
        When there is no such revision.
    BadInputError
        When it changed nothing that can be brought back.
    """
    old = ledger.revision(number)
    keys = _covered(ledger, old)
    is_mask = old.image is not None and old.target is not None
    if not keys and not is_mask:  # a mask may go back to a status without pixels
        raise BadInputError(
            f"Revision {number} ({old.what}) changed nothing that can be restored; "
            "choose one of a mask, an image or a document."
        )
    change = Change(
        who,
        "restore",
        image=old.image,
        target=old.target,
        status=old.status,
        source=old.source,
        note=f"restores revision {number}",
    )
    if old.image is not None and old.target is not None:
        head = ledger.mask_head(old.image, old.target)
        change = replace(change, parent=None if head is None else head.number)
    entries: Entries = {key: ledger.read(key, number) for key in keys}
    return change, _with_groups(catalogue, entries)


def _with_groups(catalogue: Catalogue, entries: Entries) -> Entries:
    """Add the rest of each restored image's group, so that none is divided."""
    added: Entries = {}
    for key, data in entries.items():
        if key.startswith(IMAGES) and data is not None:
            image = unpack_image(key, data)
            for other in catalogue.group(image.group):
                added[image_key(other.id)] = pack_image(
                    replace(other, split=image.split)
                )
    return added | entries


def _covered(ledger: Ledger, old: Revision) -> Sequence[str]:
    """The keys that a revision's restoration may change."""
    if old.image is not None and old.target is not None:
        prefix = mask_prefix(old.image, old.target)
        then, now = (ledger.rewritten_keys(prefix, at) for at in (old.number, None))
        return sorted({*then, *now} - {prefix + NODE})
    if old.what == "create":
        return ()
    written = [entry.key for entry in ledger.entries(old.number)]
    return [key for key in written if not key.startswith(MASKS)]
