"""What the seam promises, for every row of the table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src_core.acquire import ALONE, DEFAULT, SCORES, STRATEGIES, strategy
from src_core.errors import BadInputError

RNG = np.random.default_rng(7)
FEATURES = RNG.normal(size=(20, 4)).astype(np.float32)
SHOWN = np.linspace(0.1, 0.9, 20).astype(np.float32)


@pytest.fixture(params=["before any model", "with a model"])
def pool(request, pool_of, scored):
    """Twenty images of five patients, two targets, some of it labelled."""
    groups = np.arange(20) // 4
    scores = scored(SHOWN) if request.param == "with a model" else {}
    return pool_of(FEATURES, labelled=([1, 6], [3]), groups=groups, scores=scores)


@pytest.mark.parametrize("name", STRATEGIES)
class TestEveryStrategy:
    @pytest.fixture(autouse=True)
    def able(self, name, pool):
        if strategy(name).needs and not pool.scores:
            pytest.skip("asks a model, and is never asked without one")

    def test_picks_are_candidates_each_once_with_a_reason(self, name, pool):
        picks = strategy(name).pick(pool, 7, np.random.default_rng(0))
        keys = [(p.image, p.target) for p in picks]
        candidates = {
            (pool.gallery.ids[i], pool.goals[g].id)
            for i, g in zip(pool.image, pool.goal, strict=True)
        }
        assert len(set(keys)) == 7
        assert set(keys) <= candidates
        assert all(p.reason and np.isfinite(p.score) for p in picks)

    def test_patients_come_in_turn(self, name, pool):
        picks = strategy(name).pick(pool, 5, np.random.default_rng(1))
        groups = [int(p.image.removeprefix("im")) // 4 for p in picks]
        assert sorted(groups) == [0, 1, 2, 3, 4]

    def test_all_of_them_and_no_more(self, name, pool):
        picks = strategy(name).pick(pool, 99, np.random.default_rng(0))
        assert len({(p.image, p.target) for p in picks}) == len(picks) == len(pool)

    def test_none_of_nothing(self, name, pool):
        nothing = pool.keep(np.zeros(len(pool), bool))
        assert strategy(name).pick(nothing, 5, np.random.default_rng(0)) == []
        assert strategy(name).pick(pool, 0, np.random.default_rng(0)) == []

    def test_one_seed_one_choice(self, name, pool):
        first, second = (
            strategy(name).pick(pool, 5, np.random.default_rng(4)) for _ in range(2)
        )
        assert first == second


@pytest.mark.parametrize("name", STRATEGIES)
class TestDiversity:
    """Whatever a strategy ranks by, a batch does not say the same thing twice."""

    def test_no_two_neighbouring_slices(self, name, pool_of, scored):
        # One patient, one stack of nine slices; the middle ones are the most wanted.
        features = np.linspace(0, 1, 9)[:, None]
        middle = 1.0 - np.abs(features[:, 0] - 0.5)
        pool = pool_of(
            features,
            groups=np.zeros(9, int),
            series=np.zeros(9, int),
            places=np.arange(9),
            scores=scored(middle),
        )
        picks = strategy(name).pick(pool, 3, np.random.default_rng(0))
        places = sorted(int(p.image.removeprefix("im")) for p in picks)
        assert np.diff(places).min() >= 2

    def test_a_picture_that_looks_the_same_waits(self, name, pool_of, scored):
        # 0 and 1 are the same picture under two patients.
        features = np.array([[5.0, 0], [5, 0], [0, 0], [0, 1], [1, 0]])
        pool = pool_of(
            features,
            twins=[0, 0, 2, 3, 4],
            series=[ALONE] * 5,
            scores=scored([0.9, 0.9, 0.1, 0.1, 0.1]),
        )
        picks = strategy(name).pick(pool, 4, np.random.default_rng(3))
        assert not {"im0", "im1"} <= {p.image for p in picks}


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(STRATEGIES)),
    order=st.permutations(range(12)),
    labelled=st.integers(0, 11),
    seed=st.integers(0, 2**16),
)
def test_labelling_an_image_never_makes_it_its_own_next_pick(
    pool_of, scored, name, order, labelled, seed
):
    """The property: what is finished for a target is not picked for it again."""
    done = list(order[:labelled])
    pool = pool_of(FEATURES[:12], labelled=(done, done[:2]), scores=scored(SHOWN[:12]))
    picks = strategy(name).pick(pool, 99, np.random.default_rng(seed))
    picked = {(p.image, p.target) for p in picks}
    assert not picked & {(f"im{row}", "t0") for row in done}
    assert not picked & {(f"im{row}", "t1") for row in done[:2]}
    assert len(picks) == 24 - len(done) - len(done[:2])


def test_the_table_is_sorted_and_has_the_default():
    assert list(STRATEGIES) == sorted(STRATEGIES)
    assert all(kind.name == name for name, kind in STRATEGIES.items())
    assert DEFAULT == "hybrid"
    assert all(not kind.needs or kind.needs in SCORES for kind in STRATEGIES.values())


def test_an_unknown_strategy_is_a_sentence():
    with pytest.raises(BadInputError, match="choose one of bald, consistency"):
        strategy("oracle")
