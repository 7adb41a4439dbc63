"""NIfTI-1, NIfTI-2 and FreeSurfer's MGH volumes, through nibabel."""

from __future__ import annotations

import logging
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    PACKED_AT_MOST,
    Picture,
    ReadOptions,
    check_claim,
    check_size,
    has_suffix,
)
from src_core.imaging.sources import CHANNELS, Source, series_in_time, wanted_number
from src_core.imaging.space import Place, place_of

if TYPE_CHECKING:
    from pathlib import Path

_ZIPPED = (".gz", ".mgz")
_UNITS = {"mm": 1.0, "unknown": 1.0, "micron": 1e-3, "meter": 1e3}


class NiftiReader:
    """A volume as it is stored: no voxel is moved, the orientation says how it lies.

    The array is turned over from NIfTI's (x, y, z) to (z, y, x). Unnamed units count
    as millimetres, which is what the programs that leave them out mean. Of a series
    of volumes (4-D) one is read, the one that is named. Comments in the header are
    not kept: they may name the patient.
    """

    name = "NIfTI or MGH"
    suffixes = (".nii", ".nii.gz", ".mgh", ".mgz")
    folders = False

    def can_read(self, path: Path) -> bool:
        """See `Reader`."""
        return has_suffix(path, self.suffixes)

    def sources(self, path: Path) -> list[Source]:
        """See `Reader`."""
        count = prod(_load(path).shape[3:])
        return series_in_time(path, "volume", count)

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        image = _load(path)
        shape = (*image.shape[:3], 1, 1, 1)[:3]
        count = prod(image.shape[3:])
        stored = np.dtype(image.get_data_dtype())
        if stored.kind not in "iufb":
            raise BadInputError(
                f"'{path}' stores values of type {stored}; save it as a volume of "
                "whole or real numbers."
            )
        check_size(path, shape, max(stored.itemsize, 4))
        claimed = prod(shape) * count * stored.itemsize
        check_claim(path, claimed, _held(path) - int(image.dataobj.offset))
        together = options.part == CHANNELS and count > 1
        if together:
            check_size(path, (*shape, count), max(stored.itemsize, 4))
            pixels = _values(image, None).reshape((*shape, count)).transpose(3, 2, 1, 0)
        else:
            number = wanted_number(options.part, "volume", count, str(path))
            pixels = _values(image, number).reshape(shape).transpose(2, 1, 0)
        if options.labels and stored.kind in "iu":
            pixels = _as_drawn(pixels, abs(float(image.dataobj.slope)))
        place, unit = _place(path, image)
        alone = together or count == 1
        return Picture(
            pixels=np.ascontiguousarray(pixels),
            axes="czyx" if together else "zyx",
            spacing=place.spacing,
            unit=unit,
            origin=place.origin,
            orientation=place.orientation,
            name=path.name if alone else f"{path.name} {options.part}",
            direction=place.direction,
        )


def _load(path: Path) -> Any:
    try:
        import nibabel
    except ImportError as error:
        raise MissingExtraError(f"Reading '{path}'", "nifti") from error
    # What it mends in a header it also logs, and nobody could tell of which file.
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    # into memory: a mapped file that is cut off meanwhile kills the process
    return nibabel.load(path, mmap=False)


def _held(path: Path) -> int:
    """Return how many bytes of header and voxels a file can hold."""
    packed = PACKED_AT_MOST if has_suffix(path, _ZIPPED) else 1
    return path.stat().st_size * packed


def _values(image: Any, number: int | None) -> np.ndarray[Any, Any]:
    """Voxels after slope and intercept; whole numbers stay whole where they can."""
    proxy = image.dataobj
    where: tuple[Any, ...] = (...,)
    if len(image.shape) > 3 and number is not None:
        where = (..., *np.unravel_index(number, image.shape[3:]))
    slope, inter = float(proxy.slope), float(proxy.inter)
    found = np.asarray(proxy[where])
    if (slope, inter) == (1.0, 0.0):
        return found.astype(found.dtype.newbyteorder("="), copy=False)
    whole = slope.is_integer() and inter.is_integer()
    if whole and image.get_data_dtype().kind in "iu":
        for kind in (np.int16, np.int32):
            limits = np.iinfo(kind)
            if limits.min <= found.min() and found.max() <= min(limits.max, 2**24):
                return found.astype(kind)
    return found.astype(np.float32)


def _as_drawn(labels: np.ndarray[Any, Any], step: float) -> np.ndarray[Any, Any]:
    """Return labels that are whole again where storing them has moved them.

    A program that writes labels as real numbers below a header of whole ones lets the
    library stretch them over all of these: label 1 comes back as 0.996 or 1.00002.

    Parameters
    ----------
    labels : ndarray
        After slope and intercept.
    step : float
        From one stored value to the next; what was drawn is at most half of it away.
    """
    if labels.dtype.kind != "f":
        return labels
    whole = np.rint(labels)
    return np.where(np.abs(labels - whole) < 0.75 * step, whole, labels)


def _place(path: Path, image: Any) -> tuple[Place, str]:
    """Place and unit of the voxels."""
    header = image.header
    named, known = "mm", True
    if hasattr(header, "get_xyzt_units") and "sform_code" in header:
        named = header.get_xyzt_units()[0]
        known = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    affine = np.array(image.affine, dtype=float)
    affine[:3] *= _UNITS.get(named, 1.0)
    try:
        place = place_of(affine)
    except BadInputError as error:
        raise BadInputError(f"'{path}': {error}.") from error
    if known:
        return place, "millimeter"
    # neither matrix is set: what is left and right is not known
    unknown = named == "unknown" and place.spacing == (1.0, 1.0, 1.0)
    lost = Place(place.spacing, (0.0, 0.0, 0.0), "", ())
    return lost, "pixel" if unknown else "millimeter"
