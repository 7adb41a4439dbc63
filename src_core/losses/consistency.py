"""Losses without labels: what two branches say should agree.

LG-SSL's public code distils one branch into the other at temperature T = 2: binary
cross-entropy of ``sigmoid(logit / T)`` against the detached other branch, times T².
Its figure adds the agreement of *differences* between labelled and unlabelled images.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from src_core.ranks import here


def mean_over(losses: Tensor, counts: Tensor) -> Tensor:
    """Mean of losses weighted by what counts, over all ranks; 0 where nothing does.

    Parameters
    ----------
    losses, counts : Tensor
        Of one shape; no gradient flows to the counts.
    """
    return (losses * counts).sum() / here().denominator(counts.sum())


def agreement_loss(
    student: Tensor, teacher: Tensor, *, temperature: float = 2.0
) -> Tensor:
    """Temperature distillation, element by element.

    ``T²·BCE(σ(student/T), σ(teacher/T)) - T²·H(σ(teacher/T))``: the teacher's entropy
    is taken off, so that full agreement costs nothing; the gradient is the source's.

    Parameters
    ----------
    student, teacher : Tensor
        Logits of one shape; no gradient flows to the teacher.
    temperature : float
        T.

    Returns
    -------
    Tensor
        The same shape, zero where both agree.
    """
    soft = torch.sigmoid(teacher.detach().float() / temperature)
    scaled = student.float() / temperature
    cross = F.binary_cross_entropy_with_logits(scaled, soft, reduction="none")
    entropy = torch.special.entr(soft) + torch.special.entr(1.0 - soft)
    divergence: Tensor = (cross - entropy) * temperature**2
    return divergence


def certainty(logits: Tensor) -> Tensor:
    """Probability of the likelier answer, 0.5 to 1; the same shape."""
    probability = logits.float().sigmoid()
    return torch.maximum(probability, 1.0 - probability)


def difference_loss(p1: Tensor, q1: Tensor, p2: Tensor, q2: Tensor) -> Tensor:
    """Diversity in unified predictions: (P1 - Q1) against (P2 - Q2), squared.

    P_i is decoder i on a labelled image, Q_i on the unlabelled one paired with it.

    Parameters
    ----------
    p1, q1, p2, q2 : Tensor
        Probabilities of one shape.

    Returns
    -------
    Tensor
        The same shape.
    """
    return ((p1 - q1) - (p2 - q2)).float().square()


def balanced_mean(loss: Tensor, foreground: Tensor, weight: Tensor) -> Tensor:
    """Mean over pixels in which foreground and background count the same.

    With a target that covers 1-2 % of the picture a plain mean lets the background
    decide, and self-training then empties every mask (measured: Dice 0.70 -> 0.16).

    Parameters
    ----------
    loss : Tensor
        (P, 1, H, W).
    foreground : Tensor
        The same shape, bool: what the teacher takes for the target.
    weight : Tensor
        The same shape, in [0, 1]: which pixels count at all.

    Returns
    -------
    Tensor
        A scalar. A side that no pixel speaks for adds nothing.
    """
    weight = weight.float()
    inside = weight * foreground
    outside = weight - inside
    sides = [
        (loss * side).sum() / here().denominator(side.sum())
        for side in (inside, outside)
    ]
    return 0.5 * (sides[0] + sides[1])


def pseudo_dice_losses(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Soft Dice against another branch's hard answer, where that branch is sure.

    ``1 - (2·Σwpl + 1) / (Σwp + Σwl + 1)`` with p = sigmoid(logits). Distillation alone
    is a mean over pixels, in which a small target hardly counts; Dice counts each
    target the same.

    Parameters
    ----------
    logits, label, weight : Tensor
        (P, 1, H, W); the label is 0 or 1, the weight in [0, 1].

    Returns
    -------
    Tensor
        (P,), of each pair.
    """
    weight = weight.flatten(1).float()
    label = label.flatten(1).float() * weight
    probability = logits.float().sigmoid().flatten(1) * weight
    overlap = (probability * label).sum(1)
    total = probability.sum(1) + label.sum(1)
    return 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)


def pseudo_dice_loss(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Mean over pairs of :func:`pseudo_dice_losses`, a scalar."""
    losses = pseudo_dice_losses(logits, label, weight)
    return mean_over(losses, torch.ones_like(losses))


def pseudo_label_loss(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Supervise with another branch's hard answer: cross-entropy + Dice, 1:1.

    Parameters
    ----------
    logits, label, weight : Tensor
        (P, 1, H, W); the label is 0 or 1, the weight in [0, 1].

    Returns
    -------
    Tensor
        A scalar: the cross-entropy's mean over the pixels that count, and
        :func:`pseudo_dice_loss`.
    """
    weight = weight.float()
    cross = F.binary_cross_entropy_with_logits(
        logits.float(), label.float(), reduction="none"
    )
    return mean_over(cross, weight) + pseudo_dice_loss(logits, label, weight)


def squared_dice_loss(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """One minus Dice with squares below, one value a row; least where both agree.

    ``1 - (2·Σwab + 1) / (Σwa² + Σwb² + 1)``. Without the squares two answers of 0.5
    would be told to leave each other; with them they are content.

    Parameters
    ----------
    first, second : Tensor
        (N, 1, H, W), probabilities; gradients flow to both.
    weight : Tensor
        (N, 1, H, W), in [0, 1]: which pixels count.

    Returns
    -------
    Tensor
        (N,) in [0, 1], zero where both are the same.
    """
    first, second = first.float().flatten(1), second.float().flatten(1)
    weight = weight.float().flatten(1)
    overlap = (weight * first * second).sum(1)
    total = (weight * (first.square() + second.square())).sum(1)
    return 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)
