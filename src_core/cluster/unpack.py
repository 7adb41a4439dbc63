"""A bundle as a project again, on the machine that trains.

Everything in a bundle comes from elsewhere: its parts are taken by hash from the store
of contents, and every name below the new folder is made here, from numbers.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Final

from src_core.checkpoints import CARD, WEIGHTS
from src_core.cluster.manifest import image_id, target_id
from src_core.files import PRIVATE_FOLDER, fsync_folder
from src_core.rounds.promotion import DOCUMENT
from src_core.store import documents, masks, records
from src_core.store.changes import add_image
from src_core.store.guard import contained
from src_core.store.images import folder_name
from src_core.store.layout import make_project
from src_core.store.ledger import FILE_NAME, Ledger
from src_core.store.rows import Change
from src_core.types import (
    IMPORTED,
    Image,
    MaskStatus,
    Source,
    SourceKind,
    Split,
    Target,
)

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.cluster.blobs import BlobStore
    from src_core.cluster.manifest import ImageEntry, Manifest

_WHO: Final = "bundle"


def unpack(manifest: Manifest, store: BlobStore, root: Path) -> int:
    """Make a project of a bundle, or find the one that was made of it before.

    Parameters
    ----------
    manifest : Manifest
        Read and checked.
    store : BlobStore
        Holds all that it speaks of.
    root : Path
        The project's folder: of this bundle alone. It appears whole, or not at all.

    Returns
    -------
    int
        The position to open it at.

    Raises
    ------
    CorruptError, NotFoundError
        If a content is not what its hash says, or is not there.
    """
    if not root.exists():
        unfinished = root.with_name(f"{root.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        make_project(unfinished, "bundle", _WHO)
        for number, entry in enumerate(manifest.images):
            _place_pixels(unfinished, image_id(number), entry, store)
        _place_model(unfinished, manifest, store)
        _write_ledger(unfinished, manifest, store)
        # All at once: what was written above was not waited for one by one.
        getattr(os, "sync", int)()
        unfinished.replace(root)
        fsync_folder(root.parent)
    with Ledger(root / FILE_NAME) as ledger:
        return ledger.head


def _place_pixels(root: Path, name: str, entry: ImageEntry, store: BlobStore) -> None:
    folder = contained(root, f"{folder_name(name)}/0")
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True)
    store.place(entry.array[0], folder / records.NODE)
    for key, (sha256, _) in entry.chunks.items():
        path = contained(folder, key)
        path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        store.place(sha256, path)


def _place_model(root: Path, manifest: Manifest, store: BlobStore) -> None:
    model = manifest.model
    if model is None:
        return
    folder = contained(root, f"models/{model.version}")
    folder.mkdir(mode=PRIVATE_FOLDER)
    store.place(model.weights[0], folder / WEIGHTS)
    store.place(model.card[0], folder / CARD)


def _write_ledger(root: Path, manifest: Manifest, store: BlobStore) -> None:
    # Unsynced: it can be made again from the bundle, and a revision a mask would
    # otherwise wait for the disk each time.
    with Ledger(root / FILE_NAME, mode="rw", synchronous="OFF") as ledger:
        entries: dict[str, bytes | None] = {}
        for number, target in enumerate(manifest.targets):
            known = Target(target_id(number), target.name, target.prompts)
            entries[records.target_key(known.id)] = records.pack_target(known)
        images = [_image(n, entry) for n, entry in enumerate(manifest.images)]
        for image in images:
            entries |= add_image(image, _WHO)[1]
        if manifest.model is not None:
            answers = {"version": manifest.model.version, "reason": "answers there"}
            entries |= documents.pack({DOCUMENT: json.dumps(answers).encode()})
        ledger.commit(Change(_WHO, "import"), entries)
        for image, entry in zip(images, manifest.images, strict=True):
            for number, chunks in entry.masks.items():
                status = MaskStatus.DONE if chunks else MaskStatus.EMPTY
                change = _change(image, number, status, IMPORTED)
                _write_mask(ledger, image, change, chunks, store)
            for number, guess in entry.proposed.items():
                source = Source(SourceKind.MODEL, guess.model)
                change = _change(image, number, MaskStatus.PROPOSED, source)
                _write_mask(ledger, image, change, guess.chunks, store)


def _change(image: Image, target: int, status: MaskStatus, source: Source) -> Change:
    return Change(
        _WHO,
        "mask",
        image=image.id,
        target=target_id(target),
        status=status,
        source=source,
    )


def _write_mask(
    ledger: Ledger,
    image: Image,
    change: Change,
    chunks: dict[str, tuple[str, int]],
    store: BlobStore,
) -> None:
    prefix = records.mask_prefix(image.id, str(change.target))
    entries: dict[str, bytes | None] = {
        prefix + records.NODE: masks.metadata(image.spatial_shape)
    }
    for key, (sha256, _) in chunks.items():
        entries[prefix + key] = store.content(sha256)
    ledger.commit(change, entries)


def _image(number: int, entry: ImageEntry) -> Image:
    name = image_id(number)
    spatial = len(entry.axes.replace("c", ""))
    return Image(
        id=name,
        name=name,
        sha256=entry.sha256,
        axes=entry.axes,
        shape=entry.shape,
        dtype=entry.dtype,
        spacing=entry.spacing or (1.0,) * spatial,
        unit=entry.unit,
        orientation=entry.orientation,
        direction=entry.direction,
        modality=entry.modality,
        group=f"g{entry.group:07d}" if entry.group else "",
        split=Split(entry.split),
        caption=entry.caption,
    )
