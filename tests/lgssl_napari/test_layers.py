"""The canvas on napari's viewer model, which needs no screen."""

from __future__ import annotations

import numpy as np
import pytest

from lgssl_napari.layers import NapariCanvas
from lgssl_napari.looks import COLOURS, PROPOSED, for_display
from lgssl_napari.state import Picture
from src_core.types import Image

pytest.importorskip("napari")


def picture(axes: str = "yx", shape=(24, 32), dtype="uint8", spacing=None) -> Picture:
    spatial = len(axes) - ("c" in axes)
    image = Image(
        "film-1", "film 1", "", axes, shape, dtype, spacing or (1.0,) * spatial
    )
    return Picture(image, np.random.default_rng(0).integers(0, 9, shape).astype(dtype))


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def canvas(viewer):
    made = NapariCanvas(viewer)
    show(made, picture())
    return made


def ct(window: str) -> Picture:
    """Return a slice in Hounsfield units, to be shown in a window."""
    pixels = np.linspace(-1000, 3000, 24 * 32).reshape(24, 32).astype(np.int16)
    image = Image("a", "a", "", "yx", (24, 32), "int16", (1.0, 1.0), modality="CT")
    return Picture(image, pixels, window)


def show(canvas, shown: Picture) -> None:
    """Show a picture on which nobody has drawn."""
    empty = np.zeros(shown.image.spatial_shape, np.uint8)
    canvas.show_image(shown, empty, "", 0)


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def mask(rows=slice(2, 6), columns=slice(2, 9)) -> np.ndarray:
    made = np.zeros((24, 32), np.uint8)
    made[rows, columns] = 1
    return made


@pytest.mark.parametrize(
    ("axes", "shape", "dtype", "shown", "rgb"),
    [
        ("yx", (24, 32), "uint16", (24, 32), False),
        ("zyx", (5, 24, 32), "int16", (5, 24, 32), False),
        ("cyx", (3, 24, 32), "uint8", (24, 32, 3), True),
        ("cyx", (4, 24, 32), "uint8", (24, 32, 4), True),
        ("cyx", (2, 24, 32), "uint8", (2, 24, 32), False),
        ("cyx", (3, 24, 32), "uint16", (3, 24, 32), False),
        ("czyx", (3, 5, 24, 32), "uint8", (5, 24, 32, 3), True),
        ("czyx", (2, 5, 24, 32), "float32", (2, 5, 24, 32), False),
    ],
)
def test_pixels_are_laid_out_as_napari_wants_them(
    viewer, axes, shape, dtype, shown, rgb
) -> None:
    pixels, is_rgb = for_display(np.zeros(shape, dtype), axes)
    assert (pixels.shape, is_rgb) == (shown, rgb)
    canvas = NapariCanvas(viewer)
    show(canvas, picture(axes, shape, dtype))
    spatial = tuple(n for a, n in zip(axes, shape, strict=True) if a != "c")
    assert canvas.annotation().shape == spatial
    assert viewer.layers[0].rgb == rgb


def test_spacing_reaches_image_and_masks(viewer) -> None:
    canvas = NapariCanvas(viewer)
    show(canvas, picture("zyx", (5, 24, 32), spacing=(8.0, 1.5, 1.5)))
    canvas.set_preview(np.ones((5, 24, 32), np.uint8), "p", np.ones((5, 24, 32)))
    for layer in viewer.layers:
        np.testing.assert_array_equal(layer.scale, (8.0, 1.5, 1.5))


def test_only_its_own_layers_are_touched(viewer) -> None:
    mine = viewer.add_image(np.zeros((9, 9)), name="mine")
    before = mine.data
    canvas = NapariCanvas(viewer)
    for shape in ((24, 32), (12, 16)):
        show(canvas, picture(shape=shape))
        canvas.set_preview(np.ones(shape, np.uint8), "proposal", np.ones(shape))
    canvas.clear()
    assert names(viewer) == ["mine"]
    assert mine.data is before


