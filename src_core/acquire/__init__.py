"""What to label next: one file a strategy, one row each in the table."""

from typing import Final

from src_core.acquire.bald import Bald
from src_core.acquire.base import ALONE, Gallery, Goal, Pick, Pool, Strategy
from src_core.acquire.consistency import Consistency
from src_core.acquire.coreset import Coreset
from src_core.acquire.entropy import Entropy
from src_core.acquire.foreground_random import ForegroundRandom
from src_core.acquire.hybrid import Hybrid
from src_core.acquire.margin import Margin
from src_core.acquire.random import Random
from src_core.acquire.typiclust import TypiClust
from src_core.errors import BadInputError

STRATEGIES: dict[str, type[Strategy]] = {
    Bald.name: Bald,
    Consistency.name: Consistency,
    Coreset.name: Coreset,
    Entropy.name: Entropy,
    ForegroundRandom.name: ForegroundRandom,
    Hybrid.name: Hybrid,
    Margin.name: Margin,
    Random.name: Random,
    TypiClust.name: TypiClust,
}
DEFAULT = Hybrid.name

SCORES: Final = ("entropy", "margin", "bald", "consistency", "foreground")
"""What a model says of a candidate, in a pool's `scores`.

The first four are means over the pixels near the target, of entropy, margin,
disagreement of several opinions and disagreement under augmentation; the last is the
share of the picture that the model takes for the target. Beside them stand ``hot_y``,
``hot_x``, ``hot_z``, ``hot_kind`` and ``hot_beside``: where the opinions part most.
"""


def strategy(name: str) -> Strategy:
    """Return the strategy of that name.

    Raises
    ------
    BadInputError
        If the table has no such strategy.
    """
    if name not in STRATEGIES:
        raise BadInputError(
            f"There is no strategy '{name}'; choose one of {', '.join(STRATEGIES)}."
        )
    return STRATEGIES[name]()


__all__ = [
    "ALONE",
    "DEFAULT",
    "SCORES",
    "STRATEGIES",
    "Gallery",
    "Goal",
    "Pick",
    "Pool",
    "Strategy",
    "strategy",
]
