"""The labelled store: every correction a version, nothing ever lost.

`Project` is the door. The modules behind it, from the disk upwards::

    guard, zstd, lock                refused names and sizes, one writer
    schema, database, queries, rows  one SQLite file: its tables, what it is asked
    ledger                           the append-only ledger and its hash chain
    key_values, zarr_store           zarr's interface; the ledger as a zarr v3 store
    records, catalogue, documents    what the ledger's keys mean
    remembered                       the images of a large project, read sooner
    images, image_store, staging     pixels: written once, checked when read, made ready
    masks, truth                     masks as chunks; which of them are truth
    groups, layout, changes          pseudonyms; the folder; what each change writes
    view, edit, project              one project: what reads, what writes, its opening
    journal, journal_records         unsaved strokes, and the bytes they are kept as
    backup, scratch                  one file; where it is made, beside its place
    verify                           is it all still there

Names are loaded when first used: importing this package costs neither zarr nor SQLite.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src_core.store.journal import Pending, StrokeJournal
    from src_core.store.ledger import Ledger
    from src_core.store.masks import Mask
    from src_core.store.project import Project
    from src_core.store.rows import Change, MaskRecord
    from src_core.store.verify import Finding
    from src_core.store.zarr_store import LedgerStore

_WHERE = {
    "Change": "rows",
    "Finding": "verify",
    "Ledger": "ledger",
    "LedgerStore": "zarr_store",
    "Mask": "masks",
    "MaskRecord": "rows",
    "Pending": "journal",
    "Project": "project",
    "StrokeJournal": "journal",
}

__all__ = [
    "Change",
    "Finding",
    "Ledger",
    "LedgerStore",
    "Mask",
    "MaskRecord",
    "Pending",
    "Project",
    "StrokeJournal",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
