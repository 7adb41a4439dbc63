"""Networks, predictors and trainings on noise, as the benchmarks of speed need them."""

from __future__ import annotations

from typing import Any

import numpy as np

SIDE = 192


def settings_of(method: str = "lg-ssl", side: int = SIDE, **train: Any) -> Any:
    from src_core.config import (
        FrameSettings,
        ModelSettings,
        TextSettings,
        TrainSettings,
    )

    return ModelSettings(
        method=method,
        frame=FrameSettings(size=side, tiles=False),
        text=TextSettings(encoder="hashed"),
        train=TrainSettings(**train),
    )


def predictor(side: int) -> Any:
    from src_core.checkpoints import ModelCard
    from src_core.devices import pick_device
    from src_core.methods import method_class
    from src_core.predict import Predictor
    from src_core.text import load_encoder

    settings = settings_of(side=side)
    encoder = load_encoder(settings.text)
    net = settings.net.model_copy(update={"text_width": encoder.width})
    settings = settings.model_copy(update={"net": net})
    card = ModelCard(
        version="v1",
        created="",
        position=0,
        settings=settings,
        targets=[],
        labelled=0,
        unlabelled=0,
        steps=0,
        seconds=0,
    )
    weights = method_class(settings.method).build(settings).state_dict()
    return Predictor(card, weights, pick_device(), encoder)


def training_on_noise(method: str, images: int, side: int = SIDE, **train: Any) -> Any:
    """A pool of noise with three targets, and a training on it."""
    from src_core.devices import pick_device
    from src_core.imaging.prepare import prepare
    from src_core.text import load_encoder
    from src_core.train import Budget, Item, Pool, Training, Wordings
    from src_core.types import Split, Target

    rng = np.random.default_rng(0)
    settings = settings_of(method, side, **train)
    encoder = load_encoder(settings.text)
    net = settings.net.model_copy(update={"text_width": encoder.width})
    settings = settings.model_copy(update={"net": net})
    targets = [Target(name, name, (name,)) for name in ("heart", "lung", "spine")]

    def items() -> Any:
        for number in range(images):
            pixels = rng.integers(0, 255, (side, side), np.uint8)
            truth = {
                target.id: (rng.random((side, side)) < 0.1).astype(np.uint8)
                for target in targets
            }
            known = truth if number < max(2, images // 10) else {}
            picture = prepare(pixels, "yx", settings.frame)
            yield Item(f"im{number}", picture, Split.TRAIN, known)

    pool = Pool(items(), targets, side)
    wordings = Wordings(targets, pool.captions, encoder)
    device = pick_device()
    training = Training(pool, wordings, settings, device, Budget(steps=10**6))
    return pool, training
