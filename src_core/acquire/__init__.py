"""What to label next: one file a strategy, one row each in the table."""

from src_core.acquire.base import Candidate, Pick, Strategy
from src_core.acquire.entropy import Entropy
from src_core.acquire.foreground_random import ForegroundRandom
from src_core.acquire.random import Random
from src_core.errors import BadInputError

STRATEGIES: dict[str, type[Strategy]] = {
    Entropy.name: Entropy,
    ForegroundRandom.name: ForegroundRandom,
    Random.name: Random,
}
DEFAULT = Entropy.name


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


__all__ = ["DEFAULT", "STRATEGIES", "Candidate", "Pick", "Strategy", "strategy"]
