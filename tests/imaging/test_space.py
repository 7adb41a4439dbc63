"""Matrices, letters and turned arrays agree about where a voxel is."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src_core.errors import BadInputError
from src_core.imaging.space import (
    affine_of,
    letters_of,
    place_of,
    reorient,
    side_words,
)

ALL = [
    "".join(letters)
    for order in itertools.permutations(["LR", "PA", "SI"])
    for letters in itertools.product(*order)
]
lengths = st.floats(0.01, 100)
places = st.floats(-1e3, 1e3)


@given(
    letters=st.sampled_from(ALL),
    spacing=st.tuples(lengths, lengths, lengths),
    origin=st.tuples(places, places, places),
)
def test_a_place_survives_the_way_through_a_matrix(letters, spacing, origin):
    placed = SimpleNamespace(
        spacing=spacing, origin=origin, orientation=letters, direction=()
    )
    back = place_of(affine_of(placed))
    assert back.orientation == letters
    assert back.spacing == pytest.approx(spacing)
    assert back.origin == pytest.approx(origin)
    assert back.direction == ()


@given(
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(lengths, lengths, lengths),
    origin=st.tuples(places, places, places),
)
def test_an_oblique_matrix_survives_the_way_through_a_place(angles, spacing, origin):
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        cos, sin = np.cos(angle), np.sin(angle)
        step = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
        turn = turn @ np.roll(np.roll(step, axis, 0), axis, 1)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * spacing, origin
    place = place_of(affine)
    assert len(set(place.orientation.translate(str.maketrans("RAI", "LPS")))) == 3
    back = affine_of(SimpleNamespace(**place._asdict()))
    columns = (back - affine)[:3, :3] / spacing
    np.testing.assert_allclose(columns, 0, atol=2e-5)
    np.testing.assert_allclose(back[:, 3], affine[:, 3], atol=1e-9)


@pytest.mark.parametrize(
    ("vectors", "letters"),
    [
        ([[0, 0, 1], [0, 1, 0], [1, 0, 0]], "SPL"),
        ([[0, 0, -1], [0, -1, 0], [-1, 0, 0]], "IAR"),
        ([[0, 0.8, 0.6], [1, 0, 0]], "PL"),
        ([[0.7, 0.71, 0], [0.71, -0.7, 0], [0, 0, 1]], "PLS"),
    ],
)
def test_letters(vectors, letters):
    assert letters_of(np.array(vectors, float).T) == letters


@pytest.mark.parametrize(
    ("have", "want", "first"),
    [("SPL", "SAL", 3), ("SPL", "SPR", 2), ("SPL", "IAR", 11)],
)
def test_turning(have, want, first):
    array = np.arange(12).reshape(2, 2, 3)
    turned = reorient(array, have, want)
    assert turned.ravel()[0] == {3: 3, 2: 2, 11: 11}[first]
    np.testing.assert_array_equal(reorient(turned, want, have), array)


def test_planes_that_cannot_meet():
    with pytest.raises(BadInputError, match="different planes"):
        reorient(np.zeros((2, 2)), "PL", "SL")


@pytest.mark.parametrize(
    "affine",
    [np.zeros((4, 4)), np.full((4, 4), np.nan), np.diag([1.0, 1.0, 0.0, 1.0])],
)
def test_a_matrix_that_places_nothing(affine):
    with pytest.raises(BadInputError, match="not usable"):
        place_of(affine)


@pytest.mark.parametrize(
    ("orientation", "words"),
    [
        ("", "of the picture"),
        ("SPL", "the patient's: the file tells"),
        ("AR", "the patient's: the file tells"),
        ("IP", "do not occur"),
    ],
)
def test_what_left_and_right_mean(orientation, words):
    assert words in side_words(orientation)
