"""One mask, or one label map, to a file; whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.base import has_suffix
from src_core.imaging.space import affine_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from src_core.imaging.space import Placed

MASK_SUFFIXES = (".png", ".nii.gz", ".nii")
_INSIDE = 255
"""What a mask's pixels are in a PNG: white, so that people see them."""


class _Plain(NamedTuple):
    """A place of which the spacing alone is known."""

    spacing: tuple[float, ...]
    unit: str = "millimeter"
    origin: tuple[float, ...] = ()
    orientation: str = ""
    direction: tuple[float, ...] = ()


def write_mask(
    path: str | Path,
    mask: np.ndarray,
    *,
    like: Placed | None = None,
    spacing: tuple[float, ...] | None = None,
) -> None:
    """Write a mask; missing folders are made.

    Parameters
    ----------
    path : str or Path
        ``.png`` (0 and 255; flat masks) or ``.nii``, ``.nii.gz`` (0 and 1).
    mask : (Y, X) or (Z, Y, X) array
        Anything that is not 0 belongs to it.
    like : picture or image, optional
        Where the mask lies; NIfTI gets the matrix that it was read with.
    spacing : tuple of float, optional
        Millimetres along the axes, where no `like` is at hand.

    Raises
    ------
    BadInputError
        If the suffix is another one, or PNG is asked to hold a volume.
    MissingExtraError
        If NIfTI's library is not installed.
    """
    path = Path(path)
    inside = _INSIDE if has_suffix(path, (".png",)) else 1
    # in place: a volume's mask in whole numbers of 8 bytes would be a gigabyte
    values = (mask != 0).view(np.uint8)
    values *= np.uint8(inside)
    _write(path, values, like, spacing)


def write_labels(
    path: str | Path, labels: np.ndarray, *, like: Placed | None = None
) -> None:
    """Write a label map with the values that it has; as `write_mask`.

    Parameters
    ----------
    path : str or Path
        As for `write_mask`.
    labels : (Y, X) or (Z, Y, X) array
        Whole numbers from 0 to 65535.
    like : picture or image, optional
        Where it lies.

    Raises
    ------
    BadInputError
        As `write_mask`; and if labels are below 0 or above 65535.
    """
    path = Path(path)
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if low < 0 or high >= 2**16:
        raise BadInputError(
            f"Labels from {low} to {high} cannot be written to '{path}'; number them "
            "from 0 to 65535."
        )
    kind = np.uint8 if high < 2**8 else np.uint16
    _write(path, np.asarray(labels).astype(kind), like, None)


def _write(
    path: Path,
    values: np.ndarray,
    like: Placed | None,
    spacing: tuple[float, ...] | None,
) -> None:
    if values.ndim not in (2, 3):
        raise BadInputError(
            f"A mask of shape {values.shape} cannot be written to '{path}'; give one "
            "over y and x, or z, y and x."
        )
    place = like or _Plain(
        spacing or (1.0,) * values.ndim, "millimeter" if spacing else "pixel"
    )
    write = _writer(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as part:
        write(part, values, place)


def _writer(path: Path) -> Callable[[Path, np.ndarray, Placed], None]:
    if has_suffix(path, (".png",)):
        return _write_png
    if has_suffix(path, (".nii", ".nii.gz")):
        return _write_nifti
    raise BadInputError(
        f"A mask cannot be written as '{path.name}'; end the name in "
        f"{' or '.join(MASK_SUFFIXES)}."
    )


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a name beside `path`; move the file there when it is complete."""
    part = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _write_png(path: Path, values: np.ndarray, place: Placed) -> None:
    from PIL import Image

    del place  # PNG has no word for it
    if values.ndim != 2:
        raise BadInputError(
            f"PNG holds one slice, the mask has {values.shape[0]}; write it as .nii.gz."
        )
    Image.fromarray(values).save(path, optimize=True)


def _write_nifti(path: Path, values: np.ndarray, place: Placed) -> None:
    try:
        import nibabel
    except ImportError as error:
        raise MissingExtraError("Writing NIfTI", "nifti") from error
    volume = values.reshape((1, *values.shape)[-3:]).transpose(2, 1, 0)
    affine = affine_of(place)
    image = nibabel.Nifti1Image(volume, affine)
    known = 1 if place.orientation else 0
    image.set_sform(affine, code=known)
    image.set_qform(affine, code=known, strip_shears=True)
    unit = {"millimeter": "mm", "micrometer": "micron"}.get(place.unit, "unknown")
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
