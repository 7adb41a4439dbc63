"""NIfTI-1 and NIfTI-2 volumes, through nibabel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    Picture,
    ReadOptions,
    check_size,
    has_suffix,
)
from src_core.imaging.space import Place, place_of

if TYPE_CHECKING:
    from pathlib import Path

_GZIP_AT_MOST = 1100
"""DEFLATE packs at most 1032 to 1: a header that claims more than that is a lie."""

_UNITS = {"mm": 1.0, "unknown": 1.0, "micron": 1e-3, "meter": 1e3}


class NiftiReader:
    """A volume as it is stored: no voxel is moved, the orientation says how it lies.

    The array is turned over from NIfTI's (x, y, z) to (z, y, x). Unnamed units count
    as millimetres, which is what the programs that leave them out mean. Comments in
    the header are not kept: they may name the patient.
    """

    name = "NIfTI"
    suffixes = (".nii", ".nii.gz")

    def can_read(self, path: Path) -> bool:
        """See `Reader`."""
        return has_suffix(path, self.suffixes)

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        del options  # values are label values already, and there is no patient's name
        try:
            import nibabel
        except ImportError as error:
            raise MissingExtraError(f"Reading '{path}'", "nifti") from error
        # into memory: a mapped file that is cut off meanwhile kills the process
        image: Any = nibabel.load(path, mmap=False)
        shape = _volume_shape(path, image.shape)
        stored = np.dtype(image.get_data_dtype())
        if stored.kind not in "iufb":
            raise BadInputError(
                f"'{path}' stores values of type {stored}; save it as a volume of "
                "whole or real numbers."
            )
        _check_claim(path, image, shape, stored)
        pixels = _values(image).reshape(shape)
        place, unit = _place(path, image)
        return Picture(
            pixels=np.ascontiguousarray(pixels.transpose(2, 1, 0)),
            axes="zyx",
            spacing=place.spacing,
            unit=unit,
            origin=place.origin,
            orientation=place.orientation,
            name=path.name,
            direction=place.direction,
        )


def _volume_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Drop axes of length 1 beyond the third; add them up to it."""
    if len(shape) > 3 and max(shape[3:]) > 1:
        raise BadInputError(
            f"'{path}' holds {'x'.join(map(str, shape))} values, a series of volumes; "
            "save the volume that is meant as a file of its own."
        )
    x, y, z = (*shape[:3], 1, 1, 1)[:3]
    return x, y, z


def _check_claim(
    path: Path, image: Any, shape: tuple[int, int, int], stored: np.dtype[Any]
) -> None:
    """Compare the header's claim with the limit and with what the file can hold."""
    # scaled values are decoded to 4 bytes each
    size = check_size(path, shape, max(stored.itemsize, 4))
    claimed = size // max(stored.itemsize, 4) * stored.itemsize
    held = path.stat().st_size
    offset = int(image.dataobj.offset)
    if has_suffix(path, (".gz",)):
        held *= _GZIP_AT_MOST
    if claimed + offset > held:
        raise BadInputError(
            f"'{path}' claims {claimed:,} bytes of voxels, more than the file can "
            "hold; it is cut off or damaged, copy or export it again."
        )


def _values(image: Any) -> np.ndarray[Any, Any]:
    """Voxels after slope and intercept; whole numbers stay whole where they can."""
    slope, inter = float(image.dataobj.slope), float(image.dataobj.inter)
    if (slope, inter) == (1.0, 0.0):
        raw = np.asarray(image.dataobj.get_unscaled())
        return raw.astype(raw.dtype.newbyteorder("="), copy=False)
    scaled = np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))
    whole = slope.is_integer() and inter.is_integer()
    if whole and image.get_data_dtype().kind in "iu":
        for kind in (np.int16, np.int32):
            limits = np.iinfo(kind)
            if limits.min <= scaled.min() and scaled.max() <= min(limits.max, 2**24):
                return scaled.astype(kind)
    return scaled


def _place(path: Path, image: Any) -> tuple[Place, str]:
    """Place and unit of the voxels."""
    header = image.header
    named = header.get_xyzt_units()[0]
    factor = _UNITS.get(named, 1.0)
    known = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    affine = np.array(image.affine, dtype=float)
    affine[:3] *= factor
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
