"""VerSemi: many tasks, one model (Zeng et al., IEEE TMI 2025, arXiv 2311.11686).

Original code: ``maxwell0027/VerSemi``. Its second stage is commented out in the
published main; it is carried out here.

Faithful: the dynamic task-prompted head (:mod:`src_core.nets.dynamic_head`); the
synthetic CutMix task, images of different tasks mixed in pairs (a rectangle of 2/3 of
the side), whose target is the union foreground of both pieces. Stage 1: the task's own
loss + Dice of the synthetic head on the mix against the union + 1/2 [Dice of task a on
the mix + Dice of task b on the mix]. Stage 2 adds mixes of a labelled rectangle in an
unlabelled image (sides U(0.3, 0.6)): Dice between the synthetic answer and the
voxel-wise largest task answer on the same mix, with gradients to both, + Dice of the
synthetic answer inside the pasted rectangle against the labels. Dice has squares below.
Mixes are made whatever data set the two images come from.

Deviations:

- The network is as large as the others' and two-dimensional; the task code is the
  prompt's text [choice]. See :mod:`src_core.nets.dynamic_head`, also for the answer
  whether a target is there, which the source has not.
- The published images are labelled for one task each, and what is not labelled counts
  as background. Here an image may be labelled for several targets and unlabelled never
  is background: task a is not judged in the piece of an image that nobody labelled for
  a, and for the union the head's own answer stands in there, without gradient [choice].
  The synthetic code says of which tasks it is the union [choice].
- The rectangle's sides are drawn apart, one pair an image.
- The task's own loss is cross-entropy + Dice with presence as all methods'.
- Stage 2 begins when unlabelled images join, and its terms ramp up as all methods' do;
  stage 1's go on beside it, while the published stage 2 leaves out the tasks' own
  losses on labelled mixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from pydantic import Field
from torch import Generator, Tensor

from src_core.augment import cutmix_boxes
from src_core.config import Fraction
from src_core.losses import mean_over, squared_dice_loss
from src_core.methods.base import (
    Batch,
    Losses,
    Method,
    Moment,
    supervised_losses,
    total,
)
from src_core.methods.mixing import same_question
from src_core.nets import DynamicHeadNet

if TYPE_CHECKING:
    from src_core.config import ModelSettings
    from src_core.nets import PromptNet, TaskCodes


class VerSemi(Method):
    """A head written by the prompt, and a synthetic task on mixed images."""

    name = "versemi"

    class Options(Method.Options):
        """Weights of the terms beside the task's own loss, and the rectangles."""

        synthetic: float = Field(1.0, ge=0, description="synthetic task, labelled mix")
        tasks: float = Field(1.0, ge=0, description="the tasks on the labelled mix")
        agreement: float = Field(1.0, ge=0, description="synthetic and largest task")
        pasted: float = Field(1.0, ge=0, description="synthetic inside the rectangle")
        side: Fraction = Field(2 / 3, description="of the rectangle in labelled mixes")
        shortest: Fraction = Field(0.3, description="side in mixes with unlabelled")
        longest: Fraction = Field(0.6, description="side in mixes with unlabelled")

    options: Options

    @classmethod
    def build(cls, settings: ModelSettings) -> PromptNet:
        """Return the network with the dynamic head."""
        return DynamicHeadNet(settings.net)

    def forward(
        self, labelled: Batch, unlabelled: Batch | None, moment: Moment
    ) -> Losses:
        """Return stage 1's losses and, once unlabelled images joined, stage 2's."""
        net = cast("DynamicHeadNet", self.net)
        read = net.prompt(labelled.text.tokens, labelled.text.mask)
        seen = net.encode(labelled.images)
        answers = net.answer(seen.select(labelled.image_of), read)
        losses = supervised_losses(answers, labelled)
        if len(labelled.images) > 1 and self.options.synthetic + self.options.tasks > 0:
            losses |= self._labelled_mixes(net, labelled, read, moment.rng)
        if unlabelled is not None and moment.unlabelled > 0:
            parts = self._unlabelled_mixes(net, labelled, unlabelled, read, moment.rng)
            losses |= {k: moment.unlabelled * v for k, v in parts.items()}
        return total(losses)

    def _labelled_mixes(
        self, net: DynamicHeadNet, batch: Batch, read: TaskCodes, rng: Generator
    ) -> Losses:
        """Stage 1's two terms on mixes of labelled images."""
        mixes = LabelledMixes.make(batch, self.options.side, rng)
        read, count = read.select(mixes.pairs), len(mixes.images)
        seen = net.encode(mixes.images)
        task = net.answer(seen.select(mixes.mix_of), read).logits.float().sigmoid()
        own = squared_dice_loss(task, mixes.truth, mixes.known)
        judged = mixes.known.flatten(1).amax(1)
        united = net.unite(read, mixes.mix_of, mixes.counts, count)
        synthetic = net.answer(seen, united).logits.float().sigmoid()
        target = mixes.union_foreground(task.detach())
        union = squared_dice_loss(synthetic, target, torch.ones_like(target))
        asked = asked_of(mixes.mix_of, mixes.counts, count)
        return {
            "synthetic": self.options.synthetic * mean_over(union, asked),
            "tasks on mixes": self.options.tasks * mean_over(own, judged),
        }

    def _unlabelled_mixes(
        self,
        net: DynamicHeadNet,
        labelled: Batch,
        unlabelled: Batch,
        read: TaskCodes,
        rng: Generator,
    ) -> Losses:
        """Stage 2's two terms: a labelled rectangle in each unlabelled image."""
        options, images, mix_of = self.options, unlabelled.images, labelled.image_of
        boxes = cutmix_boxes(
            len(images),
            (images.shape[-2], images.shape[-1]),
            rng,
            low=options.shortest,
            high=options.longest,
        ).to(images.device)
        counts = labelled.counts * unlabelled.counts
        seen = net.encode(torch.where(boxes, labelled.images, images))
        task = net.answer(seen.select(mix_of), read).logits.float().sigmoid()
        united = net.unite(read, mix_of, counts, len(images))
        synthetic = net.answer(seen, united).logits.float().sigmoid()
        largest = largest_of(task, mix_of, counts, len(images))
        agreement = squared_dice_loss(synthetic, largest, torch.ones_like(largest))
        if labelled.masks is None:
            raise ValueError("a labelled batch has masks")
        union = largest_of(labelled.masks, mix_of, counts, len(images))
        pasted = squared_dice_loss(synthetic, union, boxes)
        asked = asked_of(mix_of, counts, len(images))
        return {
            "agreement": options.agreement * mean_over(agreement, asked),
            "pasted": options.pasted * mean_over(pasted, asked),
        }


