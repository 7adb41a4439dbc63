"""Where the two answers lie closest: margin sampling (Scheffer et al., 2001)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from src_core.acquire.uncertain import Uncertain

if TYPE_CHECKING:
    from src_core.acquire.base import Pool


class Margin(Uncertain):
    """1 - |p(inside) - p(outside)|, mean over the pixels near the target."""

    name: ClassVar[str] = "margin"
    needs: ClassVar[str] = "margin"

    def says(self, pool: Pool, score: float) -> str:
        """Return the score in words."""
        return f"inside or outside is a close call ({score:.2f} of 1)"
