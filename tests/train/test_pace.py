"""The number of threads follows what the machine can give."""

from __future__ import annotations

import pytest

from src_core.train.pace import Pace


def _drive(most, cost, steps, clock):
    """Run so many steps whose time depends on the threads; return the counts used."""
    used: list[int] = []
    pace = Pace(most, lambda n: None, lambda: clock[0])
    for _ in range(steps):
        used.append(pace.threads)
        seconds = cost(pace.threads, clock[0])
        clock[0] += seconds
        pace.step_took(seconds)
    return used


@pytest.mark.parametrize(
    ("most", "cost", "best"),
    [
        (2, lambda n, t: 0.2 / n, 2),  # a quiet machine
        (2, lambda n, t: 0.2 if n == 1 else 0.9, 1),  # a busy one
        (8, lambda n, t: 0.1 + abs(n - 4), 4),
        (1, lambda n, t: 0.1, 1),
    ],
)
def test_the_fastest_count_is_kept(most, cost, best):
    used = _drive(most, cost, 60, [0.0])
    assert used[0] == most
    assert used[-20:].count(best) >= 12
    assert set(used) <= {most, max(1, most // 2), 1}


def test_it_follows_a_machine_that_becomes_busy():
    def cost(threads, now):
        return 0.2 / threads if now < 60 else (0.2 if threads == 1 else 0.9)

    clock = [0.0]
    used = _drive(2, cost, 900, clock)
    assert used[100:200].count(2) > 90
    assert used[-200:].count(1) > 150


def test_trying_costs_little():
    """On a quiet machine nine steps in ten run with the best count."""
    used = _drive(2, lambda n, t: 0.25 / n, 2000, [0.0])
    assert used.count(2) > 0.9 * len(used)
