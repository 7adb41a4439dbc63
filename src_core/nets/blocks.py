"""The small parts of which the networks are made."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """3x3 (or 1x1) convolution, batch norm and, if asked, a leaky ReLU."""

    def __init__(
        self,
        wide_in: int,
        wide_out: int,
        *,
        size: int = 3,
        stride: int = 1,
        act: bool = True,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(wide_in, wide_out, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(wide_out),
        ]
        if act:
            layers.append(nn.LeakyReLU(0.01, inplace=True))
        super().__init__(*layers)


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the first may halve the picture."""

    def __init__(self, wide_in: int, wide_out: int, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvNorm(wide_in, wide_out, stride=stride)
        self.second = ConvNorm(wide_out, wide_out, act=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or wide_in != wide_out:
            self.shortcut = ConvNorm(
                wide_in, wide_out, size=1, stride=stride, act=False
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H/stride, W/stride)."""
        return F.leaky_relu(self.second(self.first(x)) + self.shortcut(x), 0.01)


class Modulation(nn.Module):
    """Feature-wise modulation by the prompt's code: x·(1+γ) + β, one pair a channel.

    Starts as the identity, so that a new network first learns to see.
    """

    def __init__(self, code_width: int, channels: int) -> None:
        super().__init__()
        self.to_pair = nn.Linear(code_width, 2 * channels)
        nn.init.normal_(self.to_pair.weight, std=0.02)
        nn.init.zeros_(self.to_pair.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(P, C, H, W) and (P, E) -> (P, C, H, W)."""
        scale, shift = self.to_pair(code)[:, :, None, None].chunk(2, dim=1)
        modulated: Tensor = x * (1.0 + scale) + shift
        return modulated


def take(maps: Tensor, rows: Tensor) -> Tensor:
    """(B, C, H, W) -> the maps at `rows` (P,) long, repeats allowed.

    An image asked with three prompts stands there three times. Plain indexing of a
    channels-last map takes four times as long, forward and backward: its rows are not
    one run of memory to it.
    """
    _, channels, height, width = maps.shape
    flat = maps.permute(0, 2, 3, 1).flatten(1).index_select(0, rows)
    taken: Tensor = flat.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)
    return taken


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation of (N, C, H, W) to `size`, a no-op where it fits."""
    if x.shape[-2:] == torch.Size(size):
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
