"""Losses, one job a file; each is held to a slow float64 reference by its test."""

from src_core.losses.consistency import (
    agreement_loss,
    balanced_mean,
    certainty,
    difference_loss,
    mean_over,
    pseudo_dice_loss,
    pseudo_dice_losses,
    pseudo_label_loss,
    squared_dice_loss,
)
from src_core.losses.lvit import (
    class_balanced_cross_entropy,
    language_vision_loss,
)
from src_core.losses.segmentation import (
    cross_entropy,
    deep_supervision_loss,
    presence_loss,
    segmentation_loss,
    soft_dice_loss,
)

__all__ = [
    "agreement_loss",
    "balanced_mean",
    "certainty",
    "class_balanced_cross_entropy",
    "cross_entropy",
    "deep_supervision_loss",
    "difference_loss",
    "language_vision_loss",
    "mean_over",
    "presence_loss",
    "pseudo_dice_loss",
    "pseudo_dice_losses",
    "pseudo_label_loss",
    "segmentation_loss",
    "soft_dice_loss",
    "squared_dice_loss",
]
