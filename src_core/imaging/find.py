"""Pictures in folders: every format, with DICOM files put together into series."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from src_core.errors import UserError
from src_core.imaging.dicom import Found, file_away, gather
from src_core.imaging.read import READERS
from src_core.imaging.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from src_core.imaging.dicom import Filed

_DICOM = READERS[-1]
_FOLDERS = tuple(reader for reader in READERS if reader.folders)


def find_sources(
    paths: Iterable[str | Path | Source],
    look: Callable[[list[Path]], Iterable[Filed]] | None = None,
) -> Found:
    """List the pictures in files, in folders and below.

    DICOM files are grouped by their series, wherever they lie, and a series' slices
    are sorted by position. An image that is a folder (OME-Zarr) counts as one, and
    nothing is looked for inside it; hidden files are left out. A file that is named
    itself is always listed, even one that nothing can read.

    Parameters
    ----------
    paths : iterable of str, Path or Source
        Files and folders.
    look : callable, optional
        Reads the headers of many DICOM files, several at once.

    Returns
    -------
    Found
        Sorted by path; with what cannot be used, and why.
    """
    plain: list[Source] = []
    dicom: list[Path] = []
    for named in paths:
        source = Source.of(named)
        if source.part or not source.path.is_dir() or _is_one(source.path):
            _sort_in(source, plain, dicom)
        else:
            for path in _walk(source.path):
                _sort_in(Source(path), plain, dicom)
    files = list(dict.fromkeys(dicom))
    found = gather(look(files) if look else map(file_away, files))
    for source in dict.fromkeys(plain):
        _expand(source, found)
    found.sources.sort(key=lambda source: source.order)
    return found


def _is_one(path: Path) -> bool:
    return any(reader.can_read(path) for reader in _FOLDERS)


def _sort_in(source: Source, plain: list[Source], dicom: list[Path]) -> None:
    """Keep a file of a series for later, and any other source as it is."""
    if not source.part and source.path.is_file() and _is_dicom(source.path):
        dicom.append(source.path)
    else:
        plain.append(source)


def _is_dicom(path: Path) -> bool:
    first = next((reader for reader in READERS if reader.can_read(path)), None)
    return first is _DICOM


def _expand(source: Source, found: Found) -> None:
    """Add what a file holds; what cannot be told now will be told when it is read."""
    reader = next((one for one in READERS if one.can_read(source.path)), None)
    if source.part or reader is None or not source.path.exists():
        found.sources.append(source)
        return
    try:
        found.sources.extend(reader.sources(source.path))
    except UserError as error:
        found.failed.append((str(source.path), str(error)))
    except Exception:
        # a damaged file fails again when it is read, with a sentence that says how
        found.sources.append(source)


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if _is_one(path):
                yield path
            else:
                yield from _walk(path)
        elif any(reader.can_read(path) for reader in READERS):
            yield path
