"""The canvas on a napari viewer: four layers of our own, and no other is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from lgssl_napari.state import Picture

    Mask = NDArray[np.uint8]

# Told apart with the common colour blindnesses; what is warm is left to proposals, so
# that a model's opinion is never taken for a saved mask.
COLOURS = ("#56b4e9", "#009e73", "#cc79a7", "#8c7ae6", "#a6d854", "#e7298a", "#7fe5d8")
PROPOSED = "#ff9f1c"
NAMELESS = "Annotation (say what it is)"
UNKNOWN = "#ffffff"
ANNOTATION, PROPOSAL, HEAT = "Annotation", "Proposal", "Probability"
SHADE = "lgssl shade"
LABEL = 1


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

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._images: dict[tuple[bool, int], Image] = {}
        self._masks: dict[tuple[str, int], Labels] = {}
        self._heats: dict[int, Image] = {}
        self._annotation: Labels | None = None
        self._preview: Labels | None = None
        self._probability: NDArray[np.float32] | None = None
        self._shape: tuple[int, ...] = ()
        self._scale: tuple[float, ...] = ()
        self._heat_wanted = False

    # ------------------------------------------------------------------- image
    def show_image(self, picture: Picture, mask: Mask, name: str, colour: int) -> None:
        """Replace image and annotation; the preview becomes empty."""
        image = picture.image
        pixels, is_rgb = for_display(picture.pixels, image.axes)
        self._shape = image.spatial_shape
        self._scale = image.spacing or (1.0,) * len(self._shape)
        scale = (1.0,) * (pixels.ndim - is_rgb - len(self._scale)) + self._scale
        self.clear_preview()
        kind = (is_rgb, len(scale))
        layer = self._images.get(kind)
        if layer is not None and layer in self._viewer.layers:
            layer.data = pixels
            _name_and_scale(layer, image.name, scale)
            if not is_rgb:
                layer.reset_contrast_limits()
        else:
            layer = self._viewer.add_image(
                pixels, name=image.name, rgb=is_rgb, scale=scale
            )
            self._viewer.layers.move(self._viewer.layers.index(layer), 0)
            self._images[kind] = layer
        for other in self._images.values():
            _set_visible(other, other is layer)
        self.set_annotation(mask, name, colour)
        self._viewer.reset_view()

    def clear(self) -> None:
        """Remove the layers that were made here."""
        made = (*self._heats.values(), *self._masks.values(), *self._images.values())
        for layer in made:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._images, self._masks, self._heats = {}, {}, {}
        self._annotation = self._preview = self._probability = None

    # -------------------------------------------------------------- annotation
    def set_annotation(self, mask: Mask, name: str, colour: int) -> None:
        """Replace the annotation as something new that cannot be undone."""
        layer = self._labels(ANNOTATION, mask.copy(), name or NAMELESS)
        self._paint_in(layer, COLOURS[colour % len(COLOURS)] if name else UNKNOWN)
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
        layer = self._labels(PROPOSAL, mask, name)
        self._paint_in(layer, PROPOSED)
        layer.editable = False
        _set_visible(layer, True)
        self._preview, self._probability = layer, probability
        self._put_below(layer, self._annotation)
        self._show_heat()
        self._viewer.layers.selection.active = self._annotation
        self._turn_to(mask)

    def clear_preview(self) -> None:
        """Show no preview and no probability."""
        if self._preview is not None:
            _set_visible(self._preview, False)
            _name_and_scale(self._preview, PROPOSAL, self._preview.scale)
        self._preview = self._probability = None
        self._show_heat()

    def show_probability(self, visible: bool) -> None:
        """Show or hide the heat map of the preview's probability."""
        self._heat_wanted = visible
        self._show_heat()

    def _show_heat(self) -> None:
        probability, ndim = self._probability, len(self._scale)
        layer = self._heats.get(ndim)
        if probability is None or not self._heat_wanted:
            for made in self._heats.values():
                _set_visible(made, False)
            return
        if layer is not None and layer in self._viewer.layers:
            layer.data = probability
            _name_and_scale(layer, HEAT, self._scale)
        else:
            layer = self._viewer.add_image(
                probability,
                name=HEAT,
                colormap="inferno",
                contrast_limits=(0.0, 1.0),
                opacity=0.6,
                scale=self._scale,
            )
            self._heats[ndim] = layer
            self._viewer.layers.selection.active = self._annotation
        _set_visible(layer, True)
        self._put_below(layer, self._preview)

    # ---------------------------------------------------------------- plumbing
    def _labels(self, role: str, mask: Mask, name: str) -> Labels:
        """Return the layer of a role, filled; one for flat images, one for volumes."""
        layer = self._masks.get((role, mask.ndim))
        if layer is not None and layer in self._viewer.layers:
            layer.editable = True  # data of a locked layer may not be replaced
            layer.data = mask
            _name_and_scale(layer, name, self._scale)
        else:
            layer = self._viewer.add_labels(
                mask, name=name, scale=self._scale, opacity=0.5
            )
            layer.selected_label = LABEL
            layer.events.paint.connect(self._painted)
            self._masks[role, mask.ndim] = layer
        for (other, ndim), made in self._masks.items():
            if other == role and ndim != mask.ndim:
                _set_visible(made, False)
        if role == ANNOTATION:
            _set_visible(layer, True)
        return layer

    def _paint_in(self, layer: Labels, shade: str) -> None:
        """Show every label in one colour; a new colormap is dear, so only if it is."""
        if layer.metadata.get(SHADE) != shade:
            layer.colormap = one_colour(shade)
            layer.metadata = {SHADE: shade}

    def _painted(self, event: Any) -> None:
        if event.source is self._annotation:
            self.edited.emit()

    def _put_below(self, layer: Layer, other: Layer | None) -> None:
        layers = self._viewer.layers
        if other in layers:
            at, above = layers.index(layer), layers.index(other)
            if at > above:
                layers.move(at, above)

    def _turn_to(self, mask: Mask) -> None:
        """In a volume, turn to the plane with most of a mask if this one has none."""
        if mask.ndim < 3:
            return
        axis = self._viewer.dims.ndim - 3
        here = self._viewer.dims.current_step[axis]
        sizes = mask.sum(axis=(1, 2))
        if sizes.any() and not (here < len(sizes) and sizes[here]):
            self._viewer.dims.set_current_step(axis, int(sizes.argmax()))


def _name_and_scale(layer: Layer, name: str, scale: Any) -> None:
    """Set both where they differ: each event of a layer redraws all of it."""
    if layer.name != name:
        layer.name = name
    if not np.array_equal(layer.scale, scale):
        layer.scale = scale


def _set_visible(layer: Layer, visible: bool) -> None:
    if layer.visible != visible:
        layer.visible = visible


def for_display(
    pixels: NDArray[np.generic], axes: str
) -> tuple[NDArray[np.generic], bool]:
    """Return pixels as napari wants them, and whether they are colours.

    Parameters
    ----------
    pixels : ndarray
        With the axes ``"yx"``, ``"cyx"``, ``"zyx"`` or ``"czyx"``.
    axes : str
        As above.

    Returns
    -------
    ndarray
        With colours last where there are three or four of uint8; other channels
        stay first and get a slider.
    bool
        Whether the last axis holds colours.
    """
    is_colour = axes[:1] == "c" and pixels.shape[0] in (3, 4)
    if is_colour and pixels.dtype == np.uint8:
        return np.moveaxis(pixels, 0, -1), True
    return pixels, False


def one_colour(shade: str) -> Any:
    """Return a colormap that shows every label in one colour, and 0 not at all."""
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict={None: shade, 0: "transparent", LABEL: shade})
