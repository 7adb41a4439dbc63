"""Supervised only: the labelled images, and nothing else.

The baseline that every other method must beat with the same labels and seconds.
"""

from __future__ import annotations

from src_core.methods.base import (
    Batch,
    Losses,
    Method,
    Moment,
    ask,
    supervised_losses,
    total,
)


class Supervised(Method):
    """Cross-entropy + Dice on labelled pairs."""

    name = "supervised"
    uses_unlabelled = False

    def forward(
        self, labelled: Batch, unlabelled: Batch | None, moment: Moment
    ) -> Losses:
        """Return the supervised loss; unlabelled images are not looked at."""
        return total(supervised_losses(ask(self.net, labelled), labelled))
