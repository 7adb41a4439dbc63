"""What there is to know before choosing on: where to look, when to stop, what to doubt.

Plain values, because they come from the helper process: nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lgssl_napari.models import opened

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from src_core.rounds.grouping import LookAlikes
    from src_core.store import Project

MOST = 30
"""Lines of each list."""


@dataclass(frozen=True, slots=True, eq=False)
class Where:
    """Where in an image a correction teaches most.

    Attributes
    ----------
    heat : ndarray
        Over the image's spatial shape, 0 to 1: how far the model's opinions part.
    plane : int or None
        Of a volume, the slice to look at first.
    sentence : str
        In words.
    """

    heat: NDArray[np.float32]
    plane: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Named:
    """Images that say something together.

    Attributes
    ----------
    image, target : str
        What a click opens; ``""`` for whatever target is at hand.
    name : str
        Of the image.
    words : str
        What there is to say.
    """

    image: str
    target: str
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Guide:
    """The learning curve and what stands out in the pool.

    Attributes
    ----------
    sentence : str
        What more labels are expected to bring.
    points : tuple of (float, float)
        Labelled pictures and Dice on the validation images, of each version.
    curve : tuple of (float, float, float, float)
        Labelled pictures, expected Dice, and the 90 % interval.
    alike, groups : tuple of Named
        Pictures that are nearly the same, and groups by look.
    """

    sentence: str
    points: tuple[tuple[float, float], ...] = ()
    curve: tuple[tuple[float, float, float, float], ...] = ()
    alike: tuple[Named, ...] = ()
    groups: tuple[Named, ...] = ()


def read_guide(path: Path) -> Guide:
    """Read what is known of a project; for the helper process."""
    from src_core.rounds.grouping import groups_by_look, look_alikes
    from src_core.rounds.outlook import outlook

    project = opened(path)
    ahead = outlook(project)
    alike = look_alikes(project, wait=False)[:MOST]
    groups = [group.images for group in groups_by_look(project)]
    return Guide(
        ahead.sentence,
        tuple((float(p.labelled), p.dice) for p in ahead.points),
        tuple((n, e.mean, e.low, e.high) for n, e in ahead.curve),
        tuple(_named(project, a.images, _suspicion(a)) for a in alike),
        tuple(_named(project, ids, f"{len(ids)} that look alike") for ids in groups),
    )


def find_doubted(project: Project, model: Any) -> tuple[Named, ...]:
    """List the finished masks that a model doubts, the most doubtful first."""
    from src_core.rounds.review import doubts

    return tuple(
        Named(doubt.image, doubt.target, project.image(doubt.image).name, words(doubt))
        for doubt in doubts(project, model)[:MOST]
    )


def words(doubt: Any) -> str:
    """Say what is doubted of a mask, and how much that weighs."""
    learned = "" if doubt.learned else " (drawn after the model was trained)"
    return f"{doubt.sentence}{learned}"


def _named(project: Project, images: tuple[str, ...], said: str) -> Named:
    return Named(images[0], "", project.image(images[0]).name, said)


def _suspicion(alike: LookAlikes) -> str:
    more = len(alike.images) - 1
    others = f"{more} more" if more > 1 else "one more"
    if alike.across_splits:
        return f"nearly the same as {others}: learned from and tested on"
    if alike.across_groups:
        return f"nearly the same as {others}, of another patient"
    return f"nearly the same as {others}"
