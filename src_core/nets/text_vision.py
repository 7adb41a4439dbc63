"""Where words meet pixels: LG-SSL's prompt adapter and its text-vision fusion.

Source: LG-SSL (Language-Guided semi-supervised learning), the public network code
of ``Lry777/Universal-Medical-SSL``. A line marked [choice] is ours where the source
is silent or cannot serve a prompt typed freely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src_core.nets.blocks import resize, take


@dataclass(frozen=True, slots=True)
class PromptCodes:
    """What the adapter made of K prompts.

    Attributes
    ----------
    maps : Tensor
        (K, M, g, g), each of a prompt's M readings as a map over the image grid.
    vector : Tensor
        (K, E), the prompt as one code that modulates the decoders.
    """

    maps: Tensor
    vector: Tensor

    def __len__(self) -> int:
        return len(self.vector)

    def select(self, rows: Tensor) -> PromptCodes:
        """Return the codes at `rows` (P,) long, repeats allowed."""
        return PromptCodes(self.maps[rows], self.vector[rows])

    def detach(self) -> PromptCodes:
        """Return the codes without their history: LG-SSL's stop-gradient."""
        return PromptCodes(self.maps.detach(), self.vector.detach())


class PromptReader(nn.Module):
    """Frozen text + a learned residual: M readings of one prompt.

    Published: T + E, with T (K, D) the frozen text of the K classes and E (K, D) a
    learned row a class, N(0, 0.01).

    [choice] A prompt typed freely has no row in E, so the residual is a small shared
    network of the text itself. [choice] A prompt is asked alone, so the K rows of the
    source become M readings of one prompt: M learned queries attend to its *tokens*.
    The pooled vector alone would hardly tell left from right (cosine 0.92).

    Parameters
    ----------
    text_width : int
        D.
    slots : int
        M.
    residual : bool
        False leaves the frozen text as it is, to see what learning it is worth.
    """

    def __init__(self, text_width: int, slots: int, *, residual: bool = True) -> None:
        super().__init__()
        self.queries = nn.Parameter(
            torch.randn(slots, text_width) / math.sqrt(text_width)
        )
        self.keys = nn.Linear(text_width, text_width, bias=False)
        widen = nn.Linear(64, text_width)
        nn.init.normal_(widen.weight, std=0.01)
        nn.init.zeros_(widen.bias)
        learned = nn.Sequential(nn.Linear(text_width, 64), nn.GELU(), widen)
        self.residual = learned if residual else None

    def read(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Frozen tokens (K, L, D) with their mask (K, L) -> (K, M, D)."""
        keys = self.keys(tokens)
        affinity = torch.einsum("md,kld->kml", self.queries, keys)
        affinity = affinity / math.sqrt(tokens.shape[-1])
        affinity = affinity.masked_fill(~mask[:, None, :], float("-inf"))
        text = affinity.softmax(-1) @ tokens  # still a mean of frozen text
        text = F.normalize(text, dim=-1) * math.sqrt(text.shape[-1])
        return text if self.residual is None else text + self.residual(text)


def code_layer(text_width: int, slots: int, code_width: int) -> nn.Sequential:
    """Return the layer from all of a prompt's readings (K, M·D) to its code (K, E)."""
    return nn.Sequential(
        nn.Linear(slots * text_width, code_width), nn.LayerNorm(code_width), nn.GELU()
    )


class PromptAdapter(PromptReader):
    """The learnable prompt adapter: frozen text + a learned residual -> image grid.

    Published: a bias-free linear map D -> N gives each row of T + E a map over the N
    places of the bottleneck; here each of the prompt's M readings.

    Parameters
    ----------
    text_width : int
        D.
    slots : int
        M.
    grid : int
        g; the map has N = g·g places and is resized to the bottleneck.
    code_width : int
        E, width of the code vector for the decoders' modulation [choice].
    residual : bool
        False leaves the frozen text as it is, to see what learning it is worth.
    """

    def __init__(
        self,
        text_width: int,
        slots: int,
        grid: int,
        code_width: int,
        *,
        residual: bool = True,
    ) -> None:
        super().__init__(text_width, slots, residual=residual)
        self.grid = grid
        self.to_grid = nn.Linear(text_width, grid * grid, bias=False)
        self.to_code = code_layer(text_width, slots, code_width)

    def forward(self, tokens: Tensor, mask: Tensor) -> PromptCodes:
        """Frozen tokens (K, L, D) with their mask (K, L) -> codes of K prompts."""
        text = self.read(tokens, mask)
        maps = self.to_grid(text).unflatten(-1, (self.grid, self.grid))
        return PromptCodes(maps, self.to_code(text.flatten(1)))


@dataclass(frozen=True, slots=True)
class VisionParts:
    """What the fusion needs of F^v, computed once an image.

    Attributes
    ----------
    gate : Tensor
        (B, C/2, h, w), W1·F^v.
    fuse : Tensor
        (B, C, h, w), the vision half of the convolution over [F^v; F^p].
    """

    gate: Tensor
    fuse: Tensor

    def select(self, rows: Tensor) -> VisionParts:
        """Return the parts of the images at `rows` (P,) long."""
        return VisionParts(take(self.gate, rows), take(self.fuse, rows))


class TextVisionFusion(nn.Module):
    """Text-vision selection fusion (TVSF): fuse, then select.

    The prompt's maps become a feature map F^p with C channels (linear, LayerNorm,
    LeakyReLU at each place). The gate is
    ψ = sigmoid(norm(conv1x1(LeakyReLU(W1·F^v + W2·F^p)))), one channel; the fused
    feature is LeakyReLU(norm(conv([F^v; F^p]))), 2C -> C; the output fused·ψ takes the
    place of the bottleneck feature F^v.

    A convolution over [F^v; F^p] is the sum of one over F^v and one over F^p. Written
    so, the first is computed once an image, however many prompts are asked.

    Parameters
    ----------
    channels : int
        C of the bottleneck.
    slots : int
        M readings of a prompt.
    select : bool
        False leaves the gate out, to see what selecting is worth.
    """

    def __init__(self, channels: int, slots: int, *, select: bool = True) -> None:
        super().__init__()
        self.select = select
        self.to_channels = nn.Sequential(
            nn.Linear(slots, channels), nn.LayerNorm(channels), nn.LeakyReLU(0.01)
        )
        half = channels // 2
        self.gate_vision = nn.Conv2d(channels, half, 1, bias=False)
        self.gate_prompt = nn.Conv2d(channels, half, 1, bias=False)
        self.to_gate = nn.Sequential(
            nn.LeakyReLU(0.01), nn.Conv2d(half, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid()
        )
        self.fuse_vision = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.fuse_prompt = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.Sequential(nn.BatchNorm2d(channels), nn.LeakyReLU(0.01))

    def vision_parts(self, vision: Tensor) -> VisionParts:
        """Return what is needed of the bottleneck F^v (B, C, h, w)."""
        return VisionParts(self.gate_vision(vision), self.fuse_vision(vision))

    def prompt_map(self, codes: PromptCodes, size: tuple[int, int]) -> Tensor:
        """Return F^p (P, C, h, w) at the bottleneck's `size`."""
        maps = resize(codes.maps, size).permute(0, 2, 3, 1)  # (P, h, w, M)
        prompt: Tensor = self.to_channels(maps)
        return prompt.permute(0, 3, 1, 2)  # (P, C, h, w)

    def gate(self, vision: VisionParts, prompt: Tensor) -> Tensor:
        """Return ψ (P, 1, h, w) in [0, 1]."""
        psi: Tensor = self.to_gate(vision.gate + self.gate_prompt(prompt))
        return psi

    def forward(self, vision: VisionParts, codes: PromptCodes) -> Tensor:
        """P parts of F^v and P codes -> (P, C, h, w) in place of F^v."""
        size = (vision.fuse.shape[-2], vision.fuse.shape[-1])
        prompt = self.prompt_map(codes, size)
        fused: Tensor = self.norm(vision.fuse + self.fuse_prompt(prompt))
        return fused * self.gate(vision, prompt) if self.select else fused
