"""Which labelled images tell a version what targets are like."""

from __future__ import annotations

import dataclasses

import pytest

from discs_and_bars import SIDE
from src_core.rounds import familiar as module
from src_core.rounds.familiar import familiar
from src_core.train import Pool
from src_core.types import Split
from toy_world import BAR, DISC, toy_item


def _pool(labelled, slices=1):
    items = []
    for n in range(labelled + 3):
        split = Split.VAL if n == labelled else Split.TRAIN
        for z in range(slices):
            item = toy_item(n * slices + z, split, truth=n <= labelled)
            name = f"v{n}" + f"@{z}#0" * (slices > 1)
            items.append(dataclasses.replace(item, image=name))
    return Pool(items, [DISC, BAR], SIDE)


@pytest.mark.parametrize("slices", [1, 3])
def test_of_few_all_that_are_labelled_and_teach(slices):
    assert familiar(_pool(5, slices)) == [f"v{n}" for n in range(5)]


@pytest.mark.parametrize(("slices", "images"), [(1, 12), (3, 4)])
def test_of_many_some_evenly_and_those_asked_for(monkeypatch, slices, images):
    monkeypatch.setattr(module, "MOST", 12)
    chosen = familiar(_pool(20, slices), first={"v7"})
    assert chosen[0] == "v7"
    assert len(chosen) == len(set(chosen)) == images
    assert {"v0", "v19"} < set(chosen)


def test_those_asked_for_are_never_left_out(monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    wanted = {f"v{n}" for n in range(4)}
    assert set(familiar(_pool(8), first=wanted)) == wanted


def test_where_nothing_is_labelled_there_is_nothing():
    assert familiar(_pool(0)) == []
