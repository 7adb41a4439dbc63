"""A toy world: grey pictures of a disc and a bar, and settings for a tiny network."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.config import (
    FrameSettings,
    ModelSettings,
    NetSettings,
    TextSettings,
    TrainSettings,
)
from src_core.imaging.prepare import prepare
from src_core.text import load_encoder
from src_core.train import Item, Pool, Wordings
from src_core.types import Split, Target

DISC = Target("disc", "disc", ("bright disc", "round spot"))
BAR = Target("bar", "bar", ("dark bar",))


def _toy_item(index: int, split: Split, truth: bool) -> Item:
    rng = np.random.default_rng(index)
    y, x = np.mgrid[:64, :64]
    cy, cx = rng.integers(16, 32), rng.integers(16, 48)
    disc = (y - cy) ** 2 + (x - cx) ** 2 < 100
    bar = (y > 46) & (y < 56)
    picture = 120 + 90 * disc - 90 * bar + rng.normal(0, 10, y.shape)
    masks = {"disc": disc.astype(np.uint8), "bar": bar.astype(np.uint8)}
    pixels = picture.clip(0, 255).astype(np.uint8)
    return Item(
        f"im{index}",
        prepare(pixels, "yx", FrameSettings(size=64)),
        split,
        masks if truth else {},
    )


def toy_settings(method: str = "supervised", **train) -> ModelSettings:
    return ModelSettings(
        method=method,
        text=TextSettings(encoder="hashed"),
        frame=FrameSettings(size=64),
        net=NetSettings(
            widths=(8, 8, 16, 16, 16),
            decoder_widths=(16, 8, 8),
            slots=2,
            grid=4,
            code_width=16,
            base=8,
        ),
        train=TrainSettings(**({"batch": 4, "threads": 1} | train)),
    )


@pytest.fixture(scope="session")
def pool() -> Pool:
    items = [_toy_item(i, Split.TRAIN, truth=i < 4) for i in range(8)]
    items += [_toy_item(i, Split.VAL, truth=True) for i in range(8, 12)]
    return Pool(items, [DISC, BAR], 64)


@pytest.fixture(scope="session")
def wordings(pool) -> Wordings:
    return Wordings(
        pool.targets, pool.captions, load_encoder(TextSettings(encoder="hashed"))
    )


@pytest.fixture
def settings():
    return toy_settings


@pytest.fixture
def toy_item():
    return _toy_item
