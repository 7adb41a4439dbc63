"""Where several opinions part: mutual information (Houlsby et al., arXiv 1112.5745).

The opinions are those of a method's decoders, or passes with dropout where the network
really has it (Gal et al., arXiv 1703.02910). A network with neither has one opinion
only, and then there is nothing to rank by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from src_core.acquire.uncertain import Uncertain

if TYPE_CHECKING:
    from src_core.acquire.base import Pool


class Bald(Uncertain):
    """Entropy of the mean opinion less the mean entropy of the opinions, in bits."""

    name: ClassVar[str] = "bald"
    needs: ClassVar[str] = "bald"

    def says(self, pool: Pool, score: float) -> str:
        """Return the score in words."""
        return f"{pool.voices} disagree ({score:.3f} bit a pixel)"
