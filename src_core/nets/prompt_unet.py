"""The prompt-driven network: one image encoder, and a decoder asked by text.

Pixels are encoded once; every prompt then costs only a fusion at the bottleneck and a
slim decoder over the same maps. With two decoders it is LG-SSL's network: decoder 1
upsamples by transposed convolution, decoder 2 by convolution and interpolation, and
decoder 1 alone is asked at prediction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from src_core.nets.base import Answer, Decoded, PromptNet
from src_core.nets.blocks import ConvNorm, Modulation, resize, take
from src_core.nets.encoder import ContextNeck, build_encoder
from src_core.nets.skip_path import SkipPath
from src_core.nets.text_vision import (
    PromptAdapter,
    PromptCodes,
    TextVisionFusion,
    VisionParts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from src_core.config import NetSettings


@dataclass(frozen=True, slots=True)
class Features:
    """The prompt-free part of the work, for B images.

    Attributes
    ----------
    skips : tuple of tuple of Tensor
        For each decoder its maps at 1/8, 1/4 and 1/2 of the side.
    vision : VisionParts
        What the fusion needs of the bottleneck F^v at 1/16.
    """

    skips: tuple[tuple[Tensor, ...], ...]
    vision: VisionParts

    def select(self, rows: Tensor) -> Features:
        """Return the features at `rows` (P,) long, repeats allowed."""
        skips = tuple(tuple(take(skip, rows) for skip in maps) for maps in self.skips)
        return Features(skips, self.vision.select(rows))


class Decoder(SkipPath):
    """From the fused bottleneck back to the picture, modulated by the prompt.

    Parameters
    ----------
    encoder, widths, transposed
        As :class:`SkipPath`.
    code_width : int
        Width of the prompt's code.
    """

    def __init__(
        self,
        encoder: Sequence[int],
        widths: Sequence[int],
        code_width: int,
        *,
        transposed: bool,
    ) -> None:
        super().__init__(encoder, widths, transposed=transposed)
        self.modulate = nn.ModuleList(Modulation(code_width, w) for w in widths)
        self.refine = nn.ModuleList(ConvNorm(w, w) for w in widths)
        self.heads = nn.ModuleList(nn.Conv2d(w, 1, 1) for w in widths)

    def take_after(self, other: Decoder) -> None:
        """Copy another decoder's weights, whichever way each of the two upsamples.

        The 2x2 kernel of a transposed convolution becomes its mean as a 1x1 one, and
        a 1x1 kernel is laid onto all four places.
        """
        with torch.no_grad():
            for mine, theirs in zip(self.up, other.up, strict=True):
                # (in, out, 2, 2) where it is transposed, else (out, in, 1, 1)
                kernel = cast("Tensor", theirs.weight)
                if other.transposed:
                    kernel = kernel.mean((2, 3), keepdim=True).transpose(0, 1)
                if self.transposed:
                    kernel = kernel.transpose(0, 1).expand(-1, -1, 2, 2)
                cast("Tensor", mine.weight).copy_(kernel)
        same = {k: v for k, v in other.state_dict().items() if not k.startswith("up.")}
        self.load_state_dict(same, strict=False)

    def forward(
        self, skips: Sequence[Tensor], fused: Tensor, code: Tensor
    ) -> list[Tensor]:
        """Return logits (P, 1, ·, ·) at 1/8, 1/4 and 1/2 of the side."""
        x, logits = fused, []
        for level, skip in enumerate(skips):
            x = self.modulate[level](self.join(level, x, skip), code)
            x = self.refine[level](self.act(x))
            logits.append(self.heads[level](x))
        return logits


class PromptUNet(PromptNet):
    """Image + text -> mask, at any size whose sides are multiples of 32.

    Parameters
    ----------
    settings : NetSettings
        Widths, the text encoder's width, one or two decoders.
    """

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = build_encoder(
            settings.backbone, settings.widths, settings.weights
        )
        widths = self.encoder.widths
        self.neck = ContextNeck(widths[4], widths[3])
        self.adapter = PromptAdapter(
            settings.text_width,
            settings.slots,
            settings.grid,
            settings.code_width,
            residual=settings.residual,
        )
        self.fusion = TextVisionFusion(
            widths[3], settings.slots, select=settings.select
        )
        self.decoders = nn.ModuleList(
            Decoder(
                widths[3::-1],
                settings.decoder_widths,
                settings.code_width,
                transposed=i == 0,
            )
            for i in range(settings.decoders)
        )
        self.presence = nn.Sequential(
            nn.Linear(2 * widths[3] + settings.code_width, 64),
            nn.LeakyReLU(0.01),
            nn.Linear(64, 1),
        )

    def encode(self, image: Tensor, *, first_only: bool = False) -> Features:
        """(B, 3, H, W), each image of mean 0 and deviation 1 -> its features.

        With `first_only` the features serve the first decoder alone, as prediction
        needs them.
        """
        return self.features(self.encoder(image), first_only=first_only)

    def features(
        self, levels: Sequence[Tensor], *, first_only: bool = False
    ) -> Features:
        """Five maps of the encoder, (B, C_i, H/2^i, W/2^i) -> the features."""
        *shallow, bottleneck, deepest = levels
        vision = self.fusion.vision_parts(self.neck(deepest, bottleneck))
        maps = shallow[::-1]
        decoders = cast("list[Decoder]", list(self.decoders))
        if first_only:
            decoders = decoders[:1]
        return Features(tuple(d.skip_maps(maps) for d in decoders), vision)

    def prompt(self, tokens: Tensor, mask: Tensor) -> PromptCodes:
        """Frozen tokens (K, L, D) and mask (K, L) -> codes of K prompts."""
        codes: PromptCodes = self.adapter(tokens, mask)
        return codes

    def fuse(self, features: Features, codes: PromptCodes) -> Tensor:
        """Features of P images asked by P prompts -> (P, C, H/16, W/16)."""
        fused: Tensor = self.fusion(features.vision, codes)
        return fused

    def decode(
        self,
        features: Features,
        fused: Tensor,
        codes: PromptCodes,
        decoder: int = 0,
        rows: Tensor | None = None,
    ) -> Decoded:
        """Ask one decoder about P pairs, or only those at `rows` (R,) long.

        `features`, `fused` and `codes` have P rows, one a pair.
        """
        skips, code = features.skips[decoder], codes.vector
        if rows is not None:
            skips, fused = tuple(take(skip, rows) for skip in skips), take(fused, rows)
            code = code[rows]
        *deep, half = self.decoders[decoder](skips, fused, code)
        full = (2 * half.shape[-2], 2 * half.shape[-1])
        return Decoded(resize(half, full), tuple(reversed(deep)))

    def present(self, fused: Tensor, codes: PromptCodes) -> Tensor:
        """Return logits (P,) that the target is in the image at all."""
        pooled = [fused.mean((2, 3)), fused.amax((2, 3)), codes.vector]
        logit: Tensor = self.presence(torch.cat(pooled, dim=1))
        return logit.squeeze(1)

    def answer(
        self,
        seen: Features,
        read: PromptCodes,
        *,
        others: Tensor | None = None,
        first_only: bool = False,
    ) -> Answer:
        """Answer P pairs, as :meth:`PromptNet.answer`.

        The first decoder is asked about every pair, the second about all or some.
        """
        fused = self.fuse(seen, read)
        every = torch.arange(len(fused), device=fused.device)
        rest = every if others is None else others
        rows = (every, *([rest] * (0 if first_only else len(self.decoders) - 1)))
        decoded = tuple(
            self.decode(seen, fused, read, decoder, None if here is every else here)
            for decoder, here in enumerate(rows)
        )
        return Answer(decoded, rows, self.present(fused, read))

    def describe(self, seen: Features) -> Tensor:
        """Return mean and deviation over the places of the bottleneck: (B, 2C)."""
        places = seen.vision.fuse.float().flatten(2)
        return torch.cat([places.mean(2), places.std(2)], dim=1)
