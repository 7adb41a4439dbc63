"""Where the answer changes with the light: disagreement under augmentation.

Gao et al., ECCV 2020, arXiv 1910.07153: the consistency that semi-supervised training
asks for, used to choose. The view is the student's, strong changes of intensity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from src_core.acquire.uncertain import Uncertain

if TYPE_CHECKING:
    from src_core.acquire.base import Pool


class Consistency(Uncertain):
    """Mutual information of the answers to the plain and to a perturbed view."""

    name: ClassVar[str] = "consistency"
    needs: ClassVar[str] = "consistency"

    def says(self, pool: Pool, score: float) -> str:
        """Return the score in words."""
        return f"brightness and contrast change the answer ({score:.3f} bit a pixel)"
