"""Every loss against a slow float64 reference, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from src_core import losses


def _pair(seed: int, shape=(3, 1, 8, 6)):
    rng = np.random.default_rng(seed)
    logits = torch.tensor(rng.normal(0, 3, shape), dtype=torch.float64)
    mask = torch.tensor(rng.random(shape) < 0.3, dtype=torch.float64)
    return logits.requires_grad_(), mask


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _slow_dice(logits, mask, smooth=1.0):
    rows = []
    for x, m in zip(_sigmoid(logits), mask, strict=True):
        top = 2 * sum(a * b for a, b in zip(x.flat, m.flat, strict=True)) + smooth
        rows.append(1 - top / (x.sum() + m.sum() + smooth))
    return np.array(rows)


def _slow_bce(logits, mask):
    p = _sigmoid(logits)
    loss = -(mask * np.log(p) + (1 - mask) * np.log(1 - p))
    return loss.reshape(len(loss), -1).mean(1)


def _slow_deep(logits, mask):
    return _slow_dice(logits, mask) + _slow_bce(logits, mask)


def _slow_pseudo_label(logits, mask):
    """With a weight of 1 everywhere, over all pairs."""
    return np.array([_slow_bce(logits, mask).mean() + _slow_dice(logits, mask).mean()])


def _slow_squared_dice(first, second, weight):
    rows = []
    for a, b, w in zip(first, second, weight, strict=True):
        top = bottom = 1.0
        for x, y, z in zip(a.flat, b.flat, w.flat, strict=True):
            top += 2 * z * x * y
            bottom += z * (x * x + y * y)
        rows.append(1 - top / bottom)
    return np.array(rows)


def _slow_dice_of_squares(logits, label):
    rows = []
    for x, t in zip(_sigmoid(logits), label, strict=True):
        overlap = sum(a * b for a, b in zip(x.flat, t.flat, strict=True))
        squares = sum(a**2 for a in x.flat) + sum(a**2 for a in t.flat)
        rows.append(1 - (2 * overlap + 1) / (squares + 1))
    return np.array(rows)


def _slow_balanced_bce(logits, label):
    p = _sigmoid(logits)
    loss = -(label * np.log(p) + (1 - label) * np.log(1 - p))
    sides = [loss[label > 0.5], loss[label <= 0.5]]
    return np.array(sum(0.5 * side.mean() for side in sides if side.size))


def _slow_language_vision(logits, mask):
    rows = []
    for x, m in zip(_sigmoid(logits), mask, strict=True):
        x, m = x.ravel(), m.ravel()
        lengths = np.sqrt(x @ x) * np.sqrt(m @ m)
        rows.append(1 - x @ m / lengths if m.any() else 0.0)
    return np.array(rows)


def _squared_dice(logits, label):
    return losses.soft_dice_loss(logits, label, squared=True)


def _balanced_bce(logits, label):
    everyone = torch.ones(len(logits))
    return losses.class_balanced_cross_entropy(logits, label, everyone)


CASES = {
    "soft dice": (losses.soft_dice_loss, _slow_dice),
    "cross-entropy": (losses.cross_entropy, _slow_bce),
    "segmentation": (losses.segmentation_loss, _slow_deep),
    "pseudo label": (
        lambda logits, mask: losses.pseudo_label_loss(
            logits, mask, torch.ones_like(mask)
        ),
        _slow_pseudo_label,
    ),
    "squared dice": (_squared_dice, _slow_dice_of_squares),
    "class-balanced": (_balanced_bce, _slow_balanced_bce),
    "language-vision": (losses.language_vision_loss, _slow_language_vision),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_value_is_the_formula(name, seed):
    fast, slow = CASES[name]
    logits, mask = _pair(seed)
    expected = slow(logits.detach().numpy(), mask.numpy())
    np.testing.assert_allclose(fast(logits, mask).detach(), expected, rtol=2e-5)


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_slope(name):
    fast, slow = CASES[name]
    logits, mask = _pair(7, (1, 1, 3, 3))
    fast(logits, mask).sum().backward()
    step, x = 1e-5, logits.detach().numpy()
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        slope = (slow(up, mask.numpy()) - slow(down, mask.numpy())).sum() / (2 * step)
        assert float(logits.grad[index]) == pytest.approx(slope, rel=2e-3, abs=2e-5)


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_dice_is_between_zero_and_one_and_symmetric_in_masks(seed):
    logits, mask = _pair(seed)
    loss = losses.soft_dice_loss(logits, mask)
    assert ((loss >= 0) & (loss <= 1)).all()
    hard = torch.where(mask > 0, 40.0, -40.0)
    torch.testing.assert_close(
        losses.soft_dice_loss(hard, mask), torch.zeros(3), atol=1e-5, rtol=0
    )


def test_rightly_empty_costs_nothing():
    logits, empty = torch.full((1, 1, 9, 9), -30.0), torch.zeros(1, 1, 9, 9)
    assert float(losses.segmentation_loss(logits, empty)) == pytest.approx(0, abs=1e-6)


def test_deep_supervision_weighs_scales_4_2_1():
    logits, mask = _pair(1, (2, 1, 8, 8))
    half, quarter = _pair(2, (2, 1, 4, 4))[0], _pair(3, (2, 1, 2, 2))[0]
    m = mask.numpy()
    m4 = m.reshape(2, 1, 4, 2, 4, 2).mean((3, 5))
    m2 = m.reshape(2, 1, 2, 4, 2, 4).mean((3, 5))
    expected = (
        _slow_deep(logits.detach().numpy(), m)
        + 0.5 * _slow_deep(half.detach().numpy(), m4)
        + 0.25 * _slow_deep(quarter.detach().numpy(), m2)
    ) / 1.75
    found = losses.deep_supervision_loss(logits, [half, quarter], mask)
    np.testing.assert_allclose(found.detach(), expected, rtol=2e-5)


def test_presence_loss_is_cross_entropy():
    logit, there = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 1.0])
    expected = -np.log(_sigmoid(np.array([2.0, -1.0])))
    np.testing.assert_allclose(losses.presence_loss(logit, there), expected, rtol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_agreement_is_the_divergence_of_softened_answers(temperature):
    student, teacher = _pair(4)[0], _pair(5)[0]
    found = losses.agreement_loss(student, teacher, temperature=temperature)
    p = _sigmoid(teacher.detach().numpy() / temperature)
    q = _sigmoid(student.detach().numpy() / temperature)
    divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    np.testing.assert_allclose(
        found.detach(), divergence * temperature**2, rtol=1e-3, atol=1e-5
    )


def test_agreement_teaches_the_student_alone_with_the_published_gradient():
    student, teacher = _pair(4)[0], _pair(5)[0]
    losses.agreement_loss(student, teacher, temperature=2.0).sum().backward()
    assert teacher.grad is None
    q = torch.sigmoid(student.detach() / 2)
    p = torch.sigmoid(teacher.detach() / 2)
    torch.testing.assert_close(student.grad, 2 * (q - p), atol=1e-5, rtol=1e-4)


def test_certainty_is_the_probability_of_the_likelier_answer():
    logits = _pair(4)[0].detach()
    p = _sigmoid(logits.numpy())
    found = losses.certainty(logits)
    np.testing.assert_allclose(found, np.maximum(p, 1 - p), rtol=1e-6)
    assert ((found >= 0.5) & (found <= 1)).all()


def test_difference_compares_differences():
    p1, q1, p2, q2 = (torch.rand(2, 1, 3, 3, dtype=torch.float64) for _ in range(4))
    expected = ((p1 - q1) - (p2 - q2)) ** 2
    found = losses.difference_loss(p1, q1, p2, q2)
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=1e-5)
    same = losses.difference_loss(p1, q1, p1, q1)
    assert float(same.abs().max()) == 0.0


@pytest.mark.parametrize("share", [1, 5, 50])
def test_balance_gives_both_sides_half_whatever_their_size(share):
    inside = torch.zeros(1, 1, 10, 10, dtype=torch.bool)
    inside.view(-1)[:share] = True
    loss = torch.where(inside, 3.0, 1.0)
    found = losses.balanced_mean(loss, inside, torch.ones_like(loss))
    assert float(found) == pytest.approx(2.0)


def test_balance_skips_pixels_without_weight_and_empty_sides():
    inside = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    loss = torch.ones(1, 1, 4, 4)
    weight = torch.zeros_like(loss)
    assert float(losses.balanced_mean(loss, inside, weight)) == 0.0
    weight[..., 0, :] = 1
    loss[..., 1:, :] = 100
    assert float(losses.balanced_mean(loss, inside, weight)) == pytest.approx(0.5)


def test_pseudo_dice_is_dice_on_the_pixels_that_count():
    logits, label = _pair(8)
    weight = torch.tensor(np.random.default_rng(1).random(logits.shape) < 0.5).double()
    p, m = _sigmoid(logits.detach().numpy()), label.numpy()
    rows = [
        1 - (2 * (w * x * y).sum() + 1) / ((w * x).sum() + (w * y).sum() + 1)
        for x, y, w in zip(p, m, weight.numpy(), strict=True)
    ]
    found = losses.pseudo_dice_loss(logits, label, weight)
    assert float(found.detach()) == pytest.approx(np.mean(rows), rel=1e-5)
    nothing = losses.pseudo_dice_loss(logits, label, torch.zeros_like(weight))
    assert float(nothing.detach()) == pytest.approx(0.0, abs=1e-7)


def test_pseudo_labels_count_where_the_weight_says():
    logits, label = _pair(8)
    weight = torch.zeros_like(label)
    weight[..., :3, :] = 1
    nothing = losses.pseudo_label_loss(logits, label, torch.zeros_like(label))
    assert float(nothing.detach()) == pytest.approx(0.0, abs=1e-7)
    expected = _slow_pseudo_label(
        logits[..., :3, :].detach().numpy(), label[..., :3, :].numpy()
    )
    found = losses.pseudo_label_loss(logits, label, weight)
    assert float(found.detach()) == pytest.approx(expected[0], rel=1e-5)


def _probabilities(seed: int, shape=(3, 1, 4, 5)):
    rng = np.random.default_rng(seed)
    first, second = (torch.tensor(rng.random(shape)) for _ in range(2))
    weight = torch.tensor(rng.random(shape) < 0.7).double()
    return first.requires_grad_(), second.requires_grad_(), weight


@pytest.mark.parametrize("seed", range(3))
def test_squared_dice_is_the_formula(seed):
    first, second, weight = _probabilities(seed)
    found = losses.squared_dice_loss(first, second, weight)
    expected = _slow_squared_dice(
        first.detach().numpy(), second.detach().numpy(), weight.numpy()
    )
    np.testing.assert_allclose(found.detach(), expected, rtol=2e-5)


def test_squared_dice_teaches_both_with_the_slope():
    first, second, weight = _probabilities(5, (1, 1, 3, 3))
    losses.squared_dice_loss(first, second, weight).sum().backward()
    a, b, w = first.detach().numpy(), second.detach().numpy(), weight.numpy()
    step = 1e-5
    for index in np.ndindex(a.shape):
        nudge = np.zeros_like(a)
        nudge[index] = step
        for grad, up, down in (
            (first.grad, (a + nudge, b), (a - nudge, b)),
            (second.grad, (a, b + nudge), (a, b - nudge)),
        ):
            difference = _slow_squared_dice(*up, w) - _slow_squared_dice(*down, w)
            slope = difference.sum() / (2 * step)
            assert float(grad[index]) == pytest.approx(slope, rel=2e-3, abs=2e-5)


def test_squared_dice_is_content_where_both_are_unsure_alike():
    half = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    loss = losses.squared_dice_loss(half, half.detach(), torch.ones(1, 1, 4, 4))
    loss.sum().backward()
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
    assert float(half.grad.abs().max()) == pytest.approx(0.0, abs=1e-6)
