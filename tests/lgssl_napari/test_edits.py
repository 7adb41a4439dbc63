"""Corrections of a mask: what they may and may not change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lgssl_napari.edits import EDITS, fill_holes, interpolate, largest_piece, smooth

flat = arrays(
    np.uint8, st.tuples(*[st.integers(3, 12)] * 2), elements=st.integers(0, 1)
)
volumes = arrays(
    np.uint8, st.tuples(*[st.integers(2, 7)] * 3), elements=st.integers(0, 1)
)
masks = st.one_of(flat, volumes)


@pytest.mark.parametrize("name", EDITS)
@given(mask=masks)
def test_every_correction_gives_a_new_mask_of_the_same_kind(name, mask) -> None:
    before = mask.copy()
    after = EDITS[name].apply(mask)
    np.testing.assert_array_equal(mask, before)
    assert after is not mask
    assert (after.shape, after.dtype) == (mask.shape, np.uint8)
    assert set(np.unique(after)) <= {0, 1}


@given(mask=masks)
def test_filling_only_adds_and_is_done_in_one_go(mask) -> None:
    filled = fill_holes(mask)
    assert (filled >= mask).all()
    np.testing.assert_array_equal(fill_holes(filled), filled)


@given(mask=masks)
def test_the_largest_piece_only_removes_and_is_one_piece(mask) -> None:
    from scipy.ndimage import label

    kept = largest_piece(mask)
    assert (kept <= mask).all()
    assert label(kept)[1] == min(1, label(mask)[1])


def test_smoothing_removes_specks_and_keeps_what_is_large() -> None:
    mask = np.zeros((30, 30), np.uint8)
    mask[5:25, 5:25] = 1
    mask[1, 1] = 1
    mask[12, 12] = 0
    after = smooth(mask)
    assert after[1, 1] == 0
    assert after[12, 12] == 1
    assert abs(int(after.sum()) - 400) < 20


@given(mask=volumes)
def test_interpolation_leaves_drawn_slices_alone(mask) -> None:
    drawn = mask.any(axis=(1, 2))
    after = interpolate(mask)
    np.testing.assert_array_equal(after[drawn], mask[drawn])
    if drawn.any():
        first, last = np.flatnonzero(drawn)[[0, -1]]
        assert not after[:first].any()
        assert not after[last + 1 :].any()


def test_interpolation_between_two_discs_lies_between_them() -> None:
    y, x = np.mgrid[:41, :41]
    radius = np.hypot(y - 20, x - 20)
    volume = np.zeros((5, 41, 41), np.uint8)
    volume[0], volume[4] = radius <= 4, radius <= 16
    sizes = interpolate(volume).sum(axis=(1, 2))
    assert (np.diff(sizes.astype(int)) > 0).all()
    middle = np.pi * 10**2
    assert sizes[2] == pytest.approx(middle, rel=0.1)
