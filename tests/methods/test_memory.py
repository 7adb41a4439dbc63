"""What a method remembers: EPI's closed form, a bound, and life after a resume."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from src_core.checkpoints import load_tensors, save_tensors
from src_core.methods.memory import EPI, Memory

ROOM = 2**20


def _answers(count, shape=(1, 8, 8)):
    rng = torch.Generator().manual_seed(4)
    return torch.rand(count, *shape, generator=rng)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 150])
def test_epi_is_its_closed_form_after_n_steps(beta, steps):
    """β^n·P_0 + (1 - β)·Σ_k β^(n-k)·P_k, in float64."""
    epi, answers = EPI(beta, ROOM), _answers(steps + 1)
    for answer in answers:
        label = epi.iterate([(3, 1)], answer[None])
    p = answers.double().numpy()
    weights = [(1 - beta) * beta ** (steps - k) for k in range(1, steps + 1)]
    expected = beta**steps * p[0] + np.tensordot(weights, p[1:], 1)
    np.testing.assert_allclose(label[0], expected, atol=3e-4)


def test_pairs_are_iterated_each_on_its_own():
    epi, answers = EPI(0.9, ROOM), _answers(4)
    keys = [(0, 0), (0, 1), (1, 0)]
    torch.testing.assert_close(epi.iterate(keys, answers[:3]), answers[:3])
    label = epi.iterate([(0, 1)], answers[3:])
    expected = 0.9 * answers[1] + 0.1 * answers[3]
    torch.testing.assert_close(label[0], expected, atol=1e-4, rtol=0)


def test_a_pair_drawn_twice_in_a_batch_is_iterated_twice():
    once, twice, answers = EPI(0.9, ROOM), EPI(0.9, ROOM), _answers(2)
    together = twice.iterate([(0, 0), (0, 0)], answers)
    for row in range(2):
        alone = once.iterate([(0, 0)], answers[[row]])
        torch.testing.assert_close(together[[row]], alone)


def test_a_small_change_is_not_lost_to_rounding():
    """0.01 of a difference of 0.01, a thousand times: eight bits would stand still."""
    epi = EPI(0.99, ROOM)
    epi.iterate([(0, 0)], torch.full((1, 1, 2, 2), 0.50))
    for _ in range(1000):
        label = epi.iterate([(0, 0)], torch.full((1, 1, 2, 2), 0.51))
    assert float(label.mean()) == pytest.approx(0.51, abs=2e-3)


def test_nothing_asked_nothing_remembered():
    epi = EPI(0.9, ROOM)
    assert epi.iterate([], torch.zeros(0, 1, 8, 8)).shape == (0, 1, 8, 8)
    assert len(epi.memory) == 0


def test_the_longest_unseen_is_forgotten_first():
    memory = Memory(("a",), limit=3 * 8)
    for key in [(0,), (1,), (2,), (0,), (3,)]:
        memory.put(key, torch.zeros(2))  # 8 bytes
    assert list(memory) == [(2,), (0,), (3,)]


def test_a_row_larger_than_the_limit_is_kept_alone():
    memory = Memory(("a",), limit=1)
    for key in range(3):
        memory.put((key,), torch.zeros(2))
    assert list(memory) == [(2,)]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_checkpoint_holds_it(tmp_path, count):
    memory = Memory(("text", "mask"), ROOM)
    for key in range(count):
        memory.put((key, 2, 9), torch.rand(4), torch.randint(9, (3, 3)))
    file = tmp_path / "c.safetensors"
    save_tensors(file, memory.state_dict(), {})
    again = Memory(("text", "mask"), ROOM)
    again.put((99, 9, 9), torch.zeros(4), torch.zeros(3, 3, dtype=torch.long))
    again.load_state_dict(load_tensors(file)[0])
    assert list(again) == list(memory)
    for key in memory:
        assert all(map(torch.equal, again[key], memory[key]))