def test_layers_are_refilled_and_not_made_again(viewer, canvas) -> None:
    before = list(viewer.layers)
    show(canvas, picture(shape=(30, 40)))
    assert list(viewer.layers) == before
    assert canvas.annotation().shape == (30, 40)


def test_a_volume_after_a_flat_image_gets_new_layers(viewer, canvas) -> None:
    canvas.set_preview(mask(), "proposal", np.ones((24, 32), np.float32))
    show(canvas, picture("zyx", (5, 24, 32)))
    assert canvas.annotation().shape == (5, 24, 32)
    volume = np.zeros((5, 24, 32), np.uint8)
    volume[3] = 1
    canvas.set_preview(volume, "proposal", volume.astype(np.float32))
    assert viewer.dims.current_step[0] == 3


def test_a_proposal_goes_below_the_annotation_and_cannot_be_painted(
    viewer, canvas
) -> None:
    canvas.set_annotation(mask(), "heart", 0)
    canvas.show_probability(True)
    canvas.set_preview(mask(slice(0, 3)), "Proposal: heart (v1)", np.ones((24, 32)))
    assert names(viewer) == ["film 1", "Probability", "Proposal: heart (v1)", "heart"]
    preview = viewer.layers["Proposal: heart (v1)"]
    assert not preview.editable
    assert viewer.layers.selection.active.name == "heart"
    assert preview.colormap.color_dict[1] == pytest.approx(_rgba(PROPOSED))
    canvas.set_preview(mask(), "Proposal: again", np.ones((24, 32)))
    assert not viewer.layers["Proposal: again"].editable
    np.testing.assert_array_equal(canvas.annotation(), mask())
    canvas.clear_preview()
    assert not viewer.layers["Proposal"].visible


def test_an_image_comes_with_its_annotation(viewer, canvas) -> None:
    canvas.set_preview(mask(), "proposal", np.ones((24, 32)))
    canvas.show_image(picture(), mask(), "heart", 1)
    np.testing.assert_array_equal(canvas.annotation(), mask())
    assert names(viewer) == ["film 1", "Proposal", "heart"]
    assert not viewer.layers["Proposal"].visible


def test_colour_and_grey_images_take_turns_without_new_layers(viewer, canvas) -> None:
    show(canvas, picture("cyx", (3, 24, 32)))
    before = list(viewer.layers)
    for axes, shape in (("yx", (24, 32)), ("cyx", (3, 24, 32)), ("yx", (24, 32))):
        show(canvas, picture(axes, shape))
    assert list(viewer.layers) == before
    shown = [layer.rgb for layer in viewer.layers[:2] if layer.visible]
    assert shown == [False]


def _rgba(shade: str) -> list[float]:
    return [int(shade[i : i + 2], 16) / 255 for i in (1, 3, 5)] + [1.0]


def test_each_target_has_its_own_colour_and_every_label_shows_in_it(
    viewer, canvas
) -> None:
    shades = []
    for colour in range(4):
        canvas.set_annotation(mask(), f"target {colour}", colour)
        colormap = viewer.layers[f"target {colour}"].colormap
        shades.append(tuple(colormap.map(1)))
        np.testing.assert_array_equal(colormap.map(7), colormap.map(1))
        assert colormap.map(0)[3] == 0
    assert len(set(shades)) == 4


def test_an_edit_is_one_undo_step_and_is_told(viewer, canvas) -> None:
    told = []
    canvas.edited.connect(lambda: told.append(1))
    canvas.set_annotation(mask(), "heart", 0)
    assert told == []
    canvas.edit_annotation(mask(slice(0, 20)))
    assert len(told) == 1
    layer = viewer.layers["heart"]
    np.testing.assert_array_equal(canvas.annotation(), mask(slice(0, 20)))
    layer.undo()
    np.testing.assert_array_equal(canvas.annotation(), mask())
    layer.redo()
    np.testing.assert_array_equal(canvas.annotation(), mask(slice(0, 20)))


