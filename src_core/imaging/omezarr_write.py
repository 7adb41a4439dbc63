"""OME-Zarr 0.5: the image, and a label group for each target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError
from src_core.imaging.names import Names
from src_core.imaging.omezarr import ORIENTATIONS, OWN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from src_core.imaging.base import ExportItem, Picture

_KINDS = {"c": "channel", "z": "space", "y": "space", "x": "space"}
_CHUNK = 512

ORANGE = [255, 140, 0, 255]


def export_ome_zarr(items: Iterable[ExportItem], out: Path) -> list[Path]:
    """Write ``OUT/IMAGE.ome.zarr`` with ``labels/TARGET``, one level each.

    Axes say how they lie in the patient as OME's RFC-4 has it, where that is known.
    OME-Zarr has no word for oblique axes: they are written as the nearest straight
    ones, and their true direction beside them, where `OmeZarrReader` finds it.

    Raises
    ------
    BadInputError
        If such a folder is there already: nothing is overwritten.
    """
    written = []
    names = Names()
    for item in items:
        path = out / f"{names.new(item.stem)}.ome.zarr"
        if path.exists():
            raise BadInputError(
                f"'{path}' is there already; export into an empty folder."
            )
        _write(path, item)
        written.append(path)
    return written


def _write(path: Path, item: ExportItem) -> None:
    import zarr

    picture = item.picture
    whole = {"version": "0.5", "multiscales": [_multiscale(picture, picture.axes)]}
    attributes: dict[str, Any] = {"ome": whole}
    if picture.direction:
        attributes[OWN] = {"direction": list(picture.direction)}
    group = zarr.create_group(str(path), attributes=attributes)
    _array(group, picture.pixels, picture.axes)
    if not item.masks:
        return
    names = Names()
    folders = {names.new(target): mask for target, mask in item.masks.items()}
    labels = group.create_group(
        "labels", attributes={"ome": {"version": "0.5", "labels": list(folders)}}
    )
    space = picture.axes.removeprefix("c")
    for name, mask in folders.items():
        about: dict[str, Any] = {
            "version": "0.5",
            "multiscales": [_multiscale(picture, space)],
            "image-label": {
                "source": {"image": "../../"},
                "colors": [{"label-value": 1, "rgba": ORANGE}],
            },
        }
        label = labels.create_group(name, attributes={**attributes, "ome": about})
        _array(label, (mask != 0).astype(np.uint8), space)


def _array(group: Any, pixels: np.ndarray, axes: str) -> None:
    chunks = tuple(
        min(length, _CHUNK) if axis in "yx" else 1
        for axis, length in zip(axes, pixels.shape, strict=True)
    )
    group.create_array("0", data=pixels, chunks=chunks, dimension_names=list(axes))


def _multiscale(picture: Picture, axes: str) -> dict[str, Any]:
    space = picture.axes.removeprefix("c")
    letters = dict(zip(space, picture.orientation, strict=False))
    size = dict(zip(space, picture.spacing, strict=True)) | {"c": 1.0}
    # a place is counted the way its axis grows
    shift = {
        axis: -start if letters.get(axis, "") in tuple("RAI") else start
        for axis, start in zip(space, picture.origin, strict=True)
    } | {"c": 0.0}
    named = []
    for axis in axes:
        entry: dict[str, Any] = {"name": axis, "type": _KINDS[axis]}
        if axis != "c" and picture.unit != "pixel":
            entry["unit"] = picture.unit
        if axis in letters:
            value = ORIENTATIONS[letters[axis]]
            entry["orientation"] = {"type": "anatomical", "value": value}
        named.append(entry)
    steps = [
        {"type": "scale", "scale": [size[axis] for axis in axes]},
        {"type": "translation", "translation": [shift[axis] for axis in axes]},
    ]
    return {
        "name": picture.name,
        "axes": named,
        "datasets": [{"path": "0", "coordinateTransformations": steps}],
    }
