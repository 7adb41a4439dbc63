"""How long an answer takes: the first prompt, the second, and a pool of pictures."""

from __future__ import annotations

import numpy as np
from speed_models import SIDE, predictor, settings_of, training_on_noise
from timing import Row, in_turns


def predict() -> list[Row]:
    """Predict a 512² picture, beside LViT's own forward at 224²; a second prompt."""
    import torch

    from src_core.methods import method_class

    picture = np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)
    whole = predictor(512)
    served = predictor(SIDE)
    seen = predictor(512)
    seen.predict(picture, "yx", ["left lung"], key="known")
    lvit = method_class("lvit").build(settings_of("lvit", 224)).eval()
    image, mask = torch.randn(1, 3, 224, 224), torch.ones(1, 10, dtype=torch.bool)
    tokens = torch.randn(1, 10, settings_of().net.text_width)

    @torch.inference_mode()
    def forward() -> None:
        lvit(image, tokens, mask)

    ours, as_served, second, theirs = in_turns(
        lambda: whole.predict(picture, "yx", ["heart"]),
        lambda: served.predict(picture, "yx", ["heart"]),
        lambda: seen.predict(picture, "yx", ["heart"], key="known"),
        forward,
    )
    lvit_says = "LViT, base 64, its own forward at 224²"
    return [
        Row("predict 512², net at 512²", ours, lvit_says, theirs, "10x"),
        Row(f"predict 512², net at {SIDE}²", as_served, lvit_says, theirs, "10x"),
        Row("a second prompt on the same picture", second, "the first", ours, "2.9x"),
    ]


def scoring() -> list[Row]:
    """Ask about many pictures at once, beside one at a time."""
    import torch

    _, training = training_on_noise("lg-ssl", 64)
    net, pool = training.method.net.eval(), training.sampler.pool
    from src_core.imaging.prepare import standardise

    view = standardise(pool.squares, pool.mean, pool.deviation)
    view = view.contiguous(memory_format=torch.channels_last)
    text = training.sampler.wordings.select(torch.tensor([0]), torch.device("cpu"))

    @torch.inference_mode()
    def ask(size: int) -> None:
        for part in view.split(size):
            with training.device.autocast():
                seen = net.encode(part, first_only=True)
                read = net.prompt(
                    text.tokens.expand(len(part), -1, -1),
                    text.mask.expand(len(part), -1),
                )
                net.answer(seen, read, first_only=True)

    batched, single = in_turns(lambda: ask(16), lambda: ask(1), rounds=5)
    return [Row("score 64 pictures, 16 at once", batched, "one by one", single, "3x")]
