"""OME-Zarr 0.4 and 0.5 folders, through zarr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    Picture,
    ReadOptions,
    check_size,
)
from src_core.imaging.sources import Source, series_in_time, wanted_number
from src_core.imaging.units import common_unit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ORIENTATIONS = {
    "L": "right-to-left",
    "R": "left-to-right",
    "P": "anterior-to-posterior",
    "A": "posterior-to-anterior",
    "S": "inferior-to-superior",
    "I": "superior-to-inferior",
}
"""RFC-4's words for how an axis lies, by the letter towards which it grows."""

OWN = "lgssl"
"""Where a group's attributes hold what OME-Zarr has no word for."""

_LETTERS = {word: letter for letter, word in ORIENTATIONS.items()}
_MARKS = ("zarr.json", ".zattrs", ".zgroup")


class OmeZarrReader:
    """The full-resolution level of an image group.

    A group inside of another one, such as ``image.zarr/labels/liver``, is read like
    any other. Read as labels, an image that holds exactly one label group gives
    that one.
    """

    name = "OME-Zarr"
    suffixes = (".zarr",)
    folders = True

    def can_read(self, path: Path) -> bool:
        """See `Reader`."""
        return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)

    def sources(self, path: Path) -> list[Source]:
        """See `Reader`."""
        array, names, _ = _array(path, *_image(path, labels=False))
        count = dict(zip(names, array.shape, strict=True)).get("t", 1)
        return series_in_time(path, "frame", count)

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        return _picture(path, *_image(path, labels=options.labels), options.part)


def _image(path: Path, *, labels: bool) -> tuple[Any, Mapping[str, Any]]:
    """Return the group of an image, and what it says of its first multiscale."""
    import zarr

    group = zarr.open_group(str(path), mode="r")
    if labels:
        group = _label_group(path, group)
    scales = _about(group).get("multiscales")
    if not isinstance(scales, list) or not scales:
        raise BadInputError(
            f"'{path}' has no 'multiscales', so it is no OME-Zarr image; choose "
            "the folder of one image (in a plate: a field of a well)."
        )
    return group, scales[0]


def _about(group: Any) -> Mapping[str, Any]:
    """Attributes of 0.4 (at the top), or of 0.5 (below ``ome``)."""
    attributes: dict[str, Any] = dict(group.attrs)
    inner = attributes.get("ome", attributes)
    return inner if isinstance(inner, dict) else {}


def _label_group(path: Path, group: Any) -> Any:
    if "image-label" in _about(group) or "labels" not in group:
        return group
    names = sorted(group["labels"].group_keys())
    if len(names) == 1:
        return group["labels"][names[0]]
    if not names:
        return group
    raise BadInputError(
        f"'{path}' holds the label images {', '.join(names)}; name one of them, such "
        f"as '{path}/labels/{names[0]}'."
    )


def _array(
    path: Path, group: Any, scale: Mapping[str, Any]
) -> tuple[Any, str, list[str]]:
    """Return the full-resolution array, its axes' names, and their units."""
    import zarr

    dataset = scale["datasets"][0]
    array = group.get(dataset["path"])
    if not isinstance(array, zarr.Array):
        raise BadInputError(
            f"'{path}' names an array '{dataset['path']}' that is not there; copy the "
            "folder again, whole."
        )
    axes = [_axis(axis) for axis in scale.get("axes", "tczyx"[-array.ndim :])]
    if len(axes) != array.ndim:
        raise BadInputError(
            f"'{path}' names {len(axes)} axes for an array of {array.ndim}; write it "
            "again with axes that fit."
        )
    return array, "".join(name[:1] for name, _ in axes), [unit for _, unit in axes]


def _picture(path: Path, group: Any, scale: Mapping[str, Any], part: str) -> Picture:
    array, names, units = _array(path, group, scale)
    lengths = dict(zip(names, array.shape, strict=True))
    count = lengths.get("t", 1)
    frame = wanted_number(part, "frame", count, str(path))
    shape = [1 if name == "t" else n for name, n in lengths.items()]
    check_size(
        path, array.shape if len(shape) < array.ndim else shape, array.dtype.itemsize
    )
    keep = [
        n
        for n, (name, length) in enumerate(zip(names, array.shape, strict=True))
        if name in "zyx" or (length > 1 and name != "t")
    ]
    kept = "".join(names[n] for n in keep)
    if kept not in ("yx", "zyx", "cyx", "czyx"):
        raise BadInputError(
            f"'{path}' has the axes {names} of lengths {array.shape}; save it with at "
            "most time, channels, z, y and x in this order."
        )
    where = tuple(frame if name == "t" else slice(None) for name in names)
    pixels = np.asarray(array[where]).reshape([array.shape[n] for n in keep])
    size, shift = _transforms(scale, scale["datasets"][0], array.ndim)
    space = [n for n in keep if names[n] in "zyx"]
    factors, unit = common_unit([units[n] for n in space])
    letters = _orientation(scale, space)
    signs = [-1.0 if letter in "RAI" else 1.0 for letter in letters or "S" * len(space)]
    return Picture(
        pixels=_plain(pixels),
        axes=kept,
        spacing=tuple(float(size[n] * f) for n, f in zip(space, factors, strict=True)),
        unit=unit,
        origin=tuple(
            float(shift[n] * f * sign)
            for n, f, sign in zip(space, factors, signs, strict=True)
        ),
        orientation=letters,
        name=path.name if count == 1 else f"{path.name} {part}",
        direction=_direction(group) if len(letters) == 3 else (),
    )


def _orientation(scale: Mapping[str, Any], space: list[int]) -> str:
    """Return the letters of the spatial axes, ``""`` unless all of them tell."""
    found = ""
    for n in space:
        axis = scale["axes"][n] if "axes" in scale else ""
        told = axis.get("orientation") if isinstance(axis, dict) else None
        found += _LETTERS.get(str((told or {}).get("value", "")), "")
    plain = found.translate(str.maketrans("RAI", "LPS"))
    return found if len(set(plain)) == len(space) == len(found) else ""


def _direction(group: Any) -> tuple[float, ...]:
    own = dict(group.attrs).get(OWN)
    values = own.get("direction", ()) if isinstance(own, dict) else ()
    return tuple(float(value) for value in values) if len(values) == 9 else ()


def _plain(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _axis(axis: Any) -> tuple[str, str]:
    """Name and unit; up to 0.3 an axis is its name alone."""
    if isinstance(axis, str):
        return axis, ""
    return str(axis["name"]), str(axis.get("unit", ""))


def _transforms(
    scale: Mapping[str, Any], dataset: Mapping[str, Any], ndim: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Voxel size and position of the first voxel: the array's steps, then the image's.

    Raises
    ------
    BadInputError
        If a step is neither a scale nor a translation, or of another length.
    """
    size, shift = np.ones(ndim), np.zeros(ndim)
    for source in (dataset, scale):
        for step in source.get("coordinateTransformations", []):
            kind = step.get("type")
            if kind == "identity":
                continue
            values = np.asarray(step.get(kind, []), dtype=float)
            if kind not in ("scale", "translation") or values.shape != (ndim,):
                raise BadInputError(
                    f"it has the transformation {step}, of which only a scale and a "
                    f"translation of {ndim} numbers can be taken"
                )
            if kind == "scale":
                size, shift = size * values, shift * values
            else:
                shift = shift + values
    if not (np.isfinite(size).all() and size.min() > 0 and np.isfinite(shift).all()):
        raise BadInputError(f"it has the voxel size {size.tolist()}, which cannot be")
    return size, shift
