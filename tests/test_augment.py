"""Augmentation: geometry against hand-made cases, chance from one generator."""

from __future__ import annotations

import pytest
import torch

from src_core.augment import cutmix_boxes, jitter, random_grid, warp


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_motion_is_the_identity():
    grid = random_grid(2, (16, 16), _rng(), degrees=0, scale=0, shift=0, bend=0)
    picture = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(warp(picture, grid), picture, atol=1e-5, rtol=1e-5)


def test_pixels_and_mask_move_together():
    picture = torch.zeros(4, 1, 32, 32)
    picture[:, :, 10:20, 8:14] = 1
    grid = random_grid(4, (32, 32), _rng(1))
    moved = warp(torch.cat([picture, picture]), torch.cat([grid, grid]))
    torch.testing.assert_close(moved[:4], moved[4:])
    assert not torch.allclose(moved[0], moved[1])


def test_without_flips_left_stays_left():
    """The left half of 200 augmented pictures never becomes the right half."""
    picture = torch.zeros(200, 1, 32, 32)
    picture[..., :12] = 1
    moved = warp(picture, random_grid(200, (32, 32), _rng(2)))
    left, right = moved[..., :16].sum((1, 2, 3)), moved[..., 16:].sum((1, 2, 3))
    assert (left > right).all()


def test_flips_mirror_about_half_of_the_pictures():
    still = {"degrees": 0, "scale": 0, "shift": 0, "bend": 0}
    grid = random_grid(400, (8, 8), _rng(3), flips=True, **still)
    across, down = grid[:, 0, -1] - grid[:, 0, 0], grid[:, -1, 0] - grid[:, 0, 0]
    handedness = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    assert 0.4 < float((handedness < 0).float().mean()) < 0.6


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_jitter_grows_with_its_strength(strength):
    picture = torch.randn(2, 3, 24, 24, generator=_rng(4))
    change = (jitter(picture, _rng(5), strength=strength) - picture).abs().mean()
    if strength == 0:
        assert float(change) < 1e-4
    else:
        stronger = jitter(picture, _rng(5), strength=strength * 1.5) - picture
        assert 0 < float(change) < float(stronger.abs().mean())


def test_one_seed_one_result():
    picture = torch.randn(2, 1, 24, 24)
    first, second = (jitter(picture, _rng(9), strength=1.0) for _ in range(2))
    assert torch.equal(first, second)


def test_boxes_are_rectangles_of_the_asked_size():
    boxes = cutmix_boxes(100, (40, 60), _rng(6), low=0.25, high=0.5)
    assert boxes.shape == (100, 1, 40, 60)
    for box in boxes[:, 0]:
        rows, columns = box.any(1), box.any(0)
        assert torch.equal(box, rows[:, None] & columns[None])
        assert 0.2 * 40 <= int(rows.sum()) <= 0.55 * 40
        assert 0.2 * 60 <= int(columns.sum()) <= 0.55 * 60
