"""Distances, typicality and groups against slow references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from src_core.acquire import likeness

POINTS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(2, 30), st.integers(1, 5)),
    elements=st.floats(-10, 10, width=32),
)


@settings(max_examples=60, deadline=None)
@given(POINTS, st.integers(0, 2**16))
def test_the_nearest_of_some(points, seed):
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(points), rng.integers(1, len(points)), replace=False)
    near, which = likeness.nearest_of(points, rows)
    exact = cdist(points, points[rows])
    assert near == pytest.approx(exact.min(1), abs=2e-2)
    assert near[rows].tolist() == [0.0] * len(rows)
    assert set(which) <= set(rows)
    found = cdist(points, points)[np.arange(len(points)), which]
    assert found == pytest.approx(exact.min(1), abs=2e-2)


def test_near_to_nothing_is_infinitely_far():
    near, which = likeness.nearest_of(np.zeros((3, 2), np.float32), np.empty(0, int))
    assert np.isinf(near).all()
    assert which.tolist() == [-1, -1, -1]


@settings(max_examples=60, deadline=None)
@given(POINTS)
def test_apart_from_one(pool_of, points):
    apart = pool_of(points).gallery.apart_from(0)
    assert apart == pytest.approx(cdist(points, points[:1])[:, 0], abs=2e-2)
    assert apart[0] == 0.0


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float64, st.integers(2, 40), elements=st.integers(0, 9)))
def test_ranks_are_scipys(values):
    expected = (rankdata(values) - 1) / (len(values) - 1)
    assert likeness.ranks(values) == pytest.approx(expected)


def test_typicality_is_the_order_of_the_mean_distance_to_neighbours():
    points = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    apart = np.sort(cdist(points, points), axis=1)[:, 1:21].mean(1)
    expected = (rankdata(-apart) - 1) / 59
    found = likeness.typicality(points, np.random.default_rng(1))
    assert found == pytest.approx(expected, abs=1e-6)


def test_typicality_of_many_is_estimated_from_a_sample():
    rng = np.random.default_rng(0)
    points = np.r_[rng.normal(0, 0.3, (3000, 2)), rng.normal(0, 5.0, (1000, 2))].astype(
        np.float32
    )
    typical = likeness.typicality(points, rng)
    assert len(points) > likeness.SAMPLE
    assert typical[:3000].mean() > 0.55
    assert typical[np.linalg.norm(points, axis=1) > 8].max() < 0.2


def test_clusters_are_the_planted_ones():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])
    points = (centres[:, None] + rng.normal(0, 0.5, (4, 25, 2))).reshape(100, 2)
    found = likeness.clusters(points.astype(np.float32), 4, rng).reshape(4, 25)
    assert all(len(set(group)) == 1 for group in found.tolist())
    assert len(set(found[:, 0].tolist())) == 4


@pytest.mark.parametrize("count", [1, 3, 50])
def test_never_more_clusters_than_points(count):
    points = np.zeros((3, 2), np.float32)
    found = likeness.clusters(points, count, np.random.default_rng(0))
    assert found.shape == (3,)
    assert found.max() < 3
