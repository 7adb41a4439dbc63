"""Augmentation in torch, a whole batch at a time, on whatever device it lies.

Rotating with scipy costs more than a training step of the network, hence one
``grid_sample`` for the batch. Flips are the caller's to allow: a flip turns left into
right, and a prompt that names a side would then be wrong.
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from src_core.ranks import draw


def _uniform(shape: tuple[int, ...], low: float, high: float, rng: Generator) -> Tensor:
    return draw(torch.rand, shape, rng) * (high - low) + low


def random_grid(
    batch: int,
    size: tuple[int, int],
    rng: Generator,
    *,
    degrees: float = 30.0,
    scale: float = 0.35,
    shift: float = 0.12,
    bend: float = 0.03,
    flips: bool = False,
) -> Tensor:
    """Draw one motion an image: turn, zoom, shift and a smooth bend.

    Measured on ACDC with 7 labelled patients, 600 steps: from 15 degrees, 0.25 and
    weak jitter to these took plain supervision from Dice 0.68 to 0.76.

    Parameters
    ----------
    batch : int
        B.
    size : (int, int)
        H and W.
    rng : Generator
        On the CPU; the only source of chance.
    degrees : float
        Largest rotation.
    scale : float
        Sizes from 1 - scale to 1 + scale, and up to a third of it between the axes.
    shift : float
        Largest shift, as a share of the side.
    bend : float
        Deviation of the bend at 5 x 5 knots, as a share of the side.
    flips : bool
        Also mirror and turn by right angles.

    Returns
    -------
    Tensor
        (B, H, W, 2), for each output pixel the place in [-1, 1] it is taken from.
    """
    angle = _uniform((batch,), -degrees, degrees, rng) * math.pi / 180
    zoom = 1.0 / _uniform((batch,), 1 - scale, 1 + scale, rng)
    stretch = torch.exp(_uniform((batch,), -scale / 6, scale / 6, rng))
    mirror = torch.ones(batch)
    if flips:
        mirror = torch.where(draw(torch.rand, (batch,), rng) < 0.5, -1.0, 1.0)
        turns = draw(partial(torch.randint, 4), (batch,), rng)
        angle = angle + turns * (math.pi / 2)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    move = _uniform((batch, 2), -2 * shift, 2 * shift, rng)
    rows = [
        torch.stack([cos * mirror * stretch, -sin / stretch, move[:, 0]], dim=1),
        torch.stack([sin * mirror * stretch, cos / stretch, move[:, 1]], dim=1),
    ]
    affine = torch.stack(rows, dim=1)
    grid = F.affine_grid(affine, [batch, 1, *size], align_corners=False)
    knots = draw(torch.randn, (batch, 2, 5, 5), rng) * (2 * bend)
    smooth = F.interpolate(knots, size, mode="bicubic", align_corners=True)
    return grid + smooth.permute(0, 2, 3, 1)


def warp(pixels: Tensor, grid: Tensor) -> Tensor:
    """Take (B, C, H, W) at the places of (B, H, W, 2); outside lies zero."""
    return F.grid_sample(
        pixels.float(), grid.to(pixels.device), mode="bilinear", align_corners=False
    )


def jitter(images: Tensor, rng: Generator, *, strength: float) -> Tensor:
    """Change contrast, brightness, gamma, colour, noise and sharpness at random.

    Parameters
    ----------
    images : Tensor
        (B, C, H, W) of mean about 0 and deviation about 1.
    rng : Generator
        On the CPU.
    strength : float
        0 changes nothing; 0.3 is weak, 1 is strong.

    Returns
    -------
    Tensor
        The same shape; geometry is untouched.
    """
    batch, channels = images.shape[:2]
    device = images.device

    def between(low: float, high: float, wide: int = 1) -> Tensor:
        return _uniform((batch, wide, 1, 1), low, high, rng).to(device)

    low = images.amin((1, 2, 3), keepdim=True)
    reach = (images.amax((1, 2, 3), keepdim=True) - low).clamp_min(1e-3)
    gamma = torch.exp(between(-0.7, 0.7) * strength)
    images = ((images - low) / reach).clamp(1e-4, 1.0).pow(gamma) * reach + low
    images = images * torch.exp(between(-0.5, 0.5) * strength)
    images = images + between(-0.5, 0.5) * strength
    if channels > 1:
        images = images + between(-0.3, 0.3, channels) * strength
    soft = F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    blend = between(-0.5, 1.0) * strength  # below zero it sharpens
    images = torch.lerp(images, soft, blend)
    return images + _noise(images, rng) * (between(0.0, 0.25) * strength)


def _noise(images: Tensor, rng: Generator) -> Tensor:
    """Normal noise of the images' shape, each image's from a seed of its own.

    Drawn for all ranks at once it would take each of them as long as all of it.
    """
    seeds = draw(partial(torch.randint, 2**62), (len(images),), rng).tolist()
    noise = torch.empty(images.shape)
    for row, seed in zip(noise, seeds, strict=True):
        row.normal_(generator=torch.Generator().manual_seed(seed))
    return noise.to(images.device)


def cutmix_boxes(
    batch: int, size: tuple[int, int], rng: Generator, *, low: float, high: float
) -> Tensor:
    """Draw one rectangle an image, sides from `low` to `high` of the picture's.

    Returns
    -------
    Tensor
        (B, 1, H, W) bool, True inside the rectangle.
    """
    height, width = size
    sides = _uniform((batch, 2), low, high, rng) * torch.tensor([height, width])
    start = draw(torch.rand, (batch, 2), rng) * (torch.tensor([height, width]) - sides)
    end = start + sides
    y, x = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    rows = (y >= start[:, :1]) & (y < end[:, :1])  # (B, H)
    columns = (x >= start[:, 1:]) & (x < end[:, 1:])  # (B, W)
    return (rows[:, :, None] & columns[:, None, :])[:, None]