def test_strokes_with_any_label_belong_to_the_target(viewer, canvas) -> None:
    told = []
    canvas.edited.connect(lambda: told.append(1))
    canvas.set_annotation(np.zeros((24, 32), np.uint8), "heart", 0)
    layer = viewer.layers["heart"]
    layer.brush_size = 4
    layer.paint((10, 10), 1)
    layer.paint((10, 20), 5)
    assert len(told) == 2
    assert set(np.unique(canvas.annotation())) == {0, 1}
    assert canvas.annotation()[10, 20] == 1


def test_a_copy_is_given_and_taken(canvas) -> None:
    given = mask()
    canvas.set_annotation(given, "heart", 0)
    canvas.annotation()[...] = 0
    np.testing.assert_array_equal(canvas.annotation(), given)
    canvas.edit_annotation(np.zeros_like(given))
    assert given.any()


def test_a_layer_that_was_removed_by_hand_comes_back(viewer, canvas) -> None:
    canvas.set_annotation(mask(), "heart", 0)
    viewer.layers.clear()
    np.testing.assert_array_equal(canvas.annotation(), mask())
    show(canvas, picture())
    canvas.set_annotation(mask(), "heart", 0)
    canvas.set_preview(mask(), "proposal")
    assert names(viewer) == ["film 1", "proposal", "heart"]


def test_the_heat_map_is_made_when_it_is_wanted(viewer, canvas) -> None:
    canvas.set_preview(mask(), "proposal", np.ones((24, 32), np.float32))
    assert "Probability" not in viewer.layers
    canvas.show_probability(True)
    heat = viewer.layers["Probability"]
    assert heat.visible
    canvas.clear_preview()
    assert not heat.visible
    canvas.set_preview(mask(), "proposal", np.full((24, 32), 0.3, np.float32))
    assert heat.visible
    assert heat.data.max() == np.float32(0.3)
    canvas.set_preview(mask(), "Revision 3")
    assert not heat.visible
    canvas.show_probability(False)
    canvas.set_preview(mask(), "proposal", np.ones((24, 32), np.float32))
    assert not heat.visible
    assert [layer for layer in viewer.layers if layer.name == "Probability"] == [heat]


def test_where_opinions_part_lies_under_the_masks_and_goes_with_the_image(
    viewer, canvas
) -> None:
    show(canvas, picture())
    canvas.set_annotation(mask(), "heart", 0)
    canvas.show_disagreement(np.full((24, 32), 0.2, np.float32))
    heat = viewer.layers["Where to look"]
    assert heat.visible
    assert heat.contrast_limits == [0.0, pytest.approx(0.2)]
    assert names(viewer).index("Where to look") < names(viewer).index("heart")
    assert viewer.layers.selection.active.name == "heart"
    canvas.show_disagreement(None)
    assert not heat.visible
    canvas.show_disagreement(np.ones((24, 32), np.float32))
    assert heat.visible
    show(canvas, picture())
    assert not heat.visible


# ----------------------------------------------------------------------- strokes
def test_strokes_have_a_layer_of_their_own_and_say_so(viewer, canvas) -> None:
    told = []
    canvas.stroked.connect(lambda: told.append("stroke"))
    canvas.edited.connect(lambda: told.append("edit"))
    canvas.set_annotation(mask(), "heart", 0)
    for kind in (1, 2):
        canvas.draw_strokes(kind)
        layer = viewer.layers.selection.active
        assert (layer.name, str(layer.mode)) == ("Strokes", "paint")
        assert layer.selected_label == kind
        layer.paint((5 * kind, 5), kind)
    assert told == ["stroke", "stroke"]
    assert set(np.unique(canvas.strokes())) == {0, 1, 2}
    np.testing.assert_array_equal(canvas.annotation(), mask())
    canvas.draw_strokes(0)
    assert viewer.layers.selection.active.name == "heart"
    assert canvas.strokes().any()
    canvas.clear_strokes()
    assert not canvas.strokes().any()
    assert not viewer.layers["Strokes"].visible


def test_strokes_begin_empty_on_each_image(viewer, canvas) -> None:
    canvas.draw_strokes(1)
    viewer.layers.selection.active.paint((5, 5), 1)
    show(canvas, picture(shape=(40, 50)))
    assert canvas.strokes().shape == (40, 50)
    assert not canvas.strokes().any()
    canvas.draw_strokes(2)
    assert viewer.layers["Strokes"].data.shape == (40, 50)


