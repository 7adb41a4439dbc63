"""Look-alikes and typicality: slow to work out, so kept beside a pool's shelves."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.acquire.likeness import typicality
from src_core.acquire.looks import WAY, twins
from src_core.rounds.shelf import Rows, Shelf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Integers = NDArray[np.int64]

QUICK: Final = 4000
"""Pictures that are compared with one another at once, in a fraction of a second. More
of them, a minute's work for 100,000, are compared by the worker."""


def look_alikes_of(looks: Shelf, home: Path, *, wait: bool = False) -> Rows:
    """Return each picture's set of look-alikes.

    Parameters
    ----------
    looks : Shelf
        With thumbnails.
    home : Path
        Folder in which the answer is kept.
    wait : bool
        Compare however many there are; else, of many, an earlier answer serves.

    Returns
    -------
    Rows
        With ``"twin"`` (n,): equal numbers look alike.
    """
    shelf = Shelf(home / f"twins-{WAY}", "look-alikes")
    kept = shelf.read()
    count = looks.count()
    if len(kept) == count or (count > QUICK and not wait):
        return kept
    pictures = looks.read(only=("thumbnail",))
    if len(kept) == len(pictures):  # the same ones, some of them there twice
        return kept
    found = {"twin": twins(pictures.arrays["thumbnail"].astype(np.float32))}
    shelf.replace(pictures.ids, found)
    return Rows(pictures.ids, found)


def numbers_for(ids: Sequence[str], alike: Rows) -> Integers:
    """Return the number of each image's set of look-alikes, its own where it has none.

    Parameters
    ----------
    ids : sequence of str
        (n,) images.
    alike : Rows
        As :func:`look_alikes_of` returns them, of these images and others.
    """
    if not len(alike):
        return np.arange(len(ids))
    number = dict(zip(alike.ids, alike.arrays["twin"].tolist(), strict=True))
    fresh = len(alike.ids)
    return np.array(
        [number.get(name, fresh + row) for row, name in enumerate(ids)], np.int64
    )


def typicality_of(
    rows: Rows, features: Floats, twin: Integers, stamp: Sequence[str], home: Path
) -> Floats:
    """Return how typical each image is; kept for a state of the shelves.

    A picture that is there ten times is not ten times as typical.

    Parameters
    ----------
    rows : Rows
        Of n images.
    features : ndarray
        (n, D), by which images are likened.
    twin : ndarray
        (n,), equal numbers look alike; see :func:`numbers_for`.
    stamp : sequence of str
        The state of the shelves: another one is worked out anew.
    home : Path
        Folder in which the answer is kept.

    Returns
    -------
    ndarray
        (n,), 0 to 1.
    """
    digest = hashlib.blake2b("/".join(stamp).encode(), digest_size=8).hexdigest()
    shelf = Shelf(home / "typical", digest)
    kept = shelf.read()
    if kept.ids == rows.ids:
        return np.asarray(kept.arrays["typical"])
    _, once, back = np.unique(twin, return_index=True, return_inverse=True)
    typical = typicality(features[once], np.random.default_rng(0))[back]
    shelf.replace(rows.ids, {"typical": typical})
    return typical
