"""A small network and small batches for every method."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import discs_and_bars
from src_core.config import FrameSettings, ModelSettings
from src_core.methods import Batch
from src_core.text import TextFeatures

WIDTH, SIDE = 16, discs_and_bars.SIDE
TINY = ModelSettings(
    net=discs_and_bars.TINY.model_copy(update={"text_width": WIDTH}),
    frame=FrameSettings(size=SIDE),
)


def _make_batch(
    seed: int, *, labelled: bool, images: int = 3, targets: int = 2
) -> Batch:
    """Discs (target 0) and bars (target 1): each image is asked for both."""
    rng = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    masks, pictures = [], []
    for _ in range(images):
        cy, cx = (torch.rand(2, generator=rng) * 20 + 12).tolist()
        disc = ((y - cy) ** 2 + (x - cx) ** 2 < 81).float()
        bar = ((y > 44) & (y < 56)).float() * (1 - disc)
        noise = torch.randn(SIDE, SIDE, generator=rng) * 0.3
        pictures.append((2 * disc - 1.5 * bar + noise).expand(3, -1, -1))
        masks.append(torch.stack([disc, bar][:targets])[:, None])
    text = torch.Generator().manual_seed(99)
    tokens = torch.randn(targets, 4, WIDTH, generator=text).repeat(images, 1, 1)
    mask = torch.ones(tokens.shape[:2], dtype=torch.bool)
    pairs, views = images * targets, torch.stack(pictures)
    truth = torch.cat(masks) if labelled else None
    still = torch.eye(2, 3).expand(images, -1, -1)
    grid = F.affine_grid(still, [images, 1, SIDE, SIDE], align_corners=False)
    return Batch(
        views,
        TextFeatures(tokens, mask, tokens.mean(1)),
        torch.arange(images).repeat_interleave(targets),
        torch.arange(targets).repeat(images),
        truth,
        torch.ones(pairs),
        torch.arange(images),
        views,
        torch.zeros(images),
        torch.ones(images),
        grid,
        None if truth is None else truth.to(torch.uint8),
    )


@pytest.fixture
def make_batch():
    return _make_batch


@pytest.fixture
def labelled() -> Batch:
    return _make_batch(0, labelled=True)


@pytest.fixture
def unlabelled() -> Batch:
    return _make_batch(1, labelled=False)


@pytest.fixture
def tiny() -> ModelSettings:
    return TINY
