"""Why an image was picked, in words for the person who will label it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from src_core.acquire.base import Pool

UNLIKE: Final = 0.75
"""Share of the other candidates that lie nearer to what is labelled, from which an
image counts as unlike it."""

AT: Final = ("along the outline", "inside what it found", "beside what it found")
"""Where in relation to the mask that the model would draw, by number."""

NO_MODEL: Final = "there is no model yet"
BY_CHANCE: Final = "drawn by chance among the images not yet labelled, patients in turn"


def place(y: float, x: float) -> str:
    """Name a place; of the picture, because a patient's left is another.

    Parameters
    ----------
    y, x : float
        0 at the upper and the left edge, 1 at the lower and the right one.

    >>> place(0.1, 0.9)
    'at the upper right of the picture'
    >>> place(0.5, 0.5), place(0.9, 0.5)
    ('in the middle of the picture', 'at the bottom of the picture')
    """
    row = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else ""
    column = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    if not row and not column:
        return "in the middle of the picture"
    if not column:
        row = {"upper": "top", "lower": "bottom"}[row]
    return f"at the {' '.join(filter(None, (row, column)))} of the picture"


def where(pool: Pool, candidate: int) -> str:
    """Say where in the image the model's opinions part; empty where unknown."""
    scores = pool.scores
    if "hot_y" not in scores or not np.isfinite(scores["hot_y"][candidate]):
        return ""
    kind, beside, z = (
        int(np.nan_to_num(scores[name][candidate], nan=-1))
        for name in ("hot_kind", "hot_beside", "hot_z")
    )
    parts = [place(scores["hot_y"][candidate], scores["hot_x"][candidate])]
    if z >= 0:
        parts.append(f"in slice {z + 1}")
    if 0 <= beside < len(pool.goals):
        parts.append(f"where it borders on '{pool.goals[beside].name}'")
    elif 0 <= kind < len(AT):
        parts.insert(0, AT[kind])
    return ", ".join(parts)


def likeness(pool: Pool, candidate: int) -> str:
    """Say how new the image is beside what is labelled, and what comes nearest.

    Nothing where none of what is labelled has been looked at yet.
    """
    goal = pool.goals[pool.goal[candidate]]
    row = pool.image[candidate]
    nearest = goal.nearest_row[row]
    what = f" for '{goal.name}'" if len(pool.goals) > 1 and goal.name else ""
    if nearest < 0:
        return "" if goal.finished else f"the first to be labelled{what}"
    named = pool.gallery.names[nearest]
    apart = goal.nearest[pool.image[pool.goal == pool.goal[candidate]]]
    nearer = (apart < goal.nearest[row]).sum() / max(1, len(apart) - 1)
    if nearer >= UNLIKE:
        return f"unlike anything labelled so far{what} (nearest: {named})"
    if nearer <= 1 - UNLIKE and len(apart) > 1:
        return f"much like {named}, which is labelled{what}"
    return f"nearest of what is labelled{what}: {named}"


def joined(*parts: str) -> str:
    """Join the parts that say something to one sentence without a full stop."""
    return "; ".join(part for part in parts if part)
