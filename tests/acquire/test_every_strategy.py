"""What the seam promises, for every row of the table."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.acquire import STRATEGIES, Candidate, strategy
from src_core.errors import BadInputError

POOL = [
    Candidate(
        f"im{i}", "lung", f"patient{i // 4}", entropy=i / 20, foreground=float(i % 2)
    )
    for i in range(20)
]


@pytest.mark.parametrize("name", STRATEGIES)
class TestEveryStrategy:
    def test_picks_are_candidates_each_once_with_a_reason(self, name):
        picks = strategy(name).pick(POOL, 7, np.random.default_rng(0))
        assert len(picks) == 7
        assert len({p.image for p in picks}) == 7
        assert {p.image for p in picks} <= {c.image for c in POOL}
        assert all(p.reason for p in picks)

    def test_patients_come_in_turn(self, name):
        picks = strategy(name).pick(POOL, 5, np.random.default_rng(1))
        group = {c.image: c.group for c in POOL}
        assert len({group[p.image] for p in picks}) == 5

    def test_more_than_there_are(self, name):
        assert len(strategy(name).pick(POOL[:3], 99, np.random.default_rng(0))) == 3
        assert strategy(name).pick([], 5, np.random.default_rng(0)) == []

    def test_one_seed_one_choice(self, name):
        first, second = (
            strategy(name).pick(POOL, 5, np.random.default_rng(4)) for _ in range(2)
        )
        assert first == second


def test_foreground_comes_first():
    alone = [Candidate(c.image, c.target, c.image, 0.1, c.foreground) for c in POOL]
    picks = strategy("foreground-random").pick(alone, 10, np.random.default_rng(0))
    seen = {c.image for c in POOL if c.foreground}
    assert {p.image for p in picks} == seen


def test_entropy_prefers_the_unsure():
    alone = [Candidate(c.image, c.target, c.image, c.entropy, 1.0) for c in POOL]
    counts = dict.fromkeys((c.image for c in POOL), 0)
    for seed in range(50):
        for pick in strategy("entropy").pick(alone, 5, np.random.default_rng(seed)):
            counts[pick.image] += 1
    assert sum(counts[f"im{i}"] for i in range(10, 20)) > 4 * sum(
        counts[f"im{i}"] for i in range(10)
    )


def test_an_unknown_strategy_is_a_sentence():
    with pytest.raises(BadInputError, match="choose one of entropy"):
        strategy("oracle")
