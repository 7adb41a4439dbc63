"""The parts of LViT's double U: PLAM, the ViT path's blocks, and the text path.

Source: LViT (Li et al., IEEE TMI 2024, arXiv 2206.14718), code ``HUANGLIZI/LViT``.
What the code builds and no forward pass reads is left out; a line marked [choice] is
ours. Tokens are (P, N, C) with the N = h·w places of the picture row by row.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src_core.nets.blocks import resize

HEADS, MLP_RATIO, DROPOUT = 8, 4, 0.1


def conv_unit(wide_in: int, wide_out: int) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(wide_in, wide_out, 3, padding=1),
        nn.BatchNorm2d(wide_out),
        nn.ReLU(inplace=True),
    )


def double_conv(wide_in: int, wide_out: int) -> nn.Sequential:
    """Two units: what the CNN's U has at each level."""
    return nn.Sequential(conv_unit(wide_in, wide_out), conv_unit(wide_out, wide_out))


class TokenConv(nn.Module):
    """Convolution over neighbouring tokens, batch norm, ReLU: widens or narrows them.

    Neighbours are those along the row of places, as published.
    """

    def __init__(self, wide_in: int, wide_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(wide_in, wide_out, 3, padding=1)
        self.norm = nn.BatchNorm1d(wide_out)

    def forward(self, tokens: Tensor) -> Tensor:
        """(P, N, C) -> (P, N, C')."""
        return F.relu(self.norm(self.conv(tokens.transpose(1, 2)))).transpose(1, 2)


class PLAM(nn.Module):
    """Pixel-level attention module: weighs each pixel of a skip.

    Two 1x1 convolutions with ReLU; over the channels of the first the mean a, of the
    second the maximum m; each pixel's [a, m, a + m] goes through an MLP 3 -> 6 -> 1,
    without a sigmoid, and multiplies the pixel.

    Parameters
    ----------
    channels : int
        C of the skip.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.for_mean = nn.Conv2d(channels, channels, 1, bias=False)
        self.for_max = nn.Conv2d(channels, channels, 1, bias=False)
        # Linear layers at each pixel, written as 1x1 convolutions.
        self.mlp = nn.Sequential(
            nn.Conv2d(3, 6, 1), nn.ReLU(inplace=True), nn.Conv2d(6, 1, 1)
        )

    def attention(self, x: Tensor) -> Tensor:
        """(P, C, H, W) -> (P, 1, H, W), any sign."""
        mean = F.relu(self.for_mean(x)).mean(1, keepdim=True)
        most = F.relu(self.for_max(x)).amax(1, keepdim=True)
        weight: Tensor = self.mlp(torch.cat([mean, most, mean + most], dim=1))
        return weight

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, H, W) -> the same shape."""
        return x * self.attention(x)


class PatchEmbedding(nn.Module):
    """Patches of a map as tokens, with a learned position each.

    Published for 14 x 14 patches of a 224² picture. [choice] At another size there are
    as many tokens as patches, and the positions are interpolated.

    Parameters
    ----------
    channels : int
        C of the map and of the tokens.
    patch : int
        Side of a patch in pixels of the map.
    grid : int
        Side of the grid for which positions are learned.
    """

    def __init__(self, channels: int, patch: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.patches = nn.Conv2d(channels, channels, patch, stride=patch)
        self.positions = nn.Parameter(torch.zeros(1, grid * grid, channels))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, C), N = H·W / patch²."""
        patches = self.patches(x)  # (B, C, h, w)
        positions = to_map(self.positions, (self.grid, self.grid))
        placed = patches + resize(positions, (patches.shape[-2], patches.shape[-1]))
        tokens: Tensor = self.dropout(to_tokens(placed))
        return tokens


class TransformerBlock(nn.Module):
    """Pre-norm attention with 8 heads, then an MLP of ratio 4.

    The MLP ends in a second GELU, as the published one does.

    Parameters
    ----------
    width : int
        C, a multiple of 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        widen, narrow = (
            nn.Linear(width, MLP_RATIO * width),
            nn.Linear(MLP_RATIO * width, width),
        )
        for layer in (widen, narrow):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)
        self.mlp = nn.Sequential(
            widen,
            nn.GELU(),
            nn.Dropout(DROPOUT),
            narrow,
            nn.GELU(),
            nn.Dropout(DROPOUT),
        )

    def attend(self, x: Tensor) -> Tensor:
        """Self-attention over the places, (P, N, C) -> (P, N, C)."""
        qkv = self.to_qkv(x).unflatten(-1, (3, HEADS, -1))  # (P, N, 3, heads, d)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (P, heads, N, d)
        mixed = F.scaled_dot_product_attention(q, k, v)
        projected: Tensor = self.project(mixed.transpose(1, 2).flatten(2))
        return projected

    def forward(self, x: Tensor) -> Tensor:
        """(P, N, C) -> (P, N, C)."""
        x = x + self.attend(self.norm_attention(x))
        out: Tensor = x + self.mlp(self.norm_mlp(x))
        return out


