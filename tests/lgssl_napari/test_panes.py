"""Masks side by side in the canvas, and back to what was there."""

from __future__ import annotations

import numpy as np
import pytest

from lgssl_napari.canvas import Pane
from lgssl_napari.layers import NapariCanvas
from lgssl_napari.panes import beside
from lgssl_napari.state import Picture
from src_core.types import Image

pytest.importorskip("napari")


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


def picture(axes: str, shape: tuple[int, ...]) -> Picture:
    spacing = (5.0, 1.0, 1.0)[-(len(axes) - ("c" in axes)) :]
    image = Image("film-1", "film 1", "", axes, shape, "uint8", spacing)
    return Picture(image, np.zeros(shape, np.uint8))


def panes(shape: tuple[int, ...]) -> tuple[Pane, ...]:
    old, new, truth = (np.zeros(shape, np.uint8) for _ in range(3))
    old[..., 2:4], new[..., 2:6], truth[..., 2:7] = 1, 1, 1
    if len(shape) == 3:
        new[0], new[2, 0:9] = 0, 1
    return Pane("v1", old), Pane("v2", new), Pane("drawn", truth)


def caption(viewer):
    """The words over the picture; they moved in napari 0.9."""
    canvas = getattr(viewer, "canvas", None)
    return canvas.overlays.text if canvas is not None else viewer.text_overlay


def visible(viewer) -> set[str]:
    return {layer.name for layer in viewer.layers if layer.visible}


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("yx", (24, 32)), ("cyx", (3, 24, 32)), ("zyx", (4, 24, 32))],
)
def test_three_masks_lie_beside_one_another(viewer, axes, shape) -> None:
    canvas = NapariCanvas(viewer)
    given = picture(axes, shape)
    spatial = given.image.spatial_shape
    canvas.show_image(given, np.zeros(spatial, np.uint8), "heart", 0)
    before = visible(viewer)
    canvas.show_panes(given, panes(spatial))
    canvas.name_panes(panes(spatial))
    assert visible(viewer) == {"Side by side", "Masks side by side"}
    masks = viewer.layers["Masks side by side"]
    assert not masks.editable
    assert masks.data.shape[-1] == 3 * 32 + 2
    for number, start in enumerate((0, 33, 66), start=1):
        part = masks.data[..., start : start + 32]
        assert set(np.unique(part)) == {0, number}
    assert list(masks.features["target"][1:]) == ["v1", "v2", "drawn"]
    assert caption(viewer).visible
    assert caption(viewer).text == "v1     |     v2     |     drawn"
    if "z" in axes:
        assert viewer.dims.current_step[0] == 2
        assert tuple(masks.scale) == (5.0, 1.0, 1.0)
    canvas.hide_panes()
    assert visible(viewer) == before
    assert not caption(viewer).visible
    assert viewer.layers.selection.active.name == "heart"


def test_panes_are_in_the_middle_of_the_canvas(viewer) -> None:
    canvas, large = NapariCanvas(viewer), picture("yx", (400, 300))
    canvas.show_image(large, np.zeros((400, 300), np.uint8), "heart", 0)
    small = picture("yx", (24, 32))
    for _ in range(2):
        canvas.prepare_panes(small.image)
    for _ in range(2):
        canvas.show_panes(small, panes((24, 32)))
        camera = getattr(viewer, "scene", viewer).camera
        np.testing.assert_allclose(camera.center[-2:], (11.5, 48.5))
        canvas.hide_panes()


def test_the_view_is_the_same_afterwards(viewer) -> None:
    canvas, shape = NapariCanvas(viewer), (4, 24, 32)
    given = picture("zyx", shape)
    canvas.show_image(given, np.zeros(shape, np.uint8), "heart", 0)
    viewer.dims.set_current_step(0, 3)
    camera = getattr(viewer, "scene", viewer).camera
    camera.zoom, camera.center = 7.0, (0.0, 9.0, 11.0)
    whole = viewer.layers.extent.world
    for _ in range(2):
        canvas.show_panes(given, panes(shape))
        assert camera.zoom != 7.0
        canvas.hide_panes()
        assert (camera.zoom, viewer.dims.current_step[0]) == (7.0, 3)
        assert tuple(camera.center) == (0.0, 9.0, 11.0)
        np.testing.assert_allclose(viewer.layers.extent.world, whole)


def test_panes_are_refilled_and_not_made_again(viewer) -> None:
    canvas = NapariCanvas(viewer)
    given = picture("yx", (24, 32))
    for _ in range(3):
        canvas.show_panes(given, panes((24, 32)))
        canvas.hide_panes()
    assert len(viewer.layers) == 2


def test_another_image_ends_the_comparison(viewer) -> None:
    canvas = NapariCanvas(viewer)
    given = picture("yx", (24, 32))
    canvas.show_panes(given, panes((24, 32)))
    canvas.show_image(given, np.zeros((24, 32), np.uint8), "heart", 0)
    assert visible(viewer) == {"film 1", "heart"}


def test_what_others_put_there_is_left_alone(viewer) -> None:
    mine = viewer.add_image(np.zeros((9, 9)), name="mine")
    caption(viewer).text = "my words"
    canvas = NapariCanvas(viewer)
    given = picture("yx", (24, 32))
    canvas.show_panes(given, panes((24, 32)))
    canvas.name_panes(panes((24, 32)))
    assert caption(viewer).text != "my words"
    assert mine.visible
    canvas.clear()
    assert [layer.name for layer in viewer.layers] == ["mine"]
    canvas.name_panes(panes((24, 32)))
    assert caption(viewer).text == "my words"


def test_arrays_are_joined_with_a_gap() -> None:
    joined = beside([np.ones((2, 50)), np.full((2, 50), 2)], axis=-1)
    assert joined.shape == (2, 102)
    assert joined[0].tolist() == [1] * 50 + [0] * 2 + [2] * 50
