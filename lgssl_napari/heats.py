"""A heat map over an image: one layer for flat images and one for volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lgssl_napari.looks import name_and_scale, set_visible

if TYPE_CHECKING:
    import numpy as np
    from napari.layers import Image
    from napari.viewer import Viewer
    from numpy.typing import NDArray


class HeatMap:
    """Layers that are made when first needed and refilled from then on.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The open window.
    name : str
        Of the layers.
    colours : str or dict
        A colormap's name, or what makes one.
    """

    def __init__(
        self, viewer: Viewer, name: str, colours: str | dict[str, Any]
    ) -> None:
        self._viewer, self._name, self._colours = viewer, name, colours
        self._layers: dict[int, Image] = {}

    @property
    def layers(self) -> list[Image]:
        """Those that were made, shown or hidden."""
        return list(self._layers.values())

    def show(
        self, values: NDArray[np.float32], scale: tuple[float, ...], most: float = 1.0
    ) -> tuple[Image, bool]:
        """Show values over an image; return the layer, and whether it is new.

        Parameters
        ----------
        values : ndarray
            (H, W) or (Z, H, W), from 0 to `most`.
        scale : tuple of float
            Of each axis, in napari's world.
        most : float
            The value of the last colour.
        """
        layer = self._layers.get(values.ndim)
        is_new = layer is None or layer not in self._viewer.layers
        if layer is None or is_new:
            layer = self._viewer.add_image(
                values,
                name=self._name,
                contrast_limits=(0.0, most),
                scale=scale,
                colormap=self._colours,
                opacity=0.6,
            )
            self._layers[values.ndim] = layer
        else:
            layer.data = values
            layer.contrast_limits = (0.0, most)
            name_and_scale(layer, self._name, scale)
        for other in self._layers.values():
            set_visible(other, other is layer)
        return layer, is_new

    def hide(self) -> None:
        """Show none."""
        for layer in self._layers.values():
            set_visible(layer, False)

    def forget(self) -> None:
        """Take the layers as removed."""
        self._layers = {}
