"""Two processes that train together train as one does on the same batches."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

import one_rank
from src_core.checkpoints import load_tensors
from src_core.methods import METHODS
from src_core.ranks import ALONE, Ranks, draw, enter, leave

STEPS = 6
# Alike to rounding at first; then AdamW, which divides small gradients by their size,
# makes of the last digit what it makes of any. Hard answers (CPS) break ties so.
EARLY, LATE = 1e-5, {"cps": 2e-2, "unimatch": 5e-3}
DROPOUT = {"lvit"}  # drawn by each process for its own images


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Where two processes have written down what they made of every method."""
    folder = tmp_path_factory.mktemp("ranks")
    started = [
        subprocess.Popen(
            [
                sys.executable,
                one_rank.__file__,
                str(folder),
                str(n),
                "2",
                str(STEPS),
                *METHODS,
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(2)
    ]
    for process in started:
        _, told = process.communicate(timeout=600)
        assert process.returncode == 0, told[-3000:]
    return folder


def read(folder, method, number):
    return load_tensors(folder / f"{method}-{number}.safetensors")


@pytest.mark.parametrize("method", METHODS)
def test_both_have_the_same_parameters_and_look_at_the_same_time(two, method):
    (first, told), (second, told_too) = (read(two, method, n) for n in range(2))
    assert first.keys() == second.keys()
    for name, value in first.items():
        if "memory" not in name:  # kept in another order
            assert torch.equal(value, second[name]), name
    assert told["losses"] == told_too["losses"]
    assert [k[:2] for k in told["looks"]] == [k[:2] for k in told_too["looks"]]
    assert told["began"] == told_too["began"]


@pytest.mark.parametrize("method", [m for m in METHODS if m not in DROPOUT])
def test_the_losses_are_those_of_one_process_with_the_same_batch(two, method, tmp_path):
    training, trained, losses = one_rank.train(method, STEPS)
    weights, told = read(two, method, 0)
    assert told["began"] == training.course.began
    assert (told["began"] is not None) is METHODS[method].uses_unlabelled
    curve = [one["loss"] for one in losses]
    assert len({round(loss, 4) for loss in curve}) >= STEPS - 1
    shared = [one["loss"] for one in told["losses"]]
    assert shared[:3] == pytest.approx(curve[:3], rel=EARLY)
    assert shared == pytest.approx(curve, rel=LATE.get(method, 2e-3))
    looks = [[k.step, k.raw, k.average] for k in trained.looks]
    assert told["looks"] == [pytest.approx(k, abs=5e-3) for k in looks]
    for name, value in training.method.state_dict().items():
        if value.is_floating_point() and "running" not in name:
            distance = (weights[name] - value).norm() / (1 + value.norm())
            assert float(distance) < 2e-2, name


def test_dropout_differs_between_them_and_little_else(two):
    _, _, losses = one_rank.train("lvit", STEPS)
    _, told = read(two, "lvit", 0)
    shared = [one["loss"] for one in told["losses"]]
    assert shared == pytest.approx([one["loss"] for one in losses], rel=2e-2)


class Second(Ranks):
    """The second of two, without the first."""

    number, count = 1, 2

    def own(self, rows):
        return torch.cat([half[len(half) // 2 :] for half in rows.chunk(2)])


def test_each_draws_what_one_process_would_have_drawn_for_its_rows():
    alone = draw(torch.rand, (8, 3), torch.Generator().manual_seed(5))
    enter(Second())
    try:
        rng = torch.Generator().manual_seed(5)
        mine = draw(torch.rand, (4, 3), rng)
    finally:
        leave()
    assert torch.equal(mine, alone[[2, 3, 6, 7]])
    other = torch.Generator().manual_seed(5)
    torch.rand((8, 3), generator=other)
    assert torch.equal(rng.get_state(), other.get_state())


@pytest.mark.parametrize(
    ("count", "batch", "fitting"),
    [(1, 8, 8), (1, 3, 3), (2, 8, 8), (2, 9, 16), (4, 8, 16), (3, 1, 12)],
)
def test_a_batch_is_made_to_be_dealt_out(count, batch, fitting):
    class Many(Ranks):
        pass

    Many.count = count
    assert Many().fitting(batch) == fitting


def test_who_is_alone_changes_nothing():
    rows = torch.arange(3)
    assert ALONE.agree(lambda: (1, 0.5)) == (1, 0.5)
    assert torch.equal(ALONE.own(rows), rows)
    assert torch.equal(ALONE.joined(rows), rows)
    assert len(ALONE.of_others(rows)) == 0
    assert ALONE.denominator(torch.tensor(0.0)) == 1.0
    assert math.isclose(ALONE.averaged({"a": torch.tensor(2.0)})["a"], 2.0)
