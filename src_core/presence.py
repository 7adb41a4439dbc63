"""What speaks for a target being in a picture at all, and the rule that decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from src_core.config import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES: Final = 13
"""Extents are told of the likeliest 1, 1/2, 1/4 … 1/4096 of a plane."""

SIDE: Final = 256
"""Pixels of a longer side are sampled: an extent is a mean over many."""

SUREST: Final = 15.0
"""Logits beyond are rounded away: float32 holds no probability above."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer to one plane says for the target being there, as logits.

    Attributes
    ----------
    weaker : float
        The weaker of two: the network's own that the target is there at all, and that
        of the likeliest pixel.
    top : float
        Of the likeliest pixel.
    extents : tuple of float
        (13,) see :func:`extents`.
    """

    weaker: float
    top: float
    extents: tuple[float, ...]


def extents(probability: NDArray[np.floating[Any]]) -> tuple[float, ...]:
    """Return how likely the likeliest half, quarter, … of a plane is inside.

    Parameters
    ----------
    probability : ndarray
        (H, W) in [0, 1].

    Returns
    -------
    tuple of float
        (13,): the mean logit of the likeliest ``1 / 2**k`` of the pixels, at least one.
        The larger k, the higher.
    """
    rows, columns = (max(1, -(-side // SIDE)) for side in probability.shape)
    p = np.sort(probability[::rows, ::columns], axis=None)[::-1].astype(np.float64)
    least = 1.0 / (1.0 + math.exp(SUREST))
    p = p.clip(least, 1.0 - least)
    sums = np.cumsum(np.log(p) - np.log1p(-p))
    counts = np.maximum(len(p) >> np.arange(SHARES), 1)
    return tuple((sums[counts - 1] / counts).tolist())


class PresenceRule(Settings):
    """When a target counts as found, and what that was fitted on.

    The evidence is the weaker of two logits: the network's own that the target is there
    at all, and that of the likeliest pixel. Where nobody ever said that a target is not
    there the network says always that it is; so the evidence is also held against that
    of the validation masks that were found: together with the mean logit of as many
    pixels as such a target has, ``(sum - low) / spread`` bounds it from above. What is
    smaller or fainter than all that is known loses its certainty.

    The score is ``sigmoid(slope·evidence + bias)``, fitted on validation pairs where
    both answers occur often enough. Without such pairs the defaults stand: likelier
    there than not.
    """

    slope: float = Field(1.0, gt=0)
    bias: float = 0.0
    threshold: float = Field(0.5, ge=0, le=1)
    share: int = Field(0, ge=0, lt=SHARES, description="2**-share of a plane is usual")
    low: float = Field(0.0, description="less than every known target has")
    spread: float | None = Field(None, gt=0, description="null = none are known")
    auroc: float | None = Field(None, description="on those pairs; null = unknown")
    present: int = Field(0, ge=0, description="validation pairs with the target")
    absent: int = Field(0, ge=0, description="validation pairs without it")
    fitted: bool = Field(False, description="false = the safe defaults")

    def weighed(self, evidence: Evidence) -> float:
        """Return the evidence, held against that of targets known to be there."""
        if self.spread is None:
            return evidence.weaker
        told = evidence.weaker + evidence.extents[self.share]
        return min(evidence.weaker, (told - self.low) / self.spread)

    def score(self, evidence: Evidence) -> float:
        """Return how sure it is that the target is there, 0 to 1.

        Where no pixel is likelier inside than outside, the score is at most that
        pixel's probability: nothing is said to be there that cannot be shown.
        """
        score = _sigmoid(self.slope * self.weighed(evidence) + self.bias)
        return min(score, _sigmoid(evidence.top)) if evidence.top <= 0 else score

    def finds(self, evidence: Evidence) -> bool:
        """Whether the target counts as found."""
        return evidence.top > 0 and self.score(evidence) >= self.threshold

    def report(self) -> dict[str, Any]:
        """Return it as plain values, with its ``"summary"``."""
        return {**self.model_dump(mode="json"), "summary": self.summary}

    @property
    def summary(self) -> str:
        """One sentence for a person."""
        seen = (
            f"{self.present} masks with the target and {self.absent} without among "
            "the validation images"
        )
        if self.auroc is None:
            return f"'Not found' could not be checked: {seen}."
        if not self.fitted:
            return (
                f"'Not found' keeps its safe default: {seen} do not suffice to set it "
                f"by (AUROC {self.auroc:.3f})."
            )
        return f"'Not found' is set by {seen} (AUROC {self.auroc:.3f})."


def _sigmoid(x: float) -> float:
    small = math.exp(-abs(x))
    return (1.0 if x >= 0 else small) / (1.0 + small)