class Reconstruct(nn.Module):
    """Tokens back to a map of the CNN's size.

    Published: upsampled to the nearest, then 1x1 convolution, batch norm, ReLU. All
    three treat each pixel alike, so that they come first here, on up to 256 times
    fewer pixels, with the same result.

    Parameters
    ----------
    channels : int
        C of tokens and map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, tokens: Tensor, places: tuple[int, int], scale: int) -> Tensor:
        """(P, N, C) at `places` = (h, w) -> (P, C, scale·h, scale·w)."""
        small = F.relu(self.norm(self.conv(to_map(tokens, places))))
        return F.interpolate(small, scale_factor=scale, mode="nearest")


class TextPath(nn.Module):
    """From a prompt's tokens to one text feature at each place of the grid.

    Convolutions over neighbouring tokens narrow them from D to the first ViT stage's
    width; a convolution from the L tokens to the g² places, along the features, with
    batch norm and ReLU, then says something at each place.

    [choice] Tokens beyond a prompt's end are zero before *each* convolution, so that
    its length in a batch means nothing; published texts fill all their places.

    Parameters
    ----------
    text_width : int
        D; 768 in the published network.
    widths : sequence of int
        Of the ViT stages, finest first.
    tokens : int
        L: longer prompts are cut, shorter ones padded. Published: 10, which cuts the
        side of the chest off captions; [choice] as many as the encoder gives.
    grid : int
        g.
    """

    def __init__(
        self, text_width: int, widths: tuple[int, ...], tokens: int, grid: int
    ) -> None:
        super().__init__()
        self.tokens, self.grid = tokens, grid
        chain = (text_width, *reversed(widths))
        self.narrow = nn.ModuleList(
            nn.Conv1d(a, b, 3, padding=1) for a, b in pairwise(chain)
        )
        self.to_places = nn.Conv1d(tokens, grid * grid, 3, padding=1)
        self.norm = nn.BatchNorm1d(grid * grid)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Frozen tokens (K, L', D) and mask (K, L') -> (K, C, g, g)."""
        missing = self.tokens - tokens.shape[1]
        real = F.pad(mask[:, : self.tokens].to(tokens.dtype), (0, max(0, missing)))
        real = real[:, None]  # (K, 1, L)
        x = F.pad(tokens[:, : self.tokens], (0, 0, 0, max(0, missing))).transpose(1, 2)
        for conv in self.narrow:
            x = conv(x * real)  # (K, C, L)
        x = (x * real).transpose(1, 2)  # (K, L, C)
        said = F.relu(self.norm(self.to_places(x)))  # (K, g·g, C)
        return to_map(said, (self.grid, self.grid))


class UpAttention(nn.Module):
    """One level of the CNN's way up: PLAM on the skip, beside what comes from below.

    Parameters
    ----------
    wide_in : int
        Channels of skip and lower map together, half of each.
    wide_out : int
        Channels of the result.
    """

    def __init__(self, wide_in: int, wide_out: int) -> None:
        super().__init__()
        self.plam = PLAM(wide_in // 2)
        self.convs = double_conv(wide_in, wide_out)

    def forward(self, lower: Tensor, skip: Tensor) -> Tensor:
        """(P, C, H/2, W/2) and (P, C, H, W) -> (P, C', H, W)."""
        up = F.interpolate(lower, scale_factor=2, mode="nearest")
        out: Tensor = self.convs(torch.cat([self.plam(skip), up], dim=1))
        return out


def to_map(tokens: Tensor, places: tuple[int, int]) -> Tensor:
    """(P, h·w, C) -> (P, C, h, w)."""
    pixels: Tensor = tokens.transpose(1, 2).unflatten(2, places)
    return pixels


def to_tokens(pixels: Tensor) -> Tensor:
    """(P, C, h, w) -> (P, h·w, C)."""
    return pixels.flatten(2).transpose(1, 2)
