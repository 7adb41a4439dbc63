"""Masks go where their headers say that they lie."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src_core.errors import BadInputError
from src_core.imaging import Picture, Turn
from src_core.imaging.fit import fit
from src_core.imaging.space import columns_of, place_of_columns
from src_core.imaging.turn import standing

ALL = [
    "".join(letters)
    for order in itertools.permutations(["LR", "PA", "SI"])
    for letters in itertools.product(*order)
]
WORLD = {letter: pair for pair in ("LR", "PA", "SI") for letter in pair}
RNG = np.random.default_rng(4)
SHAPE = (4, 6, 5)
MASK = (RNG.random(SHAPE) > 0.5).astype(np.uint8)
WHAT = Path("mask.nii")


def picture(pixels=MASK, orientation="SPL", **changes):
    like = Picture(
        pixels,
        "zyx",
        (3.0, 2.0, 0.5),
        "millimeter",
        (10.0, -20.0, 30.0),
        orientation,
        "image.nii",
    )
    return replace(like, **changes)


def turned(of, letters):
    """The same voxels at the same places, stored another way."""
    columns, origin = columns_of(of)
    steps = []
    for letter in letters:
        axis = next(a for a, have in enumerate(of.orientation) if have in WORLD[letter])
        step = columns[:, axis]
        if of.orientation[axis] != letter:
            origin = origin + step * (of.pixels.shape[axis] - 1)
            step = -step
        steps.append(step)
    place = place_of_columns(np.stack(steps, axis=1), origin)
    pixels = Turn(of.orientation, letters).show(of.pixels)
    return replace(
        of,
        pixels=np.ascontiguousarray(pixels),
        spacing=place.spacing,
        origin=place.origin,
        orientation=place.orientation,
        direction=place.direction,
    )


@given(stored=st.sampled_from(ALL), drawn=st.sampled_from(ALL))
def test_whichever_way_both_are_stored(stored, drawn):
    like = turned(picture(), stored)
    mask = turned(picture(), drawn)
    fitted = fit(WHAT, mask.pixels, mask, like)
    np.testing.assert_array_equal(fitted.mask, like.pixels)
    assert fitted.note == ""


@given(stored=st.sampled_from(ALL), angle=st.floats(0.05, 0.6))
def test_oblique_axes(stored, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    place = place_of_columns(turn[:, ::-1] * (3.0, 2.0, 0.5), np.array([1.0, 2.0, 3.0]))
    like = picture(**place._asdict())
    mask = turned(like, stored)
    np.testing.assert_array_equal(fit(WHAT, mask.pixels, mask, like).mask, MASK)


def test_a_larger_mask_is_cut():
    large = np.ones((6, 8, 9), np.uint8)
    mask = picture(large, origin=(7.0, -22.0, 29.5))
    mask.pixels[1:5, 1:7, 1:6] = MASK
    fitted = fit(WHAT, mask.pixels, mask, picture())
    np.testing.assert_array_equal(fitted.mask, MASK)
    assert f"{int(large.sum()) - int(MASK.sum())} voxels" in fitted.note


def test_a_mask_that_leaves_parts_uncovered_is_refused():
    part = picture(MASK[:3])
    with pytest.raises(BadInputError, match="does not cover its image"):
        fit(WHAT, part.pixels, part, picture())


def test_a_segmentation_may_leave_empty_slices_out():
    part = picture(MASK[1:3], origin=(13.0, -20.0, 30.0), modality="SEG")
    expected = np.zeros_like(MASK)
    expected[1:3] = MASK[1:3]
    np.testing.assert_array_equal(
        fit(WHAT, part.pixels, part, picture()).mask, expected
    )


def test_rounded_headers_are_no_other_grid():
    mask = picture(origin=(10.3, -20.2, 30.05))
    fitted = fit(WHAT, mask.pixels, mask, picture())
    np.testing.assert_array_equal(fitted.mask, MASK)
    assert fitted.note == ""


def test_another_grid_is_sampled_and_told():
    fine = MASK.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    # the centre of the first fine voxel lies a quarter of a coarse one before
    mask = picture(fine, spacing=(1.5, 1.0, 0.25), origin=(9.25, -20.5, 29.875))
    fitted = fit(WHAT, mask.pixels, mask, picture())
    np.testing.assert_array_equal(fitted.mask, MASK)
    assert "another grid" in fitted.note


def test_a_mask_of_another_place_is_refused():
    mask = picture(origin=(500.0, -20.0, 30.0))
    with pytest.raises(BadInputError, match="does not cover"):
        fit(WHAT, mask.pixels, mask, picture())
    lost = picture(origin=(500.0, -20.0, 30.0), modality="SEG")
    with pytest.raises(BadInputError, match="lies nowhere on"):
        fit(WHAT, lost.pixels, lost, picture())


@pytest.mark.parametrize("unknown", ["image", "mask", "both"])
def test_without_a_place_the_size_decides(unknown):
    like = picture(orientation="" if unknown != "mask" else "SPL")
    mask = picture(orientation="" if unknown != "image" else "SAR")
    np.testing.assert_array_equal(fit(WHAT, mask.pixels, mask, like).mask, MASK)
    other = replace(mask, pixels=MASK[:, :3])
    with pytest.raises(BadInputError, match="does not cover"):
        fit(WHAT, other.pixels, other, like)


@pytest.mark.parametrize(
    ("orientation", "spacing", "letters"),
    [
        ("SAR", (1, 1, 1), "SPL"),
        ("RSA", (1, 1, 1), "SPL"),
        ("SAR", (5, 1, 1), "SPL"),
        ("PSL", (1, 1, 4), "LIP"),
        ("RSA", (1, 1, 4), "PIL"),
        ("SA", (1, 1), "IP"),
        ("RS", (1, 1), "IL"),
        ("AR", (1, 1), "PL"),
        ("", (1, 1), ""),
    ],
)
def test_how_images_stand(orientation, spacing, letters):
    assert standing(orientation, spacing) == letters


@given(letters=st.sampled_from(ALL))
def test_turning_there_and_back_changes_nothing(letters):
    like = turned(picture(), letters)
    turn = Turn.of(like)
    shown = turn.show(like.pixels)
    # thick slices stay slices: the thickest axis comes first
    assert shown.shape == SHAPE
    assert turn.along(like.spacing) == pytest.approx((3.0, 2.0, 0.5))
    np.testing.assert_array_equal(turn.store(shown), like.pixels)
    colours = np.stack([like.pixels] * 3)
    np.testing.assert_array_equal(turn.show(colours)[2], shown)
    np.testing.assert_array_equal(shown, MASK)
