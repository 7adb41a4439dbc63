"""A small project to write to, and masks to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from src_core.store import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from src_core.types import Image, Target


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "project", "Chest", who="ada") as project:
        yield project


@pytest.fixture
def image(project: Project) -> Image:
    pixels = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)
    return project.add_image(pixels, name="Case 1", axes="yx", group="Doe, Jane")[0]


@pytest.fixture
def volume(project: Project) -> Image:
    pixels = np.arange(6 * 40 * 30, dtype=np.int16).reshape(6, 40, 30)
    return project.add_image(
        pixels,
        name="Volume",
        axes="zyx",
        spacing=(5.0, 0.7, 0.7),
        unit="millimeter",
        origin=(-10.0, 3.0, 4.5),
        orientation="SPL",
    )[0]


@pytest.fixture
def target(project: Project) -> Target:
    return project.add_target("Left lung", ["left lung", "the lung on the left"])


@pytest.fixture
def drawn() -> np.ndarray:
    mask = np.zeros((40, 30), np.uint8)
    mask[5:15, 3:20] = 1
    return mask
