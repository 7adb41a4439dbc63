"""LViT's losses beyond their formulas: soft labels, empty masks, pairs that count."""

from __future__ import annotations

import pytest
import torch

from src_core import losses


@pytest.fixture
def answers():
    rng = torch.Generator().manual_seed(5)
    logits = torch.randn(4, 1, 6, 6, generator=rng) * 2
    label = torch.rand(4, 1, 6, 6, generator=rng)
    return logits, label


def test_a_soft_label_is_matched_where_the_prediction_is_equal_to_it(answers):
    """The minimum of Dice and cross-entropy together lies at p = P, not at 0 or 1."""
    _, label = answers
    exact = torch.logit(label).requires_grad_()
    dice = losses.soft_dice_loss(exact, label, squared=True)
    torch.testing.assert_close(dice, torch.zeros(4), atol=1e-6, rtol=0)
    entropy = losses.class_balanced_cross_entropy(exact, label, torch.ones(4))
    (dice.sum() + entropy).backward()
    assert float(exact.grad.abs().max()) < 1e-6


@pytest.mark.parametrize("row", range(4))
def test_entropy_of_some_pairs_is_that_of_these_alone(answers, row):
    logits, label = answers
    alone = torch.zeros(4).index_fill(0, torch.tensor(row), 1.0)
    one = torch.ones(1)
    torch.testing.assert_close(
        losses.class_balanced_cross_entropy(logits, label, alone),
        losses.class_balanced_cross_entropy(logits[[row]], label[[row]], one),
    )


def test_an_empty_mask_says_nothing_about_likeness(answers):
    logits = answers[0].requires_grad_()
    mask = torch.zeros_like(logits)
    mask[0, 0, 2:4] = 1
    loss = losses.language_vision_loss(logits, mask)
    assert loss[1:].tolist() == [0, 0, 0]
    loss.sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad[1:].abs().max()) == 0.0
    assert float(logits.grad[0].abs().max()) > 0.0


def test_the_same_shape_costs_nothing_whatever_its_strength():
    mask = torch.zeros(1, 1, 8, 8)
    mask[0, 0, 2:5, 3:7] = 1
    weak = torch.where(mask > 0, torch.tensor(-1.0), torch.tensor(-40.0))
    assert float(losses.language_vision_loss(weak, mask)) == pytest.approx(0, abs=1e-5)
