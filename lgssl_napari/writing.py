"""napari's way out: labels and their image, through the same table of exporters."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lgssl_napari.placing import Place, place_of_layer
from src_core.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from src_core.imaging import Picture

    LayerData = tuple[Any, dict[str, Any], str]

KINDS: Final = {
    ".ome.zarr": "ome-zarr",
    ".seg.dcm": "dicom-seg",
    ".json": "coco",
    ".csv": "table",
}
"""Endings of files that hold an image's masks together, and the exporter's name."""


def write(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write labels, with the image that they are drawn on where it is selected too.

    Parameters
    ----------
    path : str
        ``.nii``, ``.nii.gz`` or ``.png`` for the label values of one layer as they are;
        an ending of `KINDS` for an image with the masks of any number of layers, a
        target for each label.
    layers : sequence of (data, dict, str)
        As napari gives them. What our reader knew of a file is in its layer's
        metadata, so that a NIfTI gets the matrix of its source.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    UserError
        If the layers do not fit one another or the format; napari shows its sentence.
    """
    drawn = [layer for layer in layers if layer[2] == "labels"]
    images = [layer for layer in layers if layer[2] == "image"]
    if not drawn:
        raise BadInputError("Select a layer of labels as well; images alone are files.")
    shape = np.shape(drawn[0][0])
    unlike = next((one for one in drawn if np.shape(one[0]) != shape), None)
    if unlike is not None:
        raise BadInputError(
            f"'{unlike[1].get('name')}' has another shape than the others; "
            "select layers of one image."
        )
    picture = _picture(drawn[0], images[0] if images else None)
    ending = next((end for end in KINDS if path.lower().endswith(end)), "")
    if ending:
        return _write_together(Path(path), ending, picture, drawn)
    from src_core.imaging import write_labels

    if len(drawn) > 1:
        raise BadInputError(
            f"'{Path(path).name}' holds one layer of labels, and {len(drawn)} are "
            f"selected; choose one, or an ending of {', '.join(KINDS)}."
        )
    write_labels(path, np.asarray(drawn[0][0]), like=picture)
    return [path]


def _picture(drawn: LayerData, image: LayerData | None) -> Picture:
    """Return the image under the labels, or one of no pixels of their shape."""
    from src_core.imaging import Picture as Made

    shape = np.shape(drawn[0])
    if len(shape) not in (2, 3):
        raise BadInputError(
            f"'{drawn[1].get('name')}' has {len(shape)} axes; write one time point, "
            "over y and x or z, y and x."
        )
    source = image or drawn
    place = place_of_layer(source[1], len(shape))
    if not place.orientation:
        # an image that another program opened does not know it, the labels may
        place = _better(place, place_of_layer(drawn[1], len(shape)))
    pixels: NDArray[Any] = np.broadcast_to(np.zeros((), np.uint8), shape)
    axes = place.axes
    if image is not None:
        pixels, axes = _pixels(image, place.axes)
    if pixels.shape[len(pixels.shape) - len(shape) :] != shape:
        raise BadInputError(
            f"'{drawn[1].get('name')}' of shape {shape} is not drawn on "
            f"'{source[1].get('name')}' of shape {pixels.shape}; select its own image."
        )
    return Made(
        pixels,
        axes,
        place.spacing,
        place.unit,
        place.origin or (0.0,) * len(place.axes),
        place.orientation,
        str(source[1].get("name") or "image"),
        direction=place.direction,
        modality=place.modality,
        reference=place.reference,
    )


def _better(one: Place, other: Place) -> Place:
    return other if other.orientation and not one.orientation else one


def _pixels(image: LayerData, space: str) -> tuple[NDArray[Any], str]:
    """Return an image layer's pixels with colours, where it has any, first."""
    pixels = np.asarray(image[0])
    if image[1].get("rgb"):
        return np.moveaxis(pixels, -1, 0), f"c{space}"
    return pixels, space if pixels.ndim == len(space) else f"c{space}"


def _write_together(
    path: Path, ending: str, picture: Picture, drawn: Sequence[LayerData]
) -> list[str]:
    from src_core.imaging import ExportItem, export

    if path.exists():
        raise BadInputError(f"'{path}' is there already; choose another name.")
    masks: dict[str, NDArray[np.uint8]] = {}
    for layer in drawn:
        for name, mask in _masks(layer, len(drawn) > 1):
            # a segmentation may have a segment for each lesion, all of one name
            masks[name] = masks[name] | mask if name in masks else mask
    item = ExportItem("image", picture, masks)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".lgssl-") as folder:
        written = export(KINDS[ending], [item], folder)
        if not written:
            raise BadInputError("Nothing is drawn in the selected layers.")
        os.replace(written[0], path)
    return [str(path)]


def _masks(layer: LayerData, several: bool) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return a mask for each label of a layer, by the name that the layer gives it."""
    labels, about, _ = layer
    labels = np.asarray(labels)
    values = [int(value) for value in np.unique(labels) if value]
    own = str(about.get("name") or "labels")
    features = about.get("features")
    named: dict[int, str] = {}
    if features is not None and {"index", "target"} <= set(features):
        pairs = zip(features["index"], features["target"], strict=False)
        named = {int(index): str(name) for index, name in pairs if name}
    if not values:
        return [(own, np.zeros(labels.shape, np.uint8))]
    single = own if len(values) == 1 else ""
    return [
        (
            named.get(value) or single or f"{own} {value}",
            (labels == value).astype(np.uint8),
        )
        for value in values
    ]
