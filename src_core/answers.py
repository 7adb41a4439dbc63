"""What answers prompts, and its answers: a model version, or a proposer before one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from src_core.checkpoints import PresenceRule
    from src_core.text import TextEncoder


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's answer to one prompt about one picture.

    Attributes
    ----------
    probability : ndarray
        (H, W) float32 in [0, 1], or (Z, H, W) for a volume.
    score : float
        How sure the model is that the target is there at all, 0 to 1.
    present : bool
        Whether it counts as found: the score passes the version's threshold and at
        least one pixel is likelier inside than outside.
    version : str
        The model that answered.
    milliseconds : float
        For this prompt, the picture's encoding included where it was new.
    evidence, top : float
        What the score was made of: the weaker of the two logits, and that of the
        likeliest pixel; of a volume, those of its best plane.
    plane_scores : tuple of float
        The score of each plane of a volume; of a picture its own.
    """

    probability: NDArray[np.float32]
    score: float
    present: bool
    version: str
    milliseconds: float
    evidence: float = math.nan
    top: float = math.nan
    plane_scores: tuple[float, ...] = ()

    @property
    def mask(self) -> NDArray[np.uint8]:
        """0 and 1, the probability cut at one half; empty where nothing was found."""
        if not self.present:
            return np.zeros(self.probability.shape, np.uint8)
        return self.shape_mask

    @property
    def shape_mask(self) -> NDArray[np.uint8]:
        """The cut at one half whatever the score, for who asks all the same."""
        return (self.probability > 0.5).astype(np.uint8)


class Answerer(ABC):
    """What answers prompts: a model version, or a proposer before there is one.

    Attributes
    ----------
    encoder : TextEncoder
        Tells which known target a wording means.
    """

    encoder: TextEncoder

    @property
    @abstractmethod
    def name(self) -> str:
        """What the history calls it."""

    @property
    @abstractmethod
    def threshold(self) -> float:
        """The score from which a target counts as found."""

    @property
    @abstractmethod
    def learned(self) -> frozenset[str]:
        """Ids of the targets that it has learned from finished masks."""

    def predict(
        self,
        pixels: NDArray[np.generic],
        axes: str,
        prompts: Sequence[str],
        key: str = "",
    ) -> list[Prediction]:
        """Answer prompts about one picture or volume.

        Parameters
        ----------
        pixels : ndarray
            With the axes ``"yx"``, ``"cyx"``, ``"zyx"`` or ``"czyx"``.
        axes : str
            As above.
        prompts : sequence of str
            Each is answered on its own; masks may overlap.
        key : str
            Identifies the pixels; if given, their features are kept for a while.

        Returns
        -------
        list of Prediction
            One a prompt.
        """
        planes = list(self.planes(pixels, axes, prompts, key))
        return planes[0] if "z" not in axes else stack(planes)

    def planes(
        self,
        pixels: NDArray[np.generic],
        axes: str,
        prompts: Sequence[str],
        key: str = "",
    ) -> Iterator[list[Prediction]]:
        """Yield the answers plane by plane; a picture is its own only plane."""
        if "z" not in axes:
            yield self.answer_plane(pixels, axes, prompts, key)
            return
        depth = axes.index("z")
        for z in range(pixels.shape[depth]):
            yield self.answer_plane(
                np.take(pixels, z, axis=depth),
                axes.replace("z", ""),
                prompts,
                f"{key}@{z}" if key else "",
            )

    @abstractmethod
    def answer_plane(
        self, pixels: NDArray[np.generic], axes: str, prompts: Sequence[str], key: str
    ) -> list[Prediction]:
        """Answer prompts about one picture; parameters as :meth:`predict`."""


def judged(
    probability: NDArray[np.float32],
    evidence: float,
    top: float,
    rule: PresenceRule,
    version: str,
    milliseconds: float,
) -> Prediction:
    """Return an answer to one picture as a presence rule sees it.

    Parameters
    ----------
    probability : ndarray
        (H, W) float32.
    evidence, top : float
        See :meth:`PresenceRule.score`.
    rule : PresenceRule
        Decides.
    version : str
        What answered.
    milliseconds : float
        How long it took.
    """
    if not (probability > 0.5).any():  # rounded: a logit can be positive all the same
        top = min(top, 0.0)
    evidence = min(evidence, top)
    score = rule.score(evidence, top)
    return Prediction(
        probability,
        score,
        rule.finds(evidence, top),
        version,
        milliseconds,
        evidence,
        top,
        (score,),
    )


def stack(planes: Sequence[Sequence[Prediction]]) -> list[Prediction]:
    """Join the answers to a volume's planes; a plane without the target stays empty.

    Parameters
    ----------
    planes : sequence
        Of each plane the answers to all prompts.
    """
    return [_stack(answers) for answers in zip(*planes, strict=True)]


def _stack(planes: Sequence[Prediction]) -> Prediction:
    best = max(planes, key=lambda plane: plane.score)
    return Prediction(
        np.stack([plane.probability * plane.present for plane in planes]),
        best.score,
        any(plane.present for plane in planes),
        best.version,
        sum(plane.milliseconds for plane in planes),
        best.evidence,
        best.top,
        tuple(plane.score for plane in planes),
    )
