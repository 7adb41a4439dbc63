"""Which plane of a volume is visible, and turning to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lgssl_napari.placing import Place, for_layer

if TYPE_CHECKING:
    import numpy as np
    from napari.viewer import Viewer
    from numpy.typing import NDArray


class Planes:
    """The slider of a volume, in planes of the image and not of napari's world.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The open window.

    Attributes
    ----------
    place : Place
        Where the image lies.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.place = Place("yx", (1.0, 1.0))

    @property
    def visible(self) -> int | None:
        """The plane that is seen; None for a flat image."""
        if len(self.place.axes) < 3:
            return None
        dims = self._viewer.dims
        at = float(dims.point[dims.ndim - 3])
        return round((at - self._first()) / self.place.spacing[0])

    def turn_to(self, plane: int) -> None:
        """Show a plane of the volume."""
        at = self._first() + plane * self.place.spacing[0]
        self._viewer.dims.set_point(self._viewer.dims.ndim - 3, at)

    def turn_to_most(self, mask: NDArray[np.uint8]) -> None:
        """Show the plane with most of a mask, where the visible one has none of it.

        Parameters
        ----------
        mask : ndarray
            0 and 1, (Z, Y, X); of a flat image nothing is done.
        """
        if mask.ndim < 3:
            return
        here = self.visible or 0
        sizes = mask.sum(axis=(1, 2))
        if sizes.any() and not (0 <= here < len(sizes) and sizes[here]):
            self.turn_to(int(sizes.argmax()))

    def _first(self) -> float:
        """Where the first plane lies on the world's axis."""
        return float(for_layer(self.place, 3)["affine"][0, 3])
