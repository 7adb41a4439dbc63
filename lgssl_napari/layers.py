"""The canvas on a napari viewer: layers of our own, and no other is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from lgssl_napari import looks
from lgssl_napari.heats import HeatMap
from lgssl_napari.holding import Holding
from lgssl_napari.looks import (
    LABEL,
    PROPOSED,
    UNKNOWN,
    colour_of,
    name_and_scale,
    paint_in,
    put_away,
    set_visible,
    shade,
)
from lgssl_napari.masks import MaskLayers
from lgssl_napari.panes import Panes
from lgssl_napari.pictures import PictureLayers
from lgssl_napari.placing import KEPT, Place, for_layer, settle, upright
from lgssl_napari.planes import Planes
from lgssl_napari.refine import INSIDE, OUTSIDE
from lgssl_napari.warming import know_units, warm_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Labels, Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from lgssl_napari.canvas import Pane
    from lgssl_napari.state import Picture
    from src_core.types import Image as ImageRecord

    Mask = NDArray[np.uint8]

NAMELESS = "Annotation (say what it is)"
ANNOTATION, PROPOSAL, HEAT, STROKES = "Annotation", "Proposal", "Probability", "Strokes"
NEIGHBOURS, DISAGREEMENT = "Other masks", "Where to look"
STROKE_SHADES = {INSIDE: looks.INSIDE, OUTSIDE: looks.OUTSIDE}
STROKE_NAMES = {INSIDE: "inside", OUTSIDE: "outside"}
BRUSH = 4
"""Of strokes, in pixels: they are drawn inside of things."""


class NapariCanvas:
    """Draws through the viewer's public API.

    Layers are refilled from image to image and never removed for a new one: making one
    takes 0.2 s, removing one 0.4 s (napari collects garbage then), refilling 20 ms.
    A layer that the person removed is made anew when it is needed.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The open window.
    """

    edited = Signal()
    drawing = Signal()
    stroked = Signal()
    released = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._pictures = PictureLayers(viewer, self._settle)
        self._masks = MaskLayers(viewer, self._listen)
        self._planes = Planes(viewer)
        self._heat = HeatMap(viewer, HEAT, "inferno")
        self._disagreement = HeatMap(viewer, DISAGREEMENT, looks.DOUBT)
        self._annotation: Labels | None = None
        self._preview: Labels | None = None
        self._probability: NDArray[np.float32] | None = None
        self._shape: tuple[int, ...] = ()
        self._heat_wanted = False
        self._window = ""
        self._panes = Panes(viewer)
        self._holding = Holding(viewer, self.released.emit)

    @property
    def held(self) -> bool:
        """Whether the person is drawing a stroke now."""
        return self._holding.now

    # ------------------------------------------------------------------- image
    def show_image(self, picture: Picture, mask: Mask, name: str, colour: int) -> None:
        """Replace image and annotation; the preview becomes empty."""
        know_units()
        self._panes.hide()
        image = picture.image
        self._shape, self._planes.place = image.spatial_shape, Place.of(image)
        for made in (*self._made(), *self._panes.layers):
            self._settle(made)
        self.clear_preview()
        self.clear_strokes()
        self.show_disagreement(None)
        self.set_neighbours(mask, ())
        layer = self._pictures.fill(picture)
        if not layer.rgb:
            shade(layer, image.modality, picture.window)
        self._window = picture.window
        self._pictures.show_only(layer)
        self.set_annotation(mask, name, colour)
        for other in self._made():
            if other not in (layer, self._annotation) and not other.visible:
                self._put_away(other)
        self._viewer.reset_view()

    def prepare(self, image: ImageRecord) -> None:
        """Make one layer that an image will need and that is missing, still hidden.

        While the image is read: made one by one they cost 70 ms each, and together
        they would hold the window up four times as long.
        """
        know_units()
        if self._pictures.prepare(image):
            return
        ndim = len(image.spatial_shape)
        for role in (ANNOTATION, PROPOSAL):
            if self._masks.find(role, ndim) is None:
                self._masks.make(role, ndim)
                return

    def show_window(self, window: str) -> None:
        """Show CT in another window; what the person set by hand stays in the same."""
        layer = self._pictures.shown
        if self._place.modality != "CT" or window == self._window or layer is None:
            return
        self._window = window
        shade(layer, "CT", window)

    def clear(self) -> None:
        """Remove the layers that were made here."""
        self._panes.clear()
        for layer in self._made():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        for made in (self._pictures, self._masks, self._heat, self._disagreement):
            made.forget()
        self._annotation = self._preview = self._probability = None

    # -------------------------------------------------------------- annotation
    def set_annotation(self, mask: Mask, name: str, colour: int) -> None:
        """Replace the annotation as something new that cannot be undone."""
        layer = self._fill(ANNOTATION, mask.copy(), name or NAMELESS)
        set_visible(layer, True)
        shade = colour_of(colour) if name else UNKNOWN
        paint_in(layer, {LABEL: shade}, {LABEL: name or "not named yet"})
        self._annotation = layer
        self._viewer.layers.selection.active = layer

    def edit_annotation(self, mask: Mask) -> None:
        """Change the annotation as one step that Ctrl+Z undoes."""
        layer = self._annotation
        if layer is None:
            return
        changed = np.nonzero((layer.data != 0) != (mask != 0))
        if changed[0].size:
            layer.data_setitem(changed, mask[changed])

    def annotation(self) -> Mask:
        """Return a copy of the annotation: 0 and 1 over the image's spatial shape."""
        if self._annotation is None:
            return np.zeros(self._shape, np.uint8)
        drawn: Mask = (np.asarray(self._annotation.data) != 0).astype(np.uint8)
        return drawn

    # ----------------------------------------------------------------- preview
    def set_preview(
        self, mask: Mask, name: str, probability: NDArray[np.float32] | None = None
    ) -> None:
        """Show a mask that cannot be edited, and what it was cut from."""
        layer = self._fill(PROPOSAL, mask, name)
        paint_in(layer, {LABEL: PROPOSED}, {LABEL: name})
        layer.editable = False
        set_visible(layer, True)
        self._preview, self._probability = layer, probability
        self._put_below(layer, self._annotation)
        self._show_heat()
        self._viewer.layers.selection.active = self._annotation
        self._planes.turn_to_most(mask)

    def clear_preview(self) -> None:
        """Show no preview and no probability."""
        if self._preview is not None:
            set_visible(self._preview, False)
            name_and_scale(self._preview, PROPOSAL, self._preview.scale)
        self._preview = self._probability = None
        self._show_heat()

    def show_probability(self, visible: bool) -> None:
        """Show or hide the heat map of the preview's probability."""
        self._heat_wanted = visible
        self._show_heat()

    def _show_heat(self) -> None:
        if self._probability is None or not self._heat_wanted:
            self._heat.hide()
        else:
            self._lay_over(self._heat, self._probability)

    def show_disagreement(
        self, heat: NDArray[np.float32] | None, plane: int | None = None
    ) -> None:
        """Show where a model's opinions part, or hide it."""
        if heat is None:
            self._disagreement.hide()
            return
        self._lay_over(self._disagreement, heat, max(float(heat.max()), 1e-3))
        if plane is not None:
            self._planes.turn_to(plane)

    def _lay_over(
        self, heat: HeatMap, values: NDArray[np.float32], most: float = 1.0
    ) -> None:
        """Show a heat map over the image and below the masks."""
        layer, is_new = heat.show(values, self._place.spacing, most)
        self._settle(layer)
        if is_new:
            self._viewer.layers.selection.active = self._annotation
        self._put_below(layer, self._preview or self._annotation)

    def warm_up(self) -> None:
        """Import what the first layers need; may be called from any thread."""
        layer = warm_up()
        paint_in(layer, {LABEL: UNKNOWN}, {LABEL: NAMELESS})

    # ----------------------------------------------------------------- strokes
    def prepare_strokes(self) -> None:
        """Make the layer of strokes, still hidden, where it is missing."""
        ndim = len(self._shape)
        if self._masks.find(STROKES, ndim) is None:
            layer = self._masks.make(STROKES, ndim)
            layer.brush_size = BRUSH
            paint_in(layer, STROKE_SHADES, STROKE_NAMES)
            self._viewer.layers.selection.active = self._annotation

    def draw_strokes(self, kind: int) -> None:
        """Let the person draw strokes of a kind; 0 goes back to the annotation."""
        if not kind:
            self._viewer.layers.selection.active = self._annotation
            return
        layer = self._strokes()
        if layer is None:
            self.prepare_strokes()
            layer = self._fill(STROKES, np.zeros(self._shape, np.uint8), STROKES)
        set_visible(layer, True)
        self._viewer.layers.move(self._viewer.layers.index(layer), -1)
        self._viewer.layers.selection.active = layer
        layer.mode, layer.selected_label = "paint", kind

    def strokes(self) -> Mask:
        """Return a copy of the strokes: 1 inside, 2 outside, 0 elsewhere."""
        layer = self._strokes()
        if layer is None:
            return np.zeros(self._shape, np.uint8)
        return np.array(layer.data, np.uint8)

    def clear_strokes(self) -> None:
        """Forget the strokes; the annotation is drawn on again."""
        for ndim in (2, 3):
            layer = self._masks.find(STROKES, ndim)
            if layer is not None and layer.visible:
                layer.data = np.zeros(layer.data.shape, np.uint8)
                set_visible(layer, False)
                self._viewer.layers.selection.active = self._annotation

    def plane(self) -> int | None:
        """Return which plane of a volume is visible; None for a flat image."""
        return self._planes.visible

    # ------------------------------------------------------- what else there is
    def set_neighbours(self, labels: Mask, names: Sequence[tuple[str, int]]) -> None:
        """Show the masks of other targets, which cannot be edited; none hides them."""
        if not names:
            self._masks.hide(NEIGHBOURS)
            return
        layer = self._fill(NEIGHBOURS, labels, NEIGHBOURS)
        numbers = range(1, len(names) + 1)
        paint_in(
            layer,
            {n: colour_of(c) for n, (_, c) in zip(numbers, names, strict=True)},
            {n: name for n, (name, _) in zip(numbers, names, strict=True)},
        )
        layer.editable, layer.contour = False, 1
        set_visible(layer, True)
        self._put_below(layer, self._annotation)
        self._viewer.layers.selection.active = self._annotation

    def prepare_panes(self, image: ImageRecord) -> None:
        """Make one layer that panes of an image will need, as :meth:`prepare` does."""
        self._panes.prepare(image)

    def show_panes(self, picture: Picture, panes: Sequence[Pane]) -> None:
        """Show several masks of an image side by side, instead of what is open."""
        turn, self._panes.place = upright(self._place, self._shape)
        turned = [replace(pane, mask=pane.mask[turn]) for pane in panes]
        shown = replace(picture, pixels=picture.pixels[turn])
        self._panes.show(shown, turned, self._place.spacing, self._made())

    def name_panes(self, panes: Sequence[Pane]) -> None:
        """Write above each pane what it is; nothing where none are shown."""
        self._panes.name(panes)

    def hide_panes(self) -> None:
        """Put back what was open."""
        if self._panes.shown:
            self._panes.hide()
            self._viewer.layers.selection.active = self._annotation

    # ---------------------------------------------------------------- plumbing
    def _made(self) -> list[Layer]:
        heats = (*self._heat.layers, *self._disagreement.layers)
        return [*heats, *self._masks.layers, *self._pictures.layers]

    @property
    def _place(self) -> Place:
        return self._planes.place

    def _strokes(self) -> Labels | None:
        """Return the layer of strokes if it fits the image and is in use."""
        layer = self._masks.find(STROKES, len(self._shape))
        fits = layer is not None and layer.data.shape == self._shape and layer.visible
        return layer if fits else None

    def _fill(self, role: str, mask: Mask, name: str) -> Labels:
        return self._masks.fill(role, mask, name, self._place.spacing)

    def _listen(self, layer: Labels) -> None:
        layer.events.paint.connect(self._painted)
        layer.events.labels_update.connect(self._painting)
        self._settle(layer)

    def _put_away(self, layer: Layer) -> None:
        """Empty a hidden layer that another image has left larger or smaller."""
        shape = tuple(layer.data.shape)
        if getattr(layer, "rgb", False):
            shape = shape[:-1]
        if shape != self._shape:
            put_away(layer)

    def _painting(self, event: Any) -> None:
        if event.source is self._annotation:
            self.drawing.emit()

    def _painted(self, event: Any) -> None:
        if event.source is self._annotation:
            self.edited.emit()
        elif event.source is self._masks.find(STROKES, len(self._shape)):
            self.stroked.emit()

    def _put_below(self, layer: Layer, other: Layer | None) -> None:
        layers = self._viewer.layers
        if other in layers:
            at, above = layers.index(layer), layers.index(other)
            if at > above:
                layers.move(at, above)

    def _settle(self, layer: Layer) -> None:
        """Put a layer where the image lies, and let it know for when it is saved."""
        settle(layer, for_layer(self._place, layer.ndim))
        if layer.metadata.get(KEPT) != self._place:
            layer.metadata = {**layer.metadata, KEPT: self._place}
