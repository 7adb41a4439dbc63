"""Labels that a table asks for and no mask holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src_core.exchange.decode import DecodedMask

Label = tuple[str, int | tuple[int, ...]]


class Values:
    """The labels of an import's masks.

    A label that one mask lacks is absent there, as an organ may be. One that all lack,
    though they hold others, is likelier a slip in the table, of which nobody would
    hear otherwise: each mask would say that the target is not there.
    """

    def __init__(self) -> None:
        self._masks: Counter[Label] = Counter()
        self._lacking: dict[Label, DecodedMask] = {}
        self._found: set[Label] = set()

    def met(self, mask: DecodedMask) -> None:
        """Count a mask that was taken in."""
        row = mask.row
        if row.value is None or mask.is_partial:
            return
        label = (row.target, row.value)
        self._masks[label] += 1
        if mask.instead:
            self._lacking.setdefault(label, mask)
        elif label not in self._found and mask.mask.any():
            self._found.add(label)

    def notes(self) -> list[tuple[str, str]]:
        """Return a mask's file and a sentence for each label that was never found."""
        return [
            (
                str(mask.row.mask),
                f"the label {label[1]} of '{label[0]}' is in none of "
                f"{self._masks[label]} masks, and this one holds labels from "
                f"{mask.instead[0]} to {mask.instead[1]}; all were taken as 'not "
                "there'. If that is a slip, correct the column 'value' and import "
                "again with --replace",
            )
            for label, mask in self._lacking.items()
            if label not in self._found
        ]
