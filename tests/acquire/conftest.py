"""Toy pools whose right answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.acquire import ALONE, SCORES, Gallery, Goal, Pool
from src_core.acquire.likeness import nearest_of, typicality


def make_pool(
    features,
    *,
    labelled=((),),
    groups=None,
    series=None,
    places=None,
    twins=None,
    dices=None,
    scores=None,
    seconds=None,
    absent=None,
):
    """A pool over images with these features.

    `labelled` has the finished rows of each target; `scores` one value an image, or an
    array (images, targets).
    """
    features = np.asarray(features, np.float32)
    count, targets = len(features), len(labelled)
    rows = np.arange(count)
    gallery = Gallery(
        [f"im{row}" for row in rows],
        [f"image {row}" for row in rows],
        rows if groups is None else np.asarray(groups),
        np.full(count, ALONE) if series is None else np.asarray(series),
        np.zeros(count, int) if places is None else np.asarray(places),
        rows if twins is None else np.asarray(twins),
        features,
        typicality(features, np.random.default_rng(0)),
    )
    goals = []
    opened = np.ones((count, targets), bool)
    for number, finished in enumerate(labelled):
        done = np.asarray(finished, np.int64)
        opened[done, number] = False
        near, which = nearest_of(features, done)
        dice = None if dices is None else dices[number]
        name, none = f"target {number}", 0 if absent is None else absent[number]
        goals.append(Goal(f"t{number}", name, done, len(done), near, which, dice, none))
    image, goal = np.nonzero(opened)

    def spread(values):
        wide = np.asarray(values, np.float32)
        wide = np.broadcast_to(wide[:, None] if wide.ndim == 1 else wide, opened.shape)
        return wide[image, goal]

    return Pool(
        gallery,
        tuple(goals),
        image,
        goal,
        {name: spread(values) for name, values in (scores or {}).items()},
        None if seconds is None else spread(seconds),
    )


def every_score(values):
    """The same values for each of the model's scores."""
    return dict.fromkeys(SCORES, values)


@pytest.fixture(scope="session")
def pool_of():
    return make_pool


@pytest.fixture(scope="session")
def scored():
    return every_score
