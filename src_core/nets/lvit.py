"""LViT's network: a CNN's U and a ViT's U beside it, into which the text goes.

Source: LViT (Li et al., IEEE TMI 2024, arXiv 2206.14718), code ``HUANGLIZI/LViT``:
the graph that its forward pass runs, base width 64, for 224².

Parameters at base 64 and text width 768, in millions: the CNN's way down 9.37 and up
3.98 with its PLAMs 0.70, the ViT's blocks 8.38, patch embeddings 4.19 and their
positions 0.19, what joins its stages 1.03, Reconstruct 0.35, text 1.70: 29.91. The
published 29.7 is what the authors' profiler counts, the layers that a forward pass
runs; positions, which are no layer, escape it. Built from their code the network
holds 39.9: the rest (patch embeddings of the ViT's way up, a second set of PLAMs,
joints of stages that have nothing to join) is never read, and is not built here.

In this project's shape (:mod:`src_core.nets.base`) the CNN's way down and the ViT's
stages 2 to 4 on the way down know no text: they belong to the image, and several
prompts share them. A prompt costs the first ViT stage, both ways up and the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src_core.nets.base import Answer, Decoded, PromptNet
from src_core.nets.blocks import resize, take
from src_core.nets.lvit_parts import (
    PatchEmbedding,
    Reconstruct,
    TextPath,
    TokenConv,
    TransformerBlock,
    UpAttention,
    conv_unit,
    double_conv,
    to_tokens,
)

if TYPE_CHECKING:
    from src_core.config import NetSettings

PATCHES = (16, 8, 4, 2)  # of the maps at 1/1, 1/2, 1/4, 1/8: always the same places


@dataclass(frozen=True, slots=True)
class DoubleUFeatures:
    """The prompt-free part of LViT's work, for B images.

    Attributes
    ----------
    maps : tuple of Tensor
        The CNN's five, (B, C_i, H/2^i, W/2^i), i = 0..4.
    tokens : tuple of Tensor
        (B, N, ·): the first ViT stage's patches before the text, then of stages 2 to
        4 the half that comes from their own map.
    """

    maps: tuple[Tensor, ...]
    tokens: tuple[Tensor, ...]

    def select(self, rows: Tensor) -> DoubleUFeatures:
        """Return the features at `rows` (P,) long, repeats allowed."""
        return DoubleUFeatures(
            tuple(take(m, rows) for m in self.maps), tuple(t[rows] for t in self.tokens)
        )


@dataclass(frozen=True, slots=True)
class PlacedText:
    """K prompts, each a text feature at each place of the grid.

    Attributes
    ----------
    maps : Tensor
        (K, C, g, g).
    """

    maps: Tensor

    def __len__(self) -> int:
        return len(self.maps)

    def detach(self) -> PlacedText:
        """Return the same without its history."""
        return PlacedText(self.maps.detach())


class LViTNet(PromptNet):
    """The double U, at any size whose sides are multiples of 16.

    Parameters
    ----------
    settings : NetSettings
        `base` (published: 64), `text_width` (published: 768) and `grid`, the side of
        the grid of places at `16·grid` pixels (published: 14, for 224²).
    text_tokens : int
        Tokens of a prompt that are read.
    """

    def __init__(self, settings: NetSettings, text_tokens: int) -> None:
        super().__init__()
        base, grid = settings.base, settings.grid
        widths = (base, 2 * base, 4 * base, 8 * base)
        self.text = TextPath(settings.text_width, widths, text_tokens, grid)
        self.first = conv_unit(3, base)
        self.down = nn.ModuleList(
            double_conv(a, b)
            for a, b in zip(widths, (*widths[1:], widths[3]), strict=True)
        )
        self.embed = nn.ModuleList(
            PatchEmbedding(w, patch, grid)
            for w, patch in zip(widths, PATCHES, strict=True)
        )
        self.blocks_down = nn.ModuleList(TransformerBlock(w) for w in widths)
        self.blocks_up = nn.ModuleList(TransformerBlock(w) for w in widths)
        self.halve = nn.ModuleList(TokenConv(w, w // 2) for w in widths[1:])
        self.lift = nn.ModuleList(TokenConv(2 * w, w) for w in widths[:3])
        self.reconstruct = nn.ModuleList(Reconstruct(w) for w in widths)
        self.up = nn.ModuleList(
            UpAttention(2 * w, max(base, w // 2)) for w in reversed(widths)
        )
        self.head = nn.Conv2d(base, 1, 1)
        # [choice] The app asks "is it there at all"; the published network does not
        # answer that. Read off what the ViT's U ends with and the CNN's bottleneck.
        self.presence = nn.Sequential(
            nn.Linear(2 * base + 2 * widths[3], base), nn.ReLU(), nn.Linear(base, 1)
        )

    def encode(self, image: Tensor, *, first_only: bool = False) -> DoubleUFeatures:
        """(B, 3, H, W), each image of mean 0 and deviation 1 -> its features."""
        maps = [self.first(image)]
        for down in self.down:
            maps.append(down(F.max_pool2d(maps[-1], 2)))
        # One more map than stages: the bottleneck belongs to the CNN alone.
        embedded = [embed(x) for embed, x in zip(self.embed, maps, strict=False)]
        own = [
            halve(block(tokens))
            for halve, block, tokens in zip(
                self.halve, list(self.blocks_down)[1:], embedded[1:], strict=True
            )
        ]
        return DoubleUFeatures(tuple(maps), (embedded[0], *own))

    def prompt(self, tokens: Tensor, mask: Tensor) -> PlacedText:
        """Frozen tokens (K, L, D) and mask (K, L) -> K prompts at the grid's places."""
        return PlacedText(self.text(tokens, mask))

    def vision_language(
        self, seen: DoubleUFeatures, read: PlacedText
    ) -> tuple[Tensor, ...]:
        """Run the ViT's U: four stages of tokens (P, N, C_i), finest first.

        The text is added to the first stage's patches. Going down, each stage puts the
        one before beside the half of its own; going up, it adds the one below.
        """
        places = _places(seen)
        text = to_tokens(resize(read.maps, places))
        stages = [self.blocks_down[0](seen.tokens[0] + text)]
        for own in seen.tokens[1:]:
            stages.append(torch.cat([own, stages[-1]], dim=2))
        stages = [
            block(tokens) for block, tokens in zip(self.blocks_up, stages, strict=True)
        ]
        for level in (2, 1, 0):
            stages[level] = stages[level] + self.lift[level](stages[level + 1])
        return tuple(stages)

    def present(self, seen: DoubleUFeatures, finest: Tensor) -> Tensor:
        """Return logits (P,) that the target is in the image at all."""
        bottleneck = seen.maps[-1]
        pooled = [
            finest.mean(1),
            finest.amax(1),
            bottleneck.mean((2, 3)),
            bottleneck.amax((2, 3)),
        ]
        logit: Tensor = self.presence(torch.cat(pooled, dim=1))
        return logit.squeeze(1)

    def answer(
        self,
        seen: DoubleUFeatures,
        read: PlacedText,
        *,
        others: Tensor | None = None,
        first_only: bool = False,
    ) -> Answer:
        """Answer P pairs, as :meth:`PromptNet.answer`.

        There is one decoder: `others` and `first_only` change nothing.
        """
        stages = self.vision_language(seen, read)
        rebuild = cast("list[Reconstruct]", list(self.reconstruct))
        skips = [
            x + back(tokens, _places(seen), scale)
            for x, back, tokens, scale in zip(
                seen.maps[:-1], rebuild, stages, PATCHES, strict=True
            )
        ]
        x = seen.maps[-1]
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(x, skip)
        every = torch.arange(len(x), device=x.device)
        presence = self.present(seen, stages[0])
        return Answer((Decoded(self.head(x)),), (every,), presence)


def _places(seen: DoubleUFeatures) -> tuple[int, int]:
    """(h, w) of the tokens: those of the bottleneck, 1/16 of the picture's side."""
    return seen.maps[-1].shape[-2], seen.maps[-1].shape[-1]
