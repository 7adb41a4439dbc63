"""A project of noise with three targets, and the card of a model that nobody loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fakes import SIZE
from src_core.checkpoints import CARD, WEIGHTS, ModelCard
from src_core.config import ModelSettings
from src_core.rounds import promote
from src_core.store import Project
from src_core.types import Split

TARGETS = {
    "left lung": ("left lung", "lung on the left"),
    "right lung": ("right lung",),
    "heart": ("heart", "cardiac shadow"),
}


def make_project(path: Path, count: int = 4) -> Path:
    """Make a project of small pictures with three targets."""
    rng = np.random.default_rng(0)
    with Project.create(path, who="ada") as project:
        for number in range(count):
            project.add_image(
                rng.integers(0, 255, SIZE, dtype=np.uint8),
                name=f"film {number}",
                axes="yx",
                group=f"patient {number}",
                split=Split.VAL if number == count - 1 else Split.TRAIN,
            )
        for name, prompts in TARGETS.items():
            project.add_target(name, prompts)
    return path


def write_model(
    project: Any, version: str, *, answers: bool = True, **card: Any
) -> None:
    """Put a model's card into a project; its weights are empty, nobody loads them."""
    folder = project.models_dir / version
    folder.mkdir()
    given = {
        "created": "2026-01-01T00:00:00+00:00",
        "position": project.position,
        "settings": ModelSettings(),
        "targets": ["left-lung", "heart"],
        "labelled": 2,
        "unlabelled": 1,
        "steps": 10,
        "seconds": 1.0,
        "validation": {"left-lung": 0.7, "heart": 0.5, "mean": 0.6},
    } | card
    written = ModelCard(version=version, **given).model_dump_json()
    (folder / CARD).write_text(written)
    (folder / WEIGHTS).touch()
    if answers:
        promote(project, version, who="ada", reason="for a test")
