"""A pool of the toy world, what is asked for in it, and its settings."""

from __future__ import annotations

import pytest

from src_core.config import TextSettings
from src_core.text import load_encoder
from src_core.train import Pool, Wordings
from src_core.types import Split
from toy_world import BAR, DISC, toy_item, toy_settings


@pytest.fixture(scope="session")
def pool() -> Pool:
    items = [toy_item(i, Split.TRAIN, truth=i < 4) for i in range(8)]
    items += [toy_item(i, Split.VAL, truth=True) for i in range(8, 12)]
    return Pool(items, [DISC, BAR], 64)


@pytest.fixture(scope="session")
def wordings(pool) -> Wordings:
    return Wordings(
        pool.targets, pool.captions, load_encoder(TextSettings(encoder="hashed"))
    )


@pytest.fixture
def settings():
    return toy_settings
