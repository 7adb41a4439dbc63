"""How pixels and masks look in napari, and setters that redraw only what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image, Labels, Layer
    from numpy.typing import NDArray

# Told apart with the common colour blindnesses; what is warm is left to proposals, so
# that a model's opinion is never taken for a saved mask.
COLOURS = (
    "#56b4e9",
    "#009e73",
    "#cc79a7",
    "#8c7ae6",
    "#a6d854",
    "#e7298a",
    "#7fe5d8",
    "#b8c4ff",
    "#4f8f00",
    "#c49cde",
)
PROPOSED = "#ff9f1c"
UNKNOWN = "#ffffff"
INSIDE, OUTSIDE = "#00e5ff", "#ff3b30"
SHADES = "lgssl shades"
DOUBT: dict[str, Any] = {
    "name": "lgssl doubt",
    # Nothing where all agree: a map that is dark there would hide the picture.
    "colors": [(0.9, 0.1, 0.7, 0.0), (0.95, 0.2, 0.6, 0.8), (1.0, 0.95, 0.3, 1.0)],
}
LABEL = 1
LOOKED_AT = 200_000
OUTERMOST = (0.5, 99.5)
"""Percentiles that become black and white: one bright speck must not darken all."""


def colour_of(place: int) -> str:
    """Return the colour of the target at a place of the project's list."""
    return COLOURS[place % len(COLOURS)]


def name_and_scale(layer: Layer, name: str, scale: Any) -> None:
    """Set both where they differ: each event of a layer redraws all of it."""
    if layer.name != name:
        layer.name = name
    if not np.array_equal(layer.scale, scale):
        layer.scale = scale


def set_visible(layer: Layer, visible: bool) -> None:
    """Show or hide a layer where that changes anything."""
    if layer.visible != visible:
        layer.visible = visible


def put_away(layer: Layer) -> None:
    """Hide a layer and empty it, so that it widens neither the view nor the sliders.

    Emptied and not removed: removing a layer takes ten times as long.
    """
    set_visible(layer, False)
    ndim = len(layer.data.shape)
    shape = (
        (1,) * ndim if not getattr(layer, "rgb", False) else (1,) * (ndim - 1) + (3,)
    )
    if layer.data.shape != shape:
        layer.editable = True  # data of a locked layer may not be replaced
        layer.data = np.zeros(shape, layer.data.dtype)
        # A hidden layer goes on telling the size it had until its place is set.
        layer.scale = layer.scale


def paint_in(
    layer: Labels, shades: Mapping[int, str], names: Mapping[int, str]
) -> None:
    """Give each label its colour, and the name that is shown under the cursor.

    A label that is not named has the colour of the first. A new colormap is dear, so
    one is made only where it differs.
    """
    wanted = tuple(shades.items())
    if layer.metadata.get(SHADES) != wanted:
        layer.colormap = colours(shades)
        layer.metadata = {**layer.metadata, SHADES: wanted}
    # A row for what is not drawn, too: without one napari calls it "[No Properties]".
    labels, words = [0, *names], [None, *names.values()]
    known = layer.features
    if "target" not in known or list(known["target"]) != words:
        layer.features = {"index": labels, "target": words}


def colours(shades: Mapping[int, str]) -> Any:
    """Return a colormap with a colour a label, and nothing shown for 0."""
    from napari.utils.colormaps import DirectLabelColormap

    other = next(iter(shades.values()))
    table: dict[int | None, str] = {None: other, 0: "transparent"}
    table.update(shades.items())
    return DirectLabelColormap(color_dict=table)


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
    if is_colour(axes, pixels.shape, pixels.dtype):
        return np.moveaxis(pixels, 0, -1), True
    return pixels, False


def black_and_white(
    pixels: NDArray[np.generic], modality: str, window: str = ""
) -> tuple[float, float] | None:
    """Return the values to show as black and white; None where the data's own do.

    Parameters
    ----------
    pixels : ndarray
        Without colours.
    modality : str
        CT is shown in a window.
    window : str
        Its preset; ``""`` for the usual one.
    """
    from src_core.imaging.windows import DEFAULT, PRESETS

    if modality == "CT":
        return PRESETS[window or DEFAULT]
    if pixels.dtype == np.uint8 or not pixels.size:
        return None
    sample = pixels.reshape(-1)[:: max(1, pixels.size // LOOKED_AT)]
    low, high = np.percentile(sample.astype(np.float32), OUTERMOST)
    return (float(low), float(high)) if low < high else None


def shade(layer: Image, modality: str, window: str) -> None:
    """Show an image layer between :func:`black_and_white`."""
    limits = black_and_white(np.asarray(layer.data), modality, window)
    if limits is None:
        layer.reset_contrast_limits()
        return
    layer.reset_contrast_limits_range()
    layer.contrast_limits = limits


def is_colour(axes: str, shape: tuple[int, ...], dtype: Any) -> bool:
    """Return whether an image's channels are red, green and blue (and transparency)."""
    return axes[:1] == "c" and shape[0] in (3, 4) and np.dtype(dtype) == np.uint8
