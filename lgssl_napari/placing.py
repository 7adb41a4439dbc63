"""Where a layer lies: the patient's axes in napari's words, and back.

napari draws a layer's second-last axis downwards and its last to the right. World axes
are named by the stored ones and grow towards the patient's Left, Posterior and, in
planes that stand upright, Inferior: so right is on the left of the screen and the head
on top, as radiologists expect, whichever way the voxels are stored. Layers of one scan
that are stored differently fall on one another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.imaging.space import columns_of
from src_core.imaging.turn import on_screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Layer
    from numpy.typing import NDArray

    from src_core.imaging.base import Reference
    from src_core.imaging.space import Placed

KEPT: Final = "lgssl"
"""Where a layer's metadata holds its `Place`, for whoever writes it to a file."""

_WORLD: Final = {"L": 0, "R": 0, "P": 1, "A": 1, "S": 2, "I": 2}
_GROWING: Final = "LPS"


@dataclass(frozen=True, slots=True)
class Place:
    """What a file says about where its pixels are; see `src_core.imaging.Picture`.

    Attributes
    ----------
    axes : str
        ``"yx"`` or ``"zyx"``.
    spacing, unit, origin, orientation, direction, modality, reference
        As in `Picture`.
    """

    axes: str
    spacing: tuple[float, ...]
    unit: str = "pixel"
    origin: tuple[float, ...] = ()
    orientation: str = ""
    direction: tuple[float, ...] = ()
    modality: str = ""
    reference: Reference | None = None

    @classmethod
    def of(cls, placed: Any) -> Place:
        """Return the place of a picture, or of a project's image."""
        axes = placed.axes.removeprefix("c")
        return cls(
            axes,
            placed.spacing or (1.0,) * len(axes),
            placed.unit,
            placed.origin,
            placed.orientation,
            placed.direction,
            placed.modality,
            getattr(placed, "reference", None),
        )


def arguments(
    place: Place, ndim: int, first: str = "", *, oblique: bool = True
) -> dict[str, Any]:
    """Return ``scale``, ``affine``, ``units`` and ``axis_labels`` of a layer.

    Parameters
    ----------
    place : Place
        Of the pixels.
    ndim : int
        Of the layer; axes before the spatial ones have no unit.
    first : str
        Names of those axes.
    oblique : bool
        Whether oblique axes lie as they do. napari cannot paint across them, so layers
        that are painted on take the nearest straight axes.
    """
    more = ndim - len(place.axes)
    affine = np.eye(ndim + 1)
    affine[more:, more:] = _affine(place, oblique=oblique)
    return {
        "scale": (1.0,) * more + place.spacing,
        "affine": affine,
        "units": ("pixel",) * more + (place.unit,) * len(place.axes),
        "axis_labels": (*first.rjust(more, "c")[:more], *place.axes),
    }


def _affine(place: Place, *, oblique: bool) -> NDArray[np.float64]:
    """Return the matrix from millimetres along the axes to the world's."""
    count = len(place.axes)
    affine = np.eye(count + 1)
    origin = place.origin or (0.0,) * count
    if not place.orientation:
        affine[:count, count] = origin
        return affine
    letters = on_screen(place.orientation)
    signs = [1.0 if letter in _GROWING else -1.0 for letter in letters]
    for axis, (stored, letter) in enumerate(
        zip(place.orientation, letters, strict=True)
    ):
        affine[axis, axis] = 1.0 if stored == letter else -1.0
        affine[axis, count] = origin[axis] * signs[axis]
    if place.direction and oblique and count == 3:
        columns, at = columns_of(_as_placed(place))
        rows = [_WORLD[letter] for letter in letters]
        turned = columns[rows] * np.asarray(signs)[:, None]
        affine[:3, :3] = turned / np.asarray(place.spacing)
        affine[:3, 3] = at[rows] * signs
    return affine


def _as_placed(place: Place) -> Placed:
    return place


def for_layer(place: Place, ndim: int) -> dict[str, Any]:
    """Return the arguments of a layer that is painted on, of any number of axes.

    A layer with fewer axes than the image, hidden meanwhile, lies in its plane: layers
    elsewhere would widen the view.
    """
    whole = arguments(place, max(ndim, len(place.axes)), oblique=False)
    return {
        "scale": whole["scale"][-ndim:],
        "affine": whole["affine"][-ndim - 1 :, -ndim - 1 :],
        "units": whole["units"][-ndim:],
        "axis_labels": whole["axis_labels"][-ndim:],
    }


def upright(place: Place, shape: tuple[int, ...]) -> tuple[Any, Place]:
    """Return how to turn pixels upright, and where they lie then.

    For what shows several pictures side by side as one layer, which would mirror their
    order.

    Parameters
    ----------
    place : Place
        Of the pixels.
    shape : tuple of int
        Of its spatial axes.

    Returns
    -------
    index : tuple
        Takes the pixels, whatever axes come before the last two.
    place : Place
        Of the pixels after that; axes that are oblique are straight there.
    """
    if not place.orientation:
        return (...,), place
    letters = on_screen(place.orientation)
    origin = list(place.origin or (0.0,) * len(shape))
    slices = []
    for axis in (-2, -1):
        turned = place.orientation[axis] != letters[axis]
        slices.append(slice(None, None, -1) if turned else slice(None))
        if turned:
            sign = 1.0 if place.orientation[axis] in _GROWING else -1.0
            origin[axis] += sign * (shape[axis] - 1) * place.spacing[axis]
    turned_to = place.orientation[:-2] + letters[-2:]
    moved = replace(place, orientation=turned_to, origin=tuple(origin), direction=())
    return (..., *slices), moved


def settle(layer: Layer, wanted: Mapping[str, Any]) -> None:
    """Put a layer in its place where it is not: each change redraws all of it."""
    if tuple(str(unit) for unit in layer.units) != wanted["units"]:
        layer.units = wanted["units"]
    if tuple(layer.axis_labels) != wanted["axis_labels"]:
        layer.axis_labels = wanted["axis_labels"]
    if not np.array_equal(layer.scale, wanted["scale"]):
        layer.scale = wanted["scale"]
    if not np.array_equal(np.asarray(layer.affine), wanted["affine"]):
        layer.affine = wanted["affine"]


def place_of_layer(about: Mapping[str, Any], ndim: int) -> Place:
    """Return where a layer's pixels lie, as far as it tells.

    Parameters
    ----------
    about : mapping
        What napari gives a writer.
    ndim : int
        Of the pixels without colours, 2 or 3.
    """
    kept = about.get("metadata", {}).get(KEPT)
    if isinstance(kept, Place) and len(kept.axes) == ndim:
        return kept
    scale = tuple(abs(float(s)) for s in np.ravel(about.get("scale", ())))[-ndim:]
    units = {str(unit) for unit in (about.get("units") or ())[-ndim:]}
    unit = units.pop() if len(units) == 1 else "pixel"
    known = unit if unit in ("millimeter", "micrometer") else "pixel"
    return Place("zyx"[-ndim:], scale or (1.0,) * ndim, known)
