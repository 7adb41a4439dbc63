"""A toy world to train in: discs and bars, and settings for a tiny network."""

from __future__ import annotations

from discs_and_bars import SIDE, TINY, draw
from src_core.config import FrameSettings, ModelSettings, TextSettings, TrainSettings
from src_core.imaging.prepare import prepare
from src_core.train import Item
from src_core.types import Split, Target

DISC = Target("disc", "disc", ("bright disc", "round spot"))
BAR = Target("bar", "bar", ("dark bar",))


def toy_item(index: int, split: Split, truth: bool) -> Item:
    pixels, masks = draw(index)
    picture = prepare(pixels, "yx", FrameSettings(size=SIDE))
    return Item(f"im{index}", picture, split, masks if truth else {})


def toy_settings(method: str = "supervised", **train) -> ModelSettings:
    return ModelSettings(
        method=method,
        text=TextSettings(encoder="hashed"),
        frame=FrameSettings(size=SIDE),
        net=TINY,
        train=TrainSettings(**({"batch": 4, "threads": 1} | train)),
    )
