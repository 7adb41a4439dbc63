"""Where to look, on heat that was put there."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.acquire.regions import where_to_look
from src_core.acquire.words import place


def test_the_planted_spot_comes_first():
    heat = np.full((80, 120), 0.001, np.float32)
    heat[68:76, 100:108] = 1.0
    heat[5:9, 5:9] = 0.9
    first, second, *_ = where_to_look(heat)
    assert first.slice is None
    assert first.rows[0] <= 68
    assert first.rows[1] >= 76
    assert first.columns[0] <= 100
    assert first.columns[1] >= 108
    assert first.words == "at the lower right of the picture"
    assert first.share > second.share
    assert second.words == "at the upper left of the picture"


def test_no_region_lies_over_another():
    rng = np.random.default_rng(0)
    regions = where_to_look(rng.random((40, 40)).astype(np.float32), 5)
    shares = [region.share for region in regions]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.0 + 1e-6


def test_in_a_volume_the_neighbouring_slice_says_nothing_new():
    heat = np.zeros((30, 32, 32), np.float32)
    heat[10:13, 8:12, 8:12] = [[[0.8]], [[1.0]], [[0.9]]]
    heat[20, 20:24, 20:24] = 0.5
    first, second = where_to_look(heat, 2)
    assert (first.slice, second.slice) == (11, 20)
    assert first.words.endswith(", in slice 12")


@pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (2, 500), (1, 1)])
def test_without_heat_there_is_nowhere_to_look(shape):
    assert where_to_look(np.zeros(shape, np.float32)) == []


def test_the_callers_heat_is_left_as_it_was():
    heat = np.random.default_rng(0).random((4, 20, 20)).astype(np.float32)
    before = heat.copy()
    where_to_look(heat)
    assert np.array_equal(heat, before)


@pytest.mark.parametrize(
    ("y", "x", "words"),
    [
        (0.0, 0.0, "at the upper left of the picture"),
        (0.5, 0.0, "at the left of the picture"),
        (1.0, 0.5, "at the bottom of the picture"),
        (0.0, 0.5, "at the top of the picture"),
        (0.5, 0.5, "in the middle of the picture"),
        (0.9, 0.9, "at the lower right of the picture"),
    ],
)
def test_places_have_names(y, x, words):
    assert place(y, x) == words
