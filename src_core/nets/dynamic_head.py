"""VerSemi's network: a prompt-free U, and a small head that the prompt writes anew.

Source: the dynamic task-prompted head of VerSemi (``maxwell0027/VerSemi``, IEEE TMI
2025). Where :class:`PromptUNet` asks its decoder anew for each prompt, here all of the
picture's work is prompt-free, and a prompt costs 180 weights and the three tiny
convolutions that they make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src_core.nets.base import Answer, Decoded, PromptNet
from src_core.nets.blocks import ConvNorm, resize, take
from src_core.nets.encoder import ContextNeck, build_encoder
from src_core.nets.skip_path import SkipPath
from src_core.nets.text_vision import PromptReader, code_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from src_core.config import NetSettings

HEAD_CHANNELS = 8
# Input and output channels of the three layers. The last are two 8->2 side by side, as
# published: outside and inside of the target, and a second pair.
HEAD_LAYERS = ((HEAD_CHANNELS, 8), (8, 8), (8, 4))
HEAD_WEIGHTS = sum(wide_in * wide_out + wide_out for wide_in, wide_out in HEAD_LAYERS)


@dataclass(frozen=True, slots=True)
class DynamicSeen:
    """The prompt-free part of the work, for B images.

    Attributes
    ----------
    features : Tensor
        (B, 8, H/2, W/2), what a head looks at.
    pooled : Tensor
        (B, C), the bottleneck's mean: half of what writes a head.
    """

    features: Tensor
    pooled: Tensor

    def select(self, rows: Tensor) -> DynamicSeen:
        """Return what is kept of the images at `rows` (P,) long, repeats allowed."""
        return DynamicSeen(take(self.features, rows), self.pooled[rows])


@dataclass(frozen=True, slots=True)
class TaskCodes:
    """K prompts as task codes.

    Attributes
    ----------
    vector : Tensor
        (K, E).
    """

    vector: Tensor

    def __len__(self) -> int:
        return len(self.vector)

    def select(self, rows: Tensor) -> TaskCodes:
        """Return the codes at `rows` (P,) long, repeats allowed."""
        return TaskCodes(self.vector[rows])

    def detach(self) -> TaskCodes:
        """Return the codes without their history."""
        return TaskCodes(self.vector.detach())


class TaskAdapter(PromptReader):
    """Turns a prompt's frozen tokens into its task code.

    It reads as :class:`PromptAdapter` does, and its weights have the same names, so
    that either network starts from what the other has learned of words.
    """

    def __init__(self, text_width: int, slots: int, code_width: int) -> None:
        super().__init__(text_width, slots)
        self.to_code = code_layer(text_width, slots, code_width)

    def forward(self, tokens: Tensor, mask: Tensor) -> TaskCodes:
        """Frozen tokens (K, L, D) with their mask (K, L) -> codes of K prompts."""
        return TaskCodes(self.to_code(self.read(tokens, mask).flatten(1)))


class PlainDecoder(SkipPath):
    """From the bottleneck back to half the picture's side; no prompt is asked."""

    def __init__(self, encoder: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__(encoder, widths, transposed=True)
        self.refine = nn.ModuleList(ConvNorm(w, w) for w in widths)

    def forward(self, maps: Sequence[Tensor], bottleneck: Tensor) -> Tensor:
        """Encoder maps at 1/8, 1/4, 1/2 and the bottleneck -> (B, w, H/2, W/2)."""
        x = bottleneck
        for level, skip in enumerate(self.skip_maps(maps)):
            x = self.refine[level](self.act(self.join(level, x, skip)))
        return x


def apply_head(features: Tensor, weights: Tensor) -> Tensor:
    """Run each pair's own head over its features.

    Three 1x1 convolutions, ReLU after the first two, each pair with its own weights: a
    grouped convolution, written as batched matrix products, because these lie in
    memory as channels-last maps do.

    Parameters
    ----------
    features : Tensor
        (P, 8, h, w).
    weights : Tensor
        (P, 180): all layers' weights, then all layers' biases.

    Returns
    -------
    Tensor
        (P, h·w, 4).
    """
    sizes = [wide_in * wide_out for wide_in, wide_out in HEAD_LAYERS]
    sizes += [wide_out for _, wide_out in HEAD_LAYERS]
    parts = weights.split(sizes, dim=1)
    x = features.permute(0, 2, 3, 1).flatten(1, 2)  # (P, h·w, 8)
    for layer, (wide_in, wide_out) in enumerate(HEAD_LAYERS):
        kernel = parts[layer].view(-1, wide_out, wide_in)
        bias = parts[layer + len(HEAD_LAYERS)][:, None]
        x = torch.baddbmm(bias, x, kernel.transpose(1, 2))
        if layer < len(HEAD_LAYERS) - 1:
            x = F.relu(x)
    return x


class DynamicHeadNet(PromptNet):
    """Image + text -> mask by a head of 180 weights that image and prompt write.

    Faithful: BN-ReLU-GAP of the bottleneck beside the task code, one 1x1 convolution to
    180 weights (weights and biases of 8->8, 8->8 with ReLU and two 8->2), applied a
    sample over the decoder's features, reduced 16->8 by BN-ReLU-1x1 convolution; a code
    of its own for the synthetic task.

    Deviations: the encoder, its neck and the decoder's widths are :class:`PromptUNet`'s
    in place of a V-Net, so that methods are compared on like networks, and the head
    answers at half the picture's side. The task code is the prompt's text and not a row
    of five, so that a new target needs no new head [choice]. The published second 8->2
    pair is never trained; here it answers whether the target is there at all [choice]:
    evidence and attention at each place, the answer is the evidence where attention
    lies.

    Parameters
    ----------
    settings : NetSettings
        Widths and the text encoder's width; ``grid`` and ``decoders`` have no meaning.
    """

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = build_encoder(
            settings.backbone, settings.widths, settings.weights
        )
        widths = self.encoder.widths
        self.neck = ContextNeck(widths[4], widths[3])
        self.adapter = TaskAdapter(
            settings.text_width, settings.slots, settings.code_width
        )
        self.decoder = PlainDecoder(widths[3::-1], settings.decoder_widths)
        self.reduce = nn.Sequential(
            nn.BatchNorm2d(settings.decoder_widths[-1]),
            nn.ReLU(),
            nn.Conv2d(settings.decoder_widths[-1], HEAD_CHANNELS, 1),
        )
        self.pool = nn.Sequential(
            nn.BatchNorm2d(widths[3]),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.controller = nn.Linear(widths[3] + settings.code_width, HEAD_WEIGHTS)
        self.synthetic = nn.Parameter(0.1 * torch.randn(settings.code_width))

    def encode(self, image: Tensor, *, first_only: bool = False) -> DynamicSeen:
        """(B, 3, H, W), each image of mean 0 and deviation 1 -> its features."""
        *shallow, bottleneck, deepest = self.encoder(image)
        bottleneck = self.neck(deepest, bottleneck)
        decoded = self.decoder(shallow[::-1], bottleneck)
        return DynamicSeen(self.reduce(decoded), self.pool(bottleneck))

    def prompt(self, tokens: Tensor, mask: Tensor) -> TaskCodes:
        """Frozen tokens (K, L, D) and mask (K, L) -> task codes of K prompts."""
        codes: TaskCodes = self.adapter(tokens, mask)
        return codes

    def unite(
        self, read: TaskCodes, group_of: Tensor, counts: Tensor, groups: int
    ) -> TaskCodes:
        """Return the codes of the synthetic task, "any of these".

        Published: one row for "any of the tasks". [choice] Which tasks is said by the
        mean of their codes beside that row: a project's targets change, and an image
        may be labelled for some of them only.

        Parameters
        ----------
        read : TaskCodes
            Of P prompts.
        group_of : Tensor
            (P,) long, which union each belongs to.
        counts : Tensor
            (P,) of 0 and 1, whether it takes part.
        groups : int
            G, how many unions.

        Returns
        -------
        TaskCodes
            G rows.
        """
        share = F.one_hot(group_of, groups).T * counts.to(read.vector)  # (G, P)
        share = share / share.sum(1, keepdim=True).clamp_min(1.0)
        return TaskCodes(share @ read.vector + self.synthetic)

    def answer(
        self,
        seen: DynamicSeen,
        read: TaskCodes,
        *,
        others: Tensor | None = None,
        first_only: bool = False,
    ) -> Answer:
        """Answer P pairs, as :meth:`PromptNet.answer`.

        Each pair has a head of its own, and there is no second decoder: `others` and
        `first_only` change nothing.
        """
        weights = self.controller(torch.cat([seen.pooled, read.vector], dim=1))
        size = (seen.features.shape[-2], seen.features.shape[-1])
        outside, inside, evidence, attention = apply_head(
            seen.features, weights
        ).unbind(-1)  # (P, h·w) each
        # The odds of a softmax over the pair (outside, inside).
        half = (inside - outside).unflatten(1, size)[:, None]
        logits = resize(half, (2 * size[0], 2 * size[1]))
        presence = (attention.float().softmax(1) * evidence.float()).sum(1)
        every = torch.arange(len(logits), device=logits.device)
        return Answer((Decoded(logits),), (every,), presence)
