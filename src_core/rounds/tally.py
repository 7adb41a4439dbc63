"""What is kept of a model's opinions: a row of numbers for each image and target."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Place = tuple[float, float, float]

SUMS: Final = (
    "near",
    "entropy",
    "margin",
    "bald",
    "consistency",
    "found",
    "outline",
    "shared",
    "either",
    "pixels",
)
"""Added up over the views of an image: pixels near the target, the scores over these;
pixels found, and those of their outline; what the first two voices both found, twice,
and what each found; pixels of the picture."""

HOT: Final = ("heat", "hot_z", "hot_y", "hot_x", "hot_kind", "hot_beside")
"""Of the view with most heat: how much, which slice, where in the picture, where in
relation to the mask, and beside which other target; -1 for none."""

COLUMNS: Final = (*SUMS, "presence", *HOT)

SAME_VOICE: Final = 0.5
"""Dice of two voices, median over the pool, below which the second counts as one that
has not learned yet."""


class Voices(IntEnum):
    """Whose further opinions there are."""

    NONE = 0
    DECODERS = 1
    DROPOUT = 2


def merged(rows: Floats) -> Floats:
    """Sum up the views of one image: (v, K, `COLUMNS`) -> (K, `COLUMNS`)."""
    whole = np.empty(rows.shape[1:], np.float32)
    end = len(SUMS)
    whole[:, :end] = rows[:, :, :end].sum(0)
    whole[:, end] = rows[:, :, end].max(0)
    hottest = rows[:, :, end + 1].argmax(0)
    whole[:, end + 1 :] = rows[hottest, np.arange(rows.shape[1]), end + 1 :]
    return whole


def only(rows: Floats, asked: NDArray[np.bool_]) -> Floats:
    """Keep of a view (K, `COLUMNS`) the targets that were asked about in it, (K,).

    The others are shown in another window, and add nothing here.
    """
    kept = np.where(asked[:, None], rows, np.float32(0.0))
    kept[~asked, COLUMNS.index("presence")] = -np.inf
    return kept


def moved(rows: Floats, move: Callable[[float, float, float], Place]) -> Floats:
    """Bring the hottest places of an image (K, `COLUMNS`) elsewhere, if there are any.

    Parameters
    ----------
    rows : ndarray
        Of one image, merged.
    move : callable
        Takes and returns slice, height and width as they are kept.
    """
    at = [COLUMNS.index(name) for name in ("hot_z", "hot_y", "hot_x")]
    out = rows.copy()
    for row in out:
        if row[COLUMNS.index("heat")] > 0:
            row[at] = move(*(float(value) for value in row[at]))
    return out


def scores(rows: Floats) -> Mapping[str, Floats]:
    """Turn tallies (M, K, `COLUMNS`) into the scores of a pool, (M, K) each."""
    of = {name: rows[..., column] for column, name in enumerate(COLUMNS)}
    near = np.maximum(of["near"], 1.0)
    told = {name: of[name] / near for name in ("entropy", "margin", "consistency")}
    told["bald"] = of["bald"] / near if _two_voices(of) else np.full_like(near, np.nan)
    told["foreground"] = of["found"] / np.maximum(of["pixels"], 1.0)
    told |= {name: np.where(of["heat"] > 0, of[name], np.nan) for name in HOT[1:]}
    return {name: np.asarray(score, np.float32) for name, score in told.items()}


def traits(rows: Floats) -> Floats:
    """(…, `COLUMNS`) -> (…, 2): what a correction's time may depend on.

    The logarithms of the outline's length and of the pixels of which the model is
    unsure, in bits.
    """
    outline, unsure = (
        rows[..., COLUMNS.index(name)] for name in ("outline", "entropy")
    )
    return np.log1p(np.stack([outline, unsure], axis=-1))


def _two_voices(of: Mapping[str, Floats]) -> bool:
    """Whether there is a second voice, and one that has learned."""
    said = (of["bald"] > 0) & (of["either"] > 0)
    if not said.any():
        return False
    agreement = of["shared"][said] / of["either"][said]
    return bool(np.median(agreement) >= SAME_VOICE)
