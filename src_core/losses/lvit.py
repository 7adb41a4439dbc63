"""LViT's losses (Li et al., IEEE TMI 2024, arXiv 2206.14718).

Supervised: 0.5·Dice with squared denominators (``soft_dice_loss(squared=True)``) +
0.5·class-balanced cross-entropy. On pseudo-labels Dice + cross-entropy, in full, +
0.1·L_LV. Dice and cross-entropy have their minimum where prediction and label agree,
whether the label is hard or a probability.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from src_core.losses.consistency import balanced_mean


def class_balanced_cross_entropy(
    logits: Tensor, label: Tensor, counts: Tensor
) -> Tensor:
    """Cross-entropy in which foreground and background weigh one half each.

    The means of the two are taken over all pairs' pixels together, as published.

    Parameters
    ----------
    logits, label : Tensor
        (P, 1, H, W); the label in [0, 1], foreground above one half.
    counts : Tensor
        (P,) of 0 and 1, which pairs count.

    Returns
    -------
    Tensor
        A scalar.
    """
    label = label.float()
    losses = F.binary_cross_entropy_with_logits(logits.float(), label, reduction="none")
    weight = counts.view(-1, 1, 1, 1).expand_as(losses)
    return balanced_mean(losses, label > 0.5, weight)


def language_vision_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """LV loss: one minus the cosine of a prediction and the mask that its text chose.

    ``1 - Σpm / (|p|·|m|)`` with p = sigmoid(logits). An empty mask has no direction:
    it costs nothing, the pseudo-label speaks for such a pair.

    Parameters
    ----------
    logits, mask : Tensor
        (P, 1, H, W); the mask in [0, 1].

    Returns
    -------
    Tensor
        (P,) in [0, 1].
    """
    found, shape = logits.float().sigmoid().flatten(1), mask.float().flatten(1)
    likeness = F.cosine_similarity(found, shape, dim=1)
    return torch.where(shape.amax(1) > 0, 1.0 - likeness, torch.zeros_like(likeness))
