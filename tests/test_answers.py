"""A volume's answer, put together of its planes' answers."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.answers import Answerer, Prediction
from src_core.config import FrameSettings

PLANE = (12, 16)


class Scripted(Answerer):
    """Answers each plane as it is told: a square, and whether that counts as found."""

    name, threshold = "scripted", 0.5
    learned, frame = frozenset[str](), FrameSettings(size=32)

    def __init__(self, found: list[bool]) -> None:
        self._found = iter(found)

    def answer_plane(self, shown, prompts, key):
        probability = np.full(PLANE, 0.1, np.float32)
        probability[2:5, 2:6] = 0.8
        present = next(self._found)
        score = 0.9 if present else 0.2
        return [Prediction(probability, score, present, "v1", 1.0) for _ in prompts]


@pytest.mark.parametrize(
    ("found", "shown", "anyway"),
    [
        # Planes without the target stay empty in a volume that has it somewhere ...
        ([False, True, False], [0, 12, 0], [0, 12, 0]),
        ([True, True, True], [12, 12, 12], [12, 12, 12]),
        # ... and who wants to see it all the same sees all of what was not found.
        ([False, False, False], [0, 0, 0], [12, 12, 12]),
    ],
)
def test_what_is_shown_of_a_volume(found, shown, anyway):
    pixels = np.random.default_rng(0).integers(0, 255, (3, *PLANE), np.uint8)
    (answer,) = Scripted(found).predict(pixels, "zyx", ["lung"])
    assert answer.present == any(found)
    assert answer.mask.sum((1, 2)).tolist() == shown
    assert answer.shape_mask.sum((1, 2)).tolist() == anyway
    assert answer.plane_scores == tuple(0.9 if f else 0.2 for f in found)
