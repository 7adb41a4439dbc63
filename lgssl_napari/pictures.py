"""Layers of images on a napari viewer: made once for each kind, and refilled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lgssl_napari.looks import for_display, is_colour, name_and_scale, set_visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Image
    from napari.viewer import Viewer

    from lgssl_napari.state import Picture
    from src_core.types import Image as ImageRecord

    Kind = tuple[bool, int]  # whether it has colours; axes without these


class PictureLayers:
    """One layer a kind of image, at the bottom of the list; one of them is shown.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The open window.
    begin : callable
        Gets each layer that is made.
    """

    def __init__(self, viewer: Viewer, begin: Callable[[Image], None]) -> None:
        self._viewer, self._begin = viewer, begin
        self._layers: dict[Kind, Image] = {}

    @property
    def layers(self) -> list[Image]:
        """Those that were made, shown or hidden."""
        return list(self._layers.values())

    def fill(self, picture: Picture) -> Image:
        """Return the layer of an image's kind, filled; made where it is missing."""
        image = picture.image
        pixels, is_rgb = for_display(picture.pixels, image.axes)
        spacing = image.spacing or (1.0,) * len(image.spatial_shape)
        scale = (1.0,) * (pixels.ndim - is_rgb - len(spacing)) + spacing
        layer = self._find((is_rgb, len(scale)))
        if layer is not None:
            layer.data = pixels
            name_and_scale(layer, image.name, scale)
            return layer
        layer = self._viewer.add_image(pixels, name=image.name, rgb=is_rgb, scale=scale)
        self._keep((is_rgb, len(scale)), layer)
        return layer

    @property
    def shown(self) -> Image | None:
        """The one that is seen; None where none is, or the person hid it."""
        return next((one for one in self._layers.values() if one.visible), None)

    def show_only(self, layer: Image) -> None:
        """Show one, and hide the layers of other kinds."""
        for other in self._layers.values():
            set_visible(other, other is layer)

    def prepare(self, image: ImageRecord) -> bool:
        """Make the layer that an image will need, hidden; whether it was missing."""
        is_rgb = is_colour(image.axes, image.shape, image.dtype)
        kind = (is_rgb, len(image.shape) - is_rgb)
        if self._find(kind) is not None:
            return False
        shape = (1,) * kind[1] + ((3,) if is_rgb else ())
        blank = np.zeros(shape, image.dtype)
        self._keep(
            kind,
            self._viewer.add_image(blank, name="Image", rgb=is_rgb, visible=False),
        )
        return True

    def forget(self) -> None:
        """Take the layers as removed."""
        self._layers = {}

    def _find(self, kind: Kind) -> Image | None:
        layer = self._layers.get(kind)
        return layer if layer is not None and layer in self._viewer.layers else None

    def _keep(self, kind: Kind, layer: Image) -> None:
        self._viewer.layers.move(self._viewer.layers.index(layer), 0)
        self._layers[kind] = layer
        self._begin(layer)
