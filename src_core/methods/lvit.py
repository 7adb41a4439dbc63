"""LViT: language meets vision transformer, with its semi-supervised part.

Li et al., IEEE TMI 2024, arXiv 2206.14718; code ``HUANGLIZI/LViT``. The authors
released the network and supervised training. Of the semi-supervised part there are a
paragraph in the paper, a sentence in their issues ("train a prototype model using the
labeled data to generate the pseudo-label", then train on all) and a loss function;
this is a complete implementation.

Faithful: the double U, PLAM, the text's way in (:mod:`src_core.nets.lvit`), dropout
0.1 in the ViT's path; 0.5·Dice with squared denominators + 0.5·class-balanced
cross-entropy; exponential pseudo-label iteration (EPI), P_t = β·P_{t-1} + (1-β)·P_t
with β = 0.99; on pseudo-labels Dice + cross-entropy + 0.1·L_LV; the LV loss, one minus
the cosine of the prediction and the labelled mask whose text is nearest to the text
of this image; learning rate 3e-4.

[choice], where the source is silent or a project here needs another thing:

- The prototype that makes pseudo-labels is the averaged network after the loop's
  burn-in; it goes on being averaged, and answers about the image as it lies in the
  pool. The label follows the image through turn, zoom and bend.
- Pseudo-labels are iterated an image *and target*, and stay probabilities: both losses
  have their minimum where prediction and label agree. Their weight ramps up.
- The text of the LV loss is what the pair was asked: the image's own caption where it
  was drawn (projects of one target), else a wording of the target. Only masks of the
  same target are candidates. Many have *the* nearest text, all of them where the text
  is a wording; of these the mask most like the pseudo-label is taken, and none where
  none is like it: words that do not tell images apart impose no arbitrary shape. An
  empty mask may be chosen and then asks for nothing. Published: 14 hand-picked masks,
  each with a sentence; here all labelled ones that have been seen.
- Dice is smoothed by one pixel; published are 4e-5, with which an empty mask costs 1
  for any answer but perfect emptiness. The published data have no empty masks.
- Presence is learned as every method here learns it. Images are also jittered, and
  flipped only where no wording names a side: the published flips made "left" false.
- AdamW and one cosine in place of Adam and warm restarts every 10 epochs.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from src_core.augment import jitter, warp
from src_core.config import Fraction
from src_core.losses import (
    class_balanced_cross_entropy,
    language_vision_loss,
    mean_over,
    soft_dice_loss,
)
from src_core.methods.base import (
    Batch,
    Losses,
    Method,
    Moment,
    ask,
    presence_part,
    total,
)
from src_core.methods.memory import EPI, MEGABYTE, Key, Memory
from src_core.nets import LViTNet
from src_core.ranks import here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from src_core.config import ModelSettings
    from src_core.nets import PromptNet


class LViT(Method):
    """Double U with text, pseudo-labels by EPI, and the LV loss."""

    name = "lvit"
    learning_rate = 3e-4

    class Options(Method.Options):
        """Settings of the semi-supervised part."""

        beta: Fraction = Field(0.99, description="of EPI: what a pseudo-label keeps")
        language_vision: float = Field(0.1, ge=0, description="weight of the LV loss")
        jitter: float = Field(0.7, ge=0, description="strength on unlabelled images")
        memory: int = Field(
            256, ge=1, description="MB of pseudo-labels, and of masks with their texts"
        )

    options: Options

    def __init__(
        self, net: PromptNet, options: Mapping[str, Any], *, average: float
    ) -> None:
        super().__init__(net, options, average=average)
        limit = self.options.memory * MEGABYTE
        self.epi = EPI(self.options.beta, limit)
        self.contrastive = ContrastiveMasks(limit)

    @classmethod
    def build(cls, settings: ModelSettings) -> PromptNet:
        """Return the double U, which reads as many tokens as the encoder gives."""
        return LViTNet(settings.net, settings.text.max_tokens)

    def forward(
        self, labelled: Batch, unlabelled: Batch | None, moment: Moment
    ) -> Losses:
        """Return supervised loss + weighted losses on pseudo-labels + LV loss."""
        losses = self._supervised(labelled, moment.rng)
        self.contrastive.remember(labelled)
        if unlabelled is not None and moment.unlabelled > 0:
            parts = self._semi_supervised(unlabelled, moment.rng)
            losses |= {k: moment.unlabelled * v for k, v in parts.items()}
        return total(losses)

    def _supervised(self, batch: Batch, rng: Generator) -> Losses:
        if batch.masks is None:
            raise ValueError("a labelled batch has masks")
        with dropout_from(rng, batch.images.device):
            answers = ask(self.net, batch)
        dice, entropy = segmentation_parts(answers.logits, batch.masks, batch.counts)
        return {
            "segmentation": 0.5 * (dice + entropy),
            "presence": presence_part(answers, batch.masks, batch.counts),
        }

    def _semi_supervised(self, batch: Batch, rng: Generator) -> Losses:
        plain = self._pseudo_labels(batch)  # (P, 1, S, S)
        masks = self.contrastive.choose(batch, plain, rng)
        motion = batch.grid.to(plain.device)[batch.image_of]
        label, mask = warp(torch.cat([plain, masks], dim=1), motion).split(1, dim=1)
        view = jitter(batch.images, rng, strength=self.options.jitter)
        with dropout_from(rng, batch.images.device):
            student = ask(self.net, batch, images=view).logits
        dice, entropy = segmentation_parts(student, label, batch.counts)
        far = mean_over(language_vision_loss(student, mask), batch.counts)
        return {
            "pseudo_label": dice + entropy,
            "language_vision": self.options.language_vision * far,
        }

    def _pseudo_labels(self, batch: Batch) -> Tensor:
        """EPI's labels (P, 1, S, S) of the images as they lie in the pool.

        Zero, and not remembered, for pairs that do not count: these have truth.
        """
        # no_grad, not inference_mode: what comes out enters a loss.
        with torch.no_grad():
            answer = ask(self.average, batch, images=batch.plain).logits
            now = answer.float().sigmoid()
        rows = torch.nonzero(batch.counts > 0).flatten()
        labels = self.epi.iterate(_keys(batch, rows), now[rows])
        return torch.zeros_like(now).index_copy(0, rows, labels)


class ContrastiveMasks(nn.Module):
    """The labelled masks that have been seen, with the text each was asked with.

    Parameters
    ----------
    limit : int
        Bytes of memory; a mask takes a bit a pixel.
    """

    TIE = 1e-5  # cosines nearer than that are of the same words
    MOST = 64  # masks of equally near texts that are looked at

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.memory = Memory(("text", "mask"), limit)

    def remember(self, batch: Batch) -> None:
        """Keep the masks of a labelled batch, once for each text they came with."""
        if batch.plain_masks is None:
            raise ValueError("a labelled batch has masks")
        rows = torch.nonzero(batch.counts > 0).flatten()
        texts = batch.text.pooled[rows].cpu()
        masks = batch.plain_masks[rows].cpu()
        keys = [
            (*pair, zlib.crc32(text.numpy().tobytes()))
            for pair, text in zip(_keys(batch, rows), texts, strict=True)
        ]
        packed = torch.stack([pack(mask) for mask in masks])
        for key, *row in zip(keys, texts, packed, strict=True):
            self.memory.put(key, *row)
        self.memory.share(torch.tensor(keys), texts, packed)

    def choose(self, batch: Batch, labels: Tensor, rng: Generator) -> Tensor:
        """Return the mask that each pair's text chooses, as it lies in the pool.

        Parameters
        ----------
        batch : Batch
            P pairs; one that does not count gets an empty mask.
        labels : Tensor
            (P, 1, S, S), their pseudo-labels: decide among equally near texts.
        rng : Generator
            Draws whom to look at where very many are equally near.

        Returns
        -------
        Tensor
            (P, 1, S, S) of 0 and 1, float; empty where there is none to choose.
        """
        chosen = torch.zeros(labels.shape)
        texts, targets = batch.text.pooled.cpu(), batch.target_of.cpu()
        found = (labels > 0.5).flatten(1).cpu()  # (P, S·S)
        counts = (batch.counts > 0).cpu()
        for target in targets[counts].unique().tolist():
            rows = [self.memory[key] for key in self.memory if key[1] == target]
            if not rows:
                continue
            known = torch.stack([text for text, _ in rows])  # (n, D)
            for pair in torch.nonzero(counts & (targets == target)).flatten().tolist():
                # Not a matrix product: autocast would round it, and ties would break.
                near = F.cosine_similarity(texts[pair][None], known)  # (n,)
                equal = torch.nonzero(near >= near.max() - self.TIE).flatten()
                equal = equal[torch.randperm(len(equal), generator=rng)[: self.MOST]]
                masks = unpack(torch.stack([rows[i][1] for i in equal]))
                likeness = _likeness(found[pair], masks)
                if len(masks) == 1 or likeness.max() > 0:
                    best = masks[int(likeness.argmax())]
                    chosen[pair] = best.view(chosen.shape[1:])
        return chosen.to(labels.device)


def segmentation_parts(
    logits: Tensor, label: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor]:
    """Return Dice and class-balanced cross-entropy over the pairs that count."""
    dice = mean_over(soft_dice_loss(logits, label, squared=True), counts)
    return dice, class_balanced_cross_entropy(logits, label, counts)


@contextmanager
def dropout_from(rng: Generator, device: torch.device) -> Iterator[None]:
    """Let dropout draw from `rng`, the only source of chance of a step.

    Dropout knows torch's own generators alone: they are seeded from `rng`, and put
    back as they were.
    """
    # Other images than on other ranks: other units are dropped.
    seed = int(torch.randint(2**62, (1,), generator=rng)) + here().number
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def pack(mask: Tensor) -> Tensor:
    """(..., S, S) uint8 of 0 and 1 -> (n,) uint8, eight pixels each."""
    bits = 2 ** torch.arange(8, dtype=torch.uint8)
    return (mask.flatten().view(-1, 8) * bits).sum(1, dtype=torch.uint8)


def unpack(packed: Tensor) -> Tensor:
    """(m, n) uint8 -> (m, 8·n) bool."""
    bits = 2 ** torch.arange(8, dtype=torch.uint8)
    return ((packed[..., None] & bits) > 0).flatten(1)


def _likeness(found: Tensor, masks: Tensor) -> Tensor:
    """Cosine of (n,) bool with each of (m, n) bool: (m,), 1 where both are empty."""
    overlap = (masks & found).sum(1).float()
    sizes = masks.sum(1).float() * found.sum()
    both_empty = ~masks.any(1) & ~found.any()
    return torch.where(both_empty, 1.0, overlap / sizes.sqrt().clamp_min(1.0))


def _keys(batch: Batch, rows: Tensor) -> list[Key]:
    """Image and target of the pairs at `rows`."""
    images = batch.index[batch.image_of[rows]].tolist()
    return list(zip(images, batch.target_of[rows].tolist(), strict=True))
