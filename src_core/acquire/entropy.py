"""Where the model is least sure: binary entropy near the target (Settles, 2009)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from src_core.acquire.uncertain import Uncertain

if TYPE_CHECKING:
    from src_core.acquire.base import Pool


class Entropy(Uncertain):
    """Mean entropy of the pixels near the predicted target, in bits."""

    name: ClassVar[str] = "entropy"
    needs: ClassVar[str] = "entropy"

    def says(self, pool: Pool, score: float) -> str:
        """Return the score in words."""
        return f"the model is unsure ({score:.2f} bit a pixel)"
