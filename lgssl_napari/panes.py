"""Several masks of one image side by side in napari's canvas.

Image and masks are repeated along the last axis in two layers, so that zoom, pan and
the slice slider move all of them together, and comparing costs no viewer of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lgssl_napari.looks import (
    COLOURS,
    PROPOSED,
    UNKNOWN,
    for_display,
    is_colour,
    name_and_scale,
    paint_in,
    put_away,
    set_visible,
    shade,
)
from lgssl_napari.placing import Place, for_layer, settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from lgssl_napari.canvas import Pane
    from lgssl_napari.state import Picture
    from src_core.types import Image as ImageRecord

SHADES = (PROPOSED, COLOURS[0], COLOURS[1])
GAP = 0.04
"""Between two panes, as a share of one's width."""


class Panes:
    """Shows panes instead of the layers at work, and puts those back afterwards.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The open window.

    Attributes
    ----------
    place : Place
        Where each pane lies, turned upright; given before they are shown.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._images: dict[tuple[bool, int], Image] = {}
        self._masks: dict[int, Labels] = {}
        self._hidden: list[Layer] = []
        self._caption_before: tuple[str, bool] | None = None
        self.place = Place("yx", (1.0, 1.0))
        self._view_before: tuple[Any, float, tuple[int, ...]] = ((), 1.0, ())

    @property
    def layers(self) -> list[Layer]:
        """The layers made here."""
        return [*self._images.values(), *self._masks.values()]

    @property
    def shown(self) -> bool:
        """Whether panes are on the canvas."""
        return self._caption_before is not None

    def prepare(self, image: ImageRecord) -> None:
        """Make one layer that an image will need and that is missing, still hidden."""
        rgb = is_colour(image.axes, image.shape, image.dtype)
        ndim, spatial = len(image.shape) - rgb, len(image.spatial_shape)
        if self._images.get((rgb, ndim)) not in self._viewer.layers:
            shape = (1,) * ndim + ((3,) if rgb else ())
            blank = np.zeros(shape, image.dtype)
            put_away(self._image(blank, rgb, (1.0,) * ndim))
        elif self._masks.get(spatial) not in self._viewer.layers:
            blank = np.zeros((1,) * spatial, np.uint8)
            put_away(self._labels(blank, (1.0,) * spatial))

    def show(
        self,
        picture: Picture,
        panes: Sequence[Pane],
        scale: tuple[float, ...],
        others: Iterable[Layer],
    ) -> None:
        """Show panes and hide other layers meanwhile.

        Parameters
        ----------
        picture : Picture
            The image, the same in each pane.
        panes : sequence of Pane
            From left to right.
        scale : tuple of float
            Of the image's spatial axes.
        others : iterable of Layer
            What is hidden.
        """
        self.hide()
        camera, step = self._camera(), self._viewer.dims.current_step
        self._view_before = (camera.center, camera.zoom, step)
        self._hidden = [layer for layer in others if layer.visible]
        for layer in self._hidden:
            set_visible(layer, False)
        pixels, is_rgb = for_display(picture.pixels, picture.image.axes)
        wide = beside([pixels] * len(panes), axis=-2 if is_rgb else -1)
        full = (1.0,) * (wide.ndim - is_rgb - len(scale)) + scale
        image = self._image(wide, is_rgb, full)
        drawn = [pane.mask * (n + 1) for n, pane in enumerate(panes)]
        masks = self._labels(beside(drawn, axis=-1), scale)
        names = {n + 1: pane.title for n, pane in enumerate(panes)}
        shades = dict(zip(names, (*SHADES, *[UNKNOWN] * len(panes)), strict=False))
        paint_in(masks, shades, names)
        if not is_rgb:
            shade(image, picture.image.modality, picture.window)
        for layer in (image, masks):
            settle(layer, for_layer(self.place, layer.ndim))
            set_visible(layer, True)
        self._viewer.layers.selection.active = masks
        self._turn_to(drawn)
        caption = self._caption()
        self._caption_before = (caption.text, caption.visible)
        self._viewer.reset_view()
        # That looks at the middle of all layers, of the hidden ones, too.
        camera, seen = self._camera(), list(self._viewer.dims.displayed)
        corners = [(0,) * masks.ndim, np.array(masks.data.shape) - 1]
        middle = np.mean([masks.data_to_world(at) for at in corners], axis=0)[seen]
        camera.center = (*camera.center[: -len(seen)], *middle)

    def name(self, panes: Sequence[Pane]) -> None:
        """Write above each pane what it is; nothing where none are shown.

        Apart from showing them: napari draws each letter for the first time in 6 ms.
        """
        if self.shown:
            caption = self._caption()
            caption.text = "     |     ".join(pane.title for pane in panes)
            caption.position, caption.visible = "top_center", True

    def hide(self) -> None:
        """Put back what was there, and where one was looking."""
        if not self.shown:
            return
        for layer in self.layers:
            put_away(layer)
        for layer in self._hidden:
            if layer in self._viewer.layers:
                set_visible(layer, True)
        self._hidden = []
        caption = self._caption()
        caption.text, caption.visible = self._caption_before or ("", False)
        self._caption_before = None
        camera = self._camera()
        camera.center, camera.zoom, step = self._view_before
        self._viewer.dims.current_step = step

    def clear(self) -> None:
        """Remove the layers that were made here."""
        self.hide()
        for layer in self.layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._images, self._masks = {}, {}

    # ---------------------------------------------------------------- plumbing
    def _image(
        self, pixels: NDArray[np.generic], is_rgb: bool, scale: tuple[float, ...]
    ) -> Image:
        kind = (is_rgb, len(scale))
        layer = self._images.get(kind)
        if layer is None or layer not in self._viewer.layers:
            layer = self._viewer.add_image(
                pixels, name="Side by side", rgb=is_rgb, scale=scale
            )
            self._images[kind] = layer
            return layer
        layer.data = pixels
        name_and_scale(layer, layer.name, scale)
        return layer

    def _labels(self, mask: NDArray[np.uint8], scale: tuple[float, ...]) -> Labels:
        layer = self._masks.get(mask.ndim)
        if layer is None or layer not in self._viewer.layers:
            layer = self._viewer.add_labels(
                mask, name="Masks side by side", scale=scale, opacity=0.5
            )
            self._masks[mask.ndim] = layer
        else:
            layer.editable = True  # data of a locked layer may not be replaced
            layer.data = mask
            name_and_scale(layer, layer.name, scale)
        layer.editable = False
        return layer

    def _turn_to(self, masks: Sequence[NDArray[np.uint8]]) -> None:
        """In a volume, turn to the plane in which the masks differ most."""
        if masks[0].ndim < 3:
            return
        drawn = np.stack([mask != 0 for mask in masks])
        unlike = drawn.any(axis=0) & ~drawn.all(axis=0)
        sizes = unlike.sum(axis=(1, 2))
        axis = self._viewer.dims.ndim - 3
        self._viewer.dims.set_current_step(axis, int(sizes.argmax()))

    def _camera(self) -> Any:
        # It moved in napari 0.9; the old name warns there.
        return getattr(self._viewer, "scene", self._viewer).camera

    def _caption(self) -> Any:
        # The overlay moved in napari 0.9; the old name warns there.
        canvas = getattr(self._viewer, "canvas", None)
        return canvas.overlays.text if canvas is not None else self._viewer.text_overlay


def beside(arrays: Sequence[NDArray[Any]], axis: int) -> NDArray[Any]:
    """Put arrays beside one another with a gap of zeros between them."""
    first = arrays[0]
    shape = list(first.shape)
    shape[axis] = max(1, round(GAP * shape[axis]))
    gap = np.zeros(shape, first.dtype)
    parts = [part for array in arrays for part in (array, gap)]
    return np.concatenate(parts[:-1], axis=axis)
