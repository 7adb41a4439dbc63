"""The seam of a method: how a batch becomes a loss. The loop is never its own."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import ValidationError
from torch import Generator, Tensor, nn

from src_core.config import Settings
from src_core.errors import BadInputError
from src_core.imaging.prepare import standardise
from src_core.losses import deep_supervision_loss, mean_over, presence_loss
from src_core.nets import PromptUNet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from src_core.config import ModelSettings
    from src_core.nets import Answer, PromptNet
    from src_core.text.base import TextFeatures

PRESENCE_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Batch:
    """B images and P pairs: which image is asked with which prompt.

    The labelled and the unlabelled batch of a step are paired row by row: pair p asks
    image ``image_of[p]`` of either batch with the same prompt.

    Attributes
    ----------
    images : Tensor
        (B, 3, s, s), each of mean 0 and deviation 1. The labelled ones are moved and
        jittered; the unlabelled ones only moved, a method perturbs them itself.
    text : TextFeatures
        P rows, frozen.
    image_of : Tensor
        (P,) long.
    target_of : Tensor
        (P,) long, which target the prompt means; wordings differ, the target does not.
    masks : Tensor or None
        (P, 1, s, s) of 0 and 1; None where nobody labelled.
    counts : Tensor
        (P,) of 0 and 1: whether the pair counts in this batch. An unlabelled pair
        does not where its image is in truth labelled for that target.
    index : Tensor
        (B,) long, the images' rows in the pool: what a method remembers of an image
        it keeps under this number.
    squares : Tensor
        (B, C, S, S) uint8, the images as they lie in the pool, neither moved nor
        jittered. Their side S is at least the step's side s: small pictures come first.
    mean, deviation : Tensor
        (B,), of those.
    grid : Tensor
        (B, s, s, 2), how each was moved: what was remembered of a plain image is
        brought to where the moved one stands by ``augment.warp``.
    plain_masks : Tensor or None
        (P, 1, S, S) uint8, the masks as they lie in the pool, beside `squares`.
    """

    images: Tensor
    text: TextFeatures
    image_of: Tensor
    target_of: Tensor
    masks: Tensor | None
    counts: Tensor
    index: Tensor
    squares: Tensor
    mean: Tensor
    deviation: Tensor
    grid: Tensor
    plain_masks: Tensor | None

    @property
    def plain(self) -> Tensor:
        """(B, 3, S, S), the squares as a network takes them; only LViT asks for it."""
        plain = standardise(self.squares, self.mean, self.deviation)
        return plain.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where in its budget the training stands.

    Attributes
    ----------
    progress : float
        Share of the budget that is spent, 0 to 1.
    unlabelled : float
        0 while burning in, rising to 1 along the ramp.
    rng : Generator
        The only source of chance of a step.
    """

    progress: float
    unlabelled: float
    rng: Generator


Losses = dict[str, Tensor]


class Method(nn.Module, ABC):
    """A network, its average, and the way from batches to a loss.

    A class names itself (`name`), how many decoders it trains, whether it looks at
    unlabelled images, and the learning rate that its network takes where the settings
    name none.

    Parameters
    ----------
    net : PromptNet
        Is trained.
    options : Mapping
        The method's own settings, checked against :attr:`Options`.
    average : float
        EMA decay of the averaged copy, which is also the teacher where there is one.

    Attributes
    ----------
    steps : int
        Made so far; the average follows the first ones more closely.
    """

    name: ClassVar[str]
    decoders: ClassVar[int] = 1
    uses_unlabelled: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 2e-3

    class Options(Settings):
        """Settings of this method alone."""

    def __init__(
        self, net: PromptNet, options: Mapping[str, Any], *, average: float
    ) -> None:
        super().__init__()
        self.options = self.read_options(options)
        self.net = net
        self.average = copy.deepcopy(net).eval().requires_grad_(False)
        self._decay = average
        self.steps = 0

    @classmethod
    def read_options(cls, options: Mapping[str, Any]) -> Any:
        """Check the method's own settings.

        Raises
        ------
        BadInputError
            If there is no such setting, or it cannot have that value.
        """
        try:
            return cls.Options(**options)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInputError(
                f"The method '{cls.name}' has no such setting or value: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}."
            ) from error

    @classmethod
    def build(cls, settings: ModelSettings) -> PromptNet:
        """Return the network that this method trains, with fresh weights."""
        return PromptUNet(settings.net.model_copy(update={"decoders": cls.decoders}))

    @abstractmethod
    def forward(
        self, labelled: Batch, unlabelled: Batch | None, moment: Moment
    ) -> Losses:
        """Return ``{"loss": total, ...parts}``, scalars.

        Parameters
        ----------
        labelled : Batch
            With masks.
        unlabelled : Batch or None
            Without; None while burning in and for methods that have no use for it.
        moment : Moment
            Where the training stands.
        """

    def join(self) -> None:
        """Prepare for unlabelled images; called once, before the first of them."""

    def after_step(self) -> None:
        """Move the average: EMA whose decay grows at first, buffers as well."""
        self.steps += 1
        decay = min(self._decay, self.steps / (self.steps + 10))
        with torch.no_grad():
            mine = [
                p for p in self.average.state_dict().values() if p.is_floating_point()
            ]
            new = [p for p in self.net.state_dict().values() if p.is_floating_point()]
            torch._foreach_lerp_(mine, new, 1.0 - decay)


def ask(
    net: PromptNet,
    batch: Batch,
    *,
    images: Tensor | None = None,
    others: Tensor | None = None,
    first_only: bool = False,
    stop_gradient: bool = False,
) -> Answer:
    """Ask a network about every pair of a batch.

    Parameters
    ----------
    net : PromptNet
        The network.
    batch : Batch
        Pairs and prompts.
    images : Tensor, optional
        Another view of ``batch.images``, (B, 3, S, S).
    others : Tensor, optional
        (R,) long, the pairs that the decoders after the first are asked about; all of
        them if not given.
    first_only : bool
        Do not ask the decoders after the first at all.
    stop_gradient : bool
        Cut the prompts' features off: they are learned from labelled images only.
    """
    view = batch.images if images is None else images
    seen = net.encode(view, first_only=first_only)
    read = net.prompt(batch.text.tokens, batch.text.mask)
    if stop_gradient:
        read = read.detach()
    pairs = seen.select(batch.image_of)
    return net.answer(pairs, read, others=others, first_only=first_only)


def supervised_losses(answers: Answer, batch: Batch) -> Losses:
    """Return the supervised parts on the labelled pairs, a mean over those that count.

    Raises
    ------
    ValueError
        If the batch has no masks.
    """
    if batch.masks is None:
        raise ValueError("a labelled batch has masks")
    parts = []
    for decoded, rows in zip(answers.decoded, answers.rows, strict=True):
        losses = deep_supervision_loss(decoded.logits, decoded.deep, batch.masks[rows])
        parts.append(mean_over(losses, batch.counts[rows]))
    return {
        "segmentation": torch.stack(parts).mean(),
        "presence": presence_part(answers, batch.masks, batch.counts),
    }


def presence_part(answers: Answer, masks: Tensor, counts: Tensor) -> Tensor:
    """Return the weighted loss of "is it there at all", over the pairs that count."""
    there = (masks.flatten(1).amax(1) > 0).float()
    return PRESENCE_WEIGHT * mean_over(presence_loss(answers.presence, there), counts)


def total(losses: Losses) -> Losses:
    """Return the losses with their sum as ``"loss"``."""
    return {"loss": torch.stack(list(losses.values())).sum(), **losses}