@dataclass(frozen=True, slots=True)
class LabelledMixes:
    """M mixes of two labelled images each, asked what either of the two was asked.

    Attributes
    ----------
    images : Tensor
        (M, 3, S, S), a rectangle of the second image in the first.
    pairs : Tensor
        (P,) long, rows of the batch's pairs.
    mix_of : Tensor
        (P,) long, the mix that each pair is asked about.
    truth : Tensor
        (P, 1, S, S), the pair's target in the mix, 0 where it is not known.
    known : Tensor
        (P, 1, S, S) of 0 and 1: 0 in the piece of an image that nobody labelled for
        this target.
    counts : Tensor
        (P,) of 0 and 1.
    """

    images: Tensor
    pairs: Tensor
    mix_of: Tensor
    truth: Tensor
    known: Tensor
    counts: Tensor

    @classmethod
    def make(cls, batch: Batch, side: float, rng: Generator) -> LabelledMixes:
        """Mix the first half of a batch's images with the second half.

        Of an odd number of images the last one is left alone.

        Raises
        ------
        ValueError
            If the batch has no masks.
        """
        if batch.masks is None:
            raise ValueError("a labelled batch has masks")
        half, device = len(batch.images) // 2, batch.images.device
        size = (batch.images.shape[-2], batch.images.shape[-1])
        boxes = cutmix_boxes(len(batch.images), size, rng, low=side, high=side)
        boxes = boxes[:half].to(device)  # drawn an image, as all chance is
        first, second = batch.images[:half], batch.images[half : 2 * half]
        pairs = torch.nonzero(batch.image_of < 2 * half).flatten()
        image = batch.image_of[pairs]
        there, partner = same_question(batch, (batch.image_of + half) % (2 * half))
        there, partner = there[pairs], partner[pairs]
        mix_of = image % half
        # Where the pair's own image lies: inside the rectangle for the second images.
        own = boxes[mix_of] == (image >= half).view(-1, 1, 1, 1)
        counts = batch.counts[pairs]
        other_counts = there * batch.counts[partner]
        known = torch.where(
            own, counts.view(-1, 1, 1, 1), other_counts.view(-1, 1, 1, 1)
        )
        truth = torch.where(own, batch.masks[pairs], batch.masks[partner]) * known
        return cls(
            torch.where(boxes, second, first), pairs, mix_of, truth, known, counts
        )

    def union_foreground(self, answers: Tensor) -> Tensor:
        """Return the synthetic task's target (M, 1, S, S).

        Parameters
        ----------
        answers : Tensor
            (P, 1, S, S), probabilities that stand in where the truth is not known.
        """
        foreground = torch.where(self.known > 0, self.truth, answers)
        return largest_of(foreground, self.mix_of, self.counts, len(self.images))


def largest_of(maps: Tensor, group_of: Tensor, counts: Tensor, groups: int) -> Tensor:
    """Pixel by pixel the largest of each group's maps, at least 0.

    Parameters
    ----------
    maps : Tensor
        (P, 1, S, S), not negative.
    group_of : Tensor
        (P,) long.
    counts : Tensor
        (P,) of 0 and 1, whether a map takes part.
    groups : int
        G.

    Returns
    -------
    Tensor
        (G, 1, S, S), 0 in a group without maps.
    """
    maps = maps * counts.view(-1, 1, 1, 1)
    index = group_of.view(-1, 1, 1, 1).expand_as(maps)
    empty = maps.new_zeros((groups, *maps.shape[1:]))
    return empty.scatter_reduce(0, index, maps, "amax", include_self=True)


def asked_of(group_of: Tensor, counts: Tensor, groups: int) -> Tensor:
    """Return (G,) of 0 and 1: whether any pair of a group counts."""
    return torch.zeros(groups, device=counts.device).scatter_reduce(
        0, group_of, counts, "amax"
    )