def test_a_persons_brush_for_strokes_is_kept(viewer, canvas) -> None:
    canvas.draw_strokes(1)
    viewer.layers["Strokes"].brush_size = 9
    canvas.draw_strokes(2)
    assert viewer.layers["Strokes"].brush_size == 9


def test_the_visible_plane_is_the_one_on_the_slider(viewer, canvas) -> None:
    assert canvas.plane() is None
    show(canvas, picture("zyx", (5, 24, 32)))
    viewer.dims.set_current_step(0, 3)
    assert canvas.plane() == 3


# -------------------------------------------------------------------- neighbours
def test_neighbours_are_outlines_in_their_targets_colours(viewer, canvas) -> None:
    canvas.set_annotation(mask(), "heart", 0)
    labels = mask(slice(10, 14)) + 2 * mask(slice(16, 20))
    canvas.set_neighbours(labels, [("left lung", 1), ("rib", 4)])
    layer = viewer.layers["Other masks"]
    assert layer.visible
    assert not layer.editable
    assert layer.contour == 1
    colours = layer.colormap.color_dict
    assert [colours[n].tolist() for n in (1, 2)] == [
        pytest.approx(_rgba(COLOURS[place])) for place in (1, 4)
    ]
    assert list(layer.features["target"][1:]) == ["left lung", "rib"]
    assert viewer.layers.selection.active.name == "heart"
    canvas.set_neighbours(labels, ())
    assert not layer.visible


def test_the_name_of_what_is_drawn_stands_under_the_cursor(viewer, canvas) -> None:
    canvas.set_annotation(mask(), "heart", 0)
    layer = viewer.layers["heart"]
    assert layer._get_properties((3, 3)) == ["target: heart"]
    assert layer._get_properties((20, 20)) == []


@pytest.mark.parametrize(
    ("window", "limits"),
    [("", (-160.0, 240.0)), ("lung", (-1350.0, 150.0)), ("bone", (-450.0, 1050.0))],
)
def test_ct_is_shown_in_its_window(viewer, window, limits) -> None:
    canvas, empty = NapariCanvas(viewer), np.zeros((24, 32), np.uint8)
    for _ in range(2):  # in a new layer, and in one that is filled again
        canvas.show_image(ct(window), empty, "", 0)
        assert tuple(viewer.layers[0].contrast_limits) == limits


def test_another_window_is_shown_at_once_and_by_hand_it_stays(viewer) -> None:
    canvas, empty = NapariCanvas(viewer), np.zeros((24, 32), np.uint8)
    canvas.show_image(ct("lung"), empty, "left lung", 0)
    image = viewer.layers[0]
    image.contrast_limits = (-900.0, -100.0)
    canvas.show_window("lung")
    assert tuple(image.contrast_limits) == (-900.0, -100.0)
    canvas.show_window("bone")
    assert tuple(image.contrast_limits) == (-450.0, 1050.0)
    show(canvas, picture(dtype="uint16"))
    before = tuple(viewer.layers[0].contrast_limits)
    canvas.show_window("brain")
    assert tuple(viewer.layers[0].contrast_limits) == before


def test_panes_of_ct_are_in_the_window_of_their_target(viewer) -> None:
    from lgssl_napari.canvas import Pane

    canvas, empty = NapariCanvas(viewer), np.zeros((24, 32), np.uint8)
    canvas.show_image(ct("lung"), empty, "left lung", 0)
    canvas.show_panes(ct("bone"), [Pane("v1", empty), Pane("drawn", empty)])
    beside = viewer.layers["Side by side"]
    assert tuple(beside.contrast_limits) == (-450.0, 1050.0)


def test_a_bright_speck_does_not_darken_the_rest(viewer) -> None:
    shown = picture(shape=(200, 200), dtype="uint16")
    shown.pixels[0, 0] = 60_000
    show(NapariCanvas(viewer), shown)
    assert tuple(viewer.layers[0].contrast_limits) == (0.0, 8.0)
