"""What helps to choose what to do next: where to look, when to stop, what to doubt.

Plain values, because they come from the helper process: nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
