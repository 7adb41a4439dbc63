"""Pictures of a disc and a bar, projects of them, and settings that learn them fast."""

from __future__ import annotations

import numpy as np

from src_core.config import ModelSettings, NetSettings, TextSettings, TrainSettings
from src_core.rounds import RoundRequest
from src_core.store import Project
from src_core.types import MaskStatus, Split

SIDE = 64
TINY = NetSettings(
    widths=(8, 8, 16, 16, 16),
    decoder_widths=(16, 8, 8),
    slots=2,
    grid=4,
    code_width=16,
    base=8,
)


def draw(index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the picture of this number, and its masks by target."""
    rng = np.random.default_rng(index)
    y, x = np.mgrid[:SIDE, :SIDE]
    cy, cx = rng.integers(16, 32), rng.integers(16, 48)
    disc = (y - cy) ** 2 + (x - cx) ** 2 < 100
    bar = (y > 46) & (y < 56)
    picture = 120 + 90 * disc - 90 * bar + rng.normal(0, 10, y.shape)
    masks = {"disc": disc.astype(np.uint8), "bar": bar.astype(np.uint8)}
    return picture.clip(0, 255).astype(np.uint8), masks


def fill(
    project: Project,
    splits: dict[Split, int],
    labelled: int,
    targets=("disc", "bar"),
    start=0,
):
    """Add so many images a split; train images beyond `labelled` get no mask."""
    ids = {t: project.add_target(t, (f"the {t}",), who="ada").id for t in targets}
    index = start
    for split, count in splits.items():
        for n in range(count):
            pixels, masks = draw(index)
            image, _ = project.add_image(
                pixels,
                name=f"im{index}.png",
                axes="yx",
                group=f"p{index}",
                split=split,
                who="ada",
            )
            index += 1
            if split is Split.TRAIN and n >= labelled:
                continue
            for target in targets:
                project.save_mask(
                    image.id,
                    ids[target],
                    masks[target],
                    who="ada",
                    status=MaskStatus.DONE,
                )


def quick_request(method="supervised", **changes) -> RoundRequest:
    """Ask for a round of a few steps with a tiny network."""
    settings = ModelSettings(
        method=method,
        text=TextSettings(encoder="hashed"),
        net=TINY,
        train=TrainSettings(batch=4, threads=1),
    )
    return RoundRequest(
        **({"settings": settings, "steps": 6, "device": "cpu"} | changes)
    )
