"""Supervised losses on pairs of image and prompt: cross-entropy, soft Dice, presence.

LG-SSL's public code adds cross-entropy and soft Dice 1:1, with deep supervision; a
prompt is a yes-or-no question at each pixel, so the cross-entropy is binary here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def soft_dice_loss(
    logits: Tensor, mask: Tensor, *, smooth: float = 1.0, squared: bool = False
) -> Tensor:
    """One minus soft Dice, one value a pair.

    ``1 - (2·Σpm + s) / (Σp + Σm + s)`` with p = sigmoid(logits), sums over pixels.
    Squared, with ``Σp² + Σm²`` below the line, it is zero where p = m, whatever m.

    Parameters
    ----------
    logits, mask : Tensor
        (P, 1, H, W); the mask holds 0 and 1, or probabilities.
    smooth : float
        s, in pixels; makes an empty mask that is rightly left empty cost nothing.
    squared : bool
        Square the denominator's terms.

    Returns
    -------
    Tensor
        (P,) in [0, 1].
    """
    probability = logits.float().sigmoid().flatten(1)
    mask = mask.float().flatten(1)
    overlap = (probability * mask).sum(1)
    if squared:
        probability, mask = probability.square(), mask.square()
    total = probability.sum(1) + mask.sum(1)
    return 1.0 - (2.0 * overlap + smooth) / (total + smooth)


def cross_entropy(logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over pixels, one value a pair (P,)."""
    losses = F.binary_cross_entropy_with_logits(
        logits.float(), mask.float(), reduction="none"
    )
    return losses.flatten(1).mean(1)


def segmentation_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy + soft Dice, 1:1; (P, 1, H, W) twice -> (P,)."""
    return cross_entropy(logits, mask) + soft_dice_loss(logits, mask)


def deep_supervision_loss(
    logits: Tensor, deep: Sequence[Tensor], mask: Tensor
) -> Tensor:
    """Segmentation loss at every scale, each scale half the weight of the finer one.

    Parameters
    ----------
    logits : Tensor
        (P, 1, H, W).
    deep : sequence of Tensor
        Coarser logits (P, 1, h, w), finest first; the mask is averaged down to them.
    mask : Tensor
        (P, 1, H, W).

    Returns
    -------
    Tensor
        (P,), weights normalised to sum 1.
    """
    total = segmentation_loss(logits, mask)
    weight, weights = 0.5, 1.0
    for coarse in deep:
        small = F.adaptive_avg_pool2d(
            mask.float(), (coarse.shape[-2], coarse.shape[-1])
        )
        total = total + weight * segmentation_loss(coarse, small)
        weights, weight = weights + weight, weight / 2
    return total / weights


def presence_loss(logit: Tensor, present: Tensor) -> Tensor:
    """Binary cross-entropy of "is it there at all"; (P,) twice -> (P,)."""
    return F.binary_cross_entropy_with_logits(
        logit.float(), present.float(), reduction="none"
    )
