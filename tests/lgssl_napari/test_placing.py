"""The patient's axes in napari's words."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from lgssl_napari.layers import NapariCanvas
from lgssl_napari.placing import (
    KEPT,
    Place,
    arguments,
    for_layer,
    place_of_layer,
    upright,
)
from lgssl_napari.state import Picture
from src_core.imaging.space import affine_of
from src_core.imaging.turn import on_screen
from src_core.types import Image

pytest.importorskip("napari")

SHAPE = (4, 6, 5)
ALL = [
    "".join(letters)
    for axes in permutations(("LR", "PA", "SI"))
    for letters in product(*axes)
]
COS, SIN = np.cos(0.3), np.sin(0.3)
TILTED = (COS, -SIN, 0.0, 0.0, 0.0, 1.0, SIN, COS, 0.0)


def place(orientation="SPL", **changes):
    given = {
        "spacing": (2.0, 0.5, 0.7)[-len(orientation) or -2 :],
        "unit": "millimeter",
        "origin": (40.0, -10.0, 30.0)[-len(orientation) or -2 :],
        "orientation": orientation,
    } | changes
    return Place("zyx"[-len(orientation) or -2 :], **given)


def in_world(layer, index):
    return np.asarray(layer.data_to_world(index))


def layer_of(where, **given):
    from napari.layers import Image as Layer

    shape = SHAPE[-len(where.axes) :]
    return Layer(np.zeros(shape), **arguments(where, len(shape)), **given)


@pytest.mark.parametrize("stored", ALL)
def test_the_world_grows_the_way_radiologists_look(stored):
    letters = on_screen(stored)
    assert set(letters[1:]) <= set("LPI")
    assert letters[0] in "LPS"
    # a voxel lies where the matrix of a NIfTI says, on the world's own axes
    layer, affine = layer_of(place(stored)), affine_of(place(stored))
    for index in [(0, 0, 0), (3, 5, 4), (1, 2, 3)]:
        right, front, up, _ = affine @ [*index[::-1], 1]
        patient = {"L": -right, "P": -front, "S": up, "I": -up}
        expected = [patient[letter] for letter in letters]
        np.testing.assert_allclose(in_world(layer, index), expected, atol=1e-9)


@pytest.mark.parametrize("stored", ["SPL", "SAR", "SAL", "SPR", "IAR"])
def test_scans_stored_differently_fall_on_one_another(stored):
    """The first voxel of the one is the last of the other along axes that differ."""
    first = place("SPL")
    index, origin = [], list(first.origin)
    for axis, (have, letter) in enumerate(zip("SPL", stored, strict=True)):
        flipped = have != letter
        index.append(SHAPE[axis] - 1 if flipped else 0)
        origin[axis] += flipped * (SHAPE[axis] - 1) * first.spacing[axis]
    other = place(stored, origin=tuple(origin))
    there = in_world(layer_of(other), tuple(index))
    np.testing.assert_allclose(there, in_world(layer_of(first), (0, 0, 0)))


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing:UserWarning")
def test_tilted_axes_lie_as_they_do_unless_one_paints_on_them():
    tilted = place("SPL", direction=TILTED)
    layer = layer_of(tilted)
    affine = affine_of(tilted)
    right, front, up, _ = affine @ [4, 5, 3, 1]
    np.testing.assert_allclose(in_world(layer, (3, 5, 4)), [up, -front, -right])
    straight = for_layer(tilted, 3)["affine"][:3, :3]
    np.testing.assert_array_equal(np.abs(straight), np.eye(3))


@pytest.mark.parametrize("unit", ["pixel", "micrometer"])
def test_without_a_patient_the_file_s_own_axes_stay(unit):
    where = place("", spacing=(0.5, 0.7), unit=unit, origin=(3.0, 4.0))
    layer = layer_of(where)
    np.testing.assert_allclose(in_world(layer, (2, 3)), [4.0, 6.1])
    assert {str(one) for one in layer.units} == {unit}
    assert tuple(layer.axis_labels) == ("y", "x")


def test_channels_and_time_come_first():
    about = arguments(place(), 5, "tc")
    assert about["axis_labels"] == ("t", "c", "z", "y", "x")
    assert about["scale"] == (1.0, 1.0, 2.0, 0.5, 0.7)
    assert about["units"] == ("pixel",) * 2 + ("millimeter",) * 3


@pytest.mark.parametrize("stored", ["SPL", "SAR", "SAL", "LSP", "PIR", "AR", "PL", ""])
def test_upright_pixels_lie_where_they_lay(stored):
    where = place(stored)
    shape = SHAPE[-len(where.axes) :]
    pixels = np.arange(np.prod(shape)).reshape(shape)
    index, moved = upright(where, shape)
    turned = pixels[index]
    for at in np.argwhere(np.isin(pixels, [0, 7, pixels.max()])):
        there = np.argwhere(turned == pixels[tuple(at)])[0]
        expected = in_world(layer_of(where), tuple(at))
        np.testing.assert_allclose(in_world(layer_of(moved), tuple(there)), expected)
    np.testing.assert_array_equal(np.diag(for_layer(moved, 2)["affine"]), 1)


def test_what_a_layer_tells_without_our_reader():
    about = {"scale": [1.0, 3.0, 2.0], "units": ("micrometer",) * 3, "metadata": {}}
    assert place_of_layer(about, 2) == Place("yx", (3.0, 2.0), "micrometer")
    assert place_of_layer({}, 3) == Place("zyx", (1.0, 1.0, 1.0))
    kept = place()
    assert place_of_layer({"metadata": {KEPT: kept}}, 3) is kept


# ------------------------------------------------------------------ on the canvas
@pytest.fixture
def canvas():
    from napari.components import ViewerModel

    return NapariCanvas(ViewerModel())


def show(canvas, orientation, pixels=None, name="scan", origin=(40.0, -10.0, 30.0)):
    pixels = np.zeros(SHAPE, np.int16) if pixels is None else pixels
    image = Image(
        name, name, "", "zyx", pixels.shape, pixels.dtype.name, (2.0, 0.5, 0.7)
    )
    image = Image(
        **{
            field: getattr(image, field)
            for field in ("id", "name", "sha256", "axes", "shape", "dtype", "spacing")
        },
        unit="millimeter",
        origin=origin,
        orientation=orientation,
    )
    canvas.show_image(
        Picture(image, pixels), np.zeros(pixels.shape, np.uint8), "liver", 0
    )
    return image


@pytest.mark.parametrize("orientation", ["SPL", "SAR", "LSP", ""])
def test_every_layer_lies_where_the_image_does(canvas, orientation):
    show(canvas, orientation)
    mask = np.zeros(SHAPE, np.uint8)
    mask[2, 1, 1] = 1
    canvas.set_preview(mask, "liver", mask.astype(np.float32))
    canvas.show_probability(True)
    canvas.draw_strokes(1)
    layers = canvas._made()
    assert len(layers) == 5
    for layer in layers:
        assert tuple(layer.axis_labels) == ("z", "y", "x")
        assert {str(unit) for unit in layer.units} == {"millimeter"}
        np.testing.assert_array_equal(np.asarray(layer.affine), layers[0].affine)
        assert layer.metadata[KEPT].orientation == orientation
    # it turned to the plane with the mask, wherever that lies
    assert canvas.plane() == 2


def test_what_is_painted_at_a_place_is_drawn_in_its_voxel(canvas):
    show(canvas, "SAR")
    layer = canvas._annotation
    at = layer.world_to_data(in_world(layer, (2, 1, 3)))
    layer.brush_size = 1
    layer.paint(tuple(at), 1)
    assert np.argwhere(canvas.annotation()).tolist() == [[2, 1, 3]]


def test_another_image_moves_all_layers(canvas):
    show(canvas, "SAR")
    show(canvas, "SPL", name="other", origin=(-7.0, 1.0, 2.0))
    for layer in canvas._made():
        np.testing.assert_allclose(layer.affine.translate, (-7.0, 1.0, 2.0))
    assert canvas.plane() in range(SHAPE[0])


@pytest.mark.parametrize("orientation", ["SPL", "SAR"])
def test_panes_stand_side_by_side_in_their_order(canvas, orientation):
    from lgssl_napari.canvas import Pane

    pixels = np.zeros(SHAPE, np.int16)
    pixels[:, :, 0] = 100  # of the stored rows the first column
    image = show(canvas, orientation, pixels)
    first, second = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    first[3, 0, 0] = 1
    panes = [Pane("before", first), Pane("after", second)]
    canvas.show_panes(Picture(image, pixels), panes)
    shown = next(iter(canvas._panes._masks.values())).data
    column = 0 if orientation == "SPL" else SHAPE[2] - 1
    row = 0 if orientation == "SPL" else SHAPE[1] - 1
    assert np.argwhere(shown).tolist() == [[3, row, column]]
    for layer in canvas._panes.layers:
        np.testing.assert_array_equal(np.diag(layer.affine.affine_matrix), 1)
    assert canvas.plane() == 3
