"""What a round changed, image by image, kept beside the version that it gave."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from src_core.errors import CorruptError
from src_core.files import write_private
from src_core.rounds.gate import Key, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "comparison.json"


@dataclass(frozen=True, slots=True)
class Pair:
    """One validation image and target, before and after a round.

    Attributes
    ----------
    image, target : str
        Ids.
    old : float or None
        Dice of the version that answered before; None where there was none.
    new : float
        Dice of the version that the round gave.
    """

    image: str
    target: str
    old: float | None
    new: float

    @property
    def change(self) -> float:
        """New less old; without an old one, as if it had found nothing."""
        return self.new - (self.old or 0.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A version beside the one that answered before it.

    Attributes
    ----------
    version : str
    against : str
        The other, ``""`` for the first version.
    verdict : Verdict
        What the gate made of it.
    pairs : tuple of Pair
        Every finished mask of the validation images.
    """

    version: str
    against: str
    verdict: Verdict
    pairs: tuple[Pair, ...]

    def most_changed(self, count: int) -> list[Pair]:
        """Return the pairs that changed most, for better or worse, most first."""
        return sorted(self.pairs, key=lambda pair: -abs(pair.change))[:count]


def compare(
    old: Mapping[Key, float] | None, new: Mapping[Key, float]
) -> tuple[Pair, ...]:
    """Put the Dices of two versions side by side.

    Parameters
    ----------
    old : mapping or None
        (image, target) -> Dice; None where no version answered before.
    new : mapping
        The same pairs, of the new version.
    """
    return tuple(
        Pair(*key, None if old is None else old[key], value)
        for key, value in new.items()
    )


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Write it into the version's folder."""
    content = json.dumps(dataclasses.asdict(comparison))
    write_private(folder / FILE, content.encode())


def read_comparison(folder: Path) -> Comparison | None:
    """Read it from a version's folder; None for versions of before it was kept.

    Raises
    ------
    CorruptError
        If the file is not what was written.
    """
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        return Comparison(
            found["version"],
            found["against"],
            Verdict(**found["verdict"]),
            tuple(Pair(**pair) for pair in found["pairs"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"The comparison of model version '{folder.name}' is damaged; the model "
            "itself is not. Train again to have a new one."
        ) from error
