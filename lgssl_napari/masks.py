"""Layers of masks on a napari viewer: made once for each role, and refilled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lgssl_napari.looks import LABEL, name_and_scale, set_visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Labels
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    Mask = NDArray[np.uint8]


class MaskLayers:
    """One layer a role for flat images, and one for volumes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The open window.
    begin : callable
        Gets each layer that is made, before it is filled for the first time.
    """

    def __init__(self, viewer: Viewer, begin: Callable[[Labels], None]) -> None:
        self._viewer, self._begin = viewer, begin
        self._layers: dict[tuple[str, int], Labels] = {}

    @property
    def layers(self) -> list[Labels]:
        """Those that were made, shown or hidden."""
        return list(self._layers.values())

    def find(self, role: str, ndim: int) -> Labels | None:
        """Return the layer of a role; None where it is not made, or was removed."""
        layer = self._layers.get((role, ndim))
        return layer if layer is not None and layer in self._viewer.layers else None

    def fill(
        self, role: str, mask: Mask, name: str, scale: tuple[float, ...]
    ) -> Labels:
        """Return the layer of a role with a mask in it; made where it is missing.

        Parameters
        ----------
        role : str
            What the layer is for.
        mask : ndarray
            Over the image's spatial shape.
        name : str
            What the list of layers says.
        scale : tuple of float
            Of the image's spatial axes.
        """
        layer = self.find(role, mask.ndim)
        if layer is None:
            layer = self._make(role, mask, name=name, scale=scale)
        else:
            layer.editable = True  # data of a locked layer may not be replaced
            layer.data = mask
            name_and_scale(layer, name, scale)
        for (other, ndim), made in self._layers.items():
            if other == role and ndim != mask.ndim:
                set_visible(made, False)
        return layer

    def make(self, role: str, ndim: int) -> Labels:
        """Make the layer of a role ahead of time, hidden and empty."""
        return self._make(role, np.zeros((1,) * ndim, np.uint8), visible=False)

    def hide(self, role: str) -> None:
        """Hide what there is of a role."""
        for (other, _), made in self._layers.items():
            if other == role:
                set_visible(made, False)

    def forget(self) -> None:
        """Take the layers as removed."""
        self._layers = {}

    def _make(self, role: str, mask: Mask, **given: Any) -> Labels:
        layer = self._viewer.add_labels(mask, opacity=0.5, **{"name": role, **given})
        layer.selected_label = LABEL
        self._layers[role, mask.ndim] = layer
        self._begin(layer)
        return layer
