"""Images from files: one table of readers, one way in for images and for masks."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src_core.errors import BadInputError, UserError
from src_core.geometry import spatial_axes
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    MAX_DECODED_BYTES,
    Exporter,
    ExportItem,
    Picture,
    Reader,
    ReadOptions,
)
from src_core.imaging.dicom import DicomReader
from src_core.imaging.nifti import NiftiReader
from src_core.imaging.omezarr import OmeZarrReader
from src_core.imaging.raster import RasterReader
from src_core.imaging.space import affine_of, reorient
from src_core.imaging.table import RowProblem, TableRow, parse_table, read_table
from src_core.imaging.tiff import TiffReader
from src_core.imaging.write import EXPORTERS, export, write_mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "EXPORTERS",
    "MAX_DECODED_BYTES",
    "READERS",
    "ExportItem",
    "Exporter",
    "Picture",
    "ReadOptions",
    "Reader",
    "RowProblem",
    "TableRow",
    "affine_of",
    "can_read",
    "export",
    "find_images",
    "parse_table",
    "read_image",
    "read_mask",
    "read_table",
    "write_mask",
]

READERS: tuple[Reader, ...] = (
    OmeZarrReader(),
    NiftiReader(),
    TiffReader(),
    RasterReader(),
    # last: it looks into files whose name says nothing
    DicomReader(),
)
"""The first that can read a file reads it."""


def read_image(path: str | Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
    """Decode an image of any supported format.

    Real numbers come as float32, and those that are not finite as 0: many programs
    mark the outside by them.

    Raises
    ------
    BadInputError
        If there is no such file, its format is not supported, or it is damaged or
        larger than `MAX_DECODED_BYTES` decoded.
    MissingExtraError
        If its format needs an optional library.
    """
    path = Path(path)
    reader = _reader_for(path)
    try:
        picture = reader.read(path, options)
    except BadInputError as error:
        if str(path) in str(error):
            raise
        raise BadInputError(f"'{path}' could not be read: {error}.") from error
    except UserError:
        raise
    except Exception as error:
        # a damaged file makes the libraries raise anything from KeyError to
        # struct.error; to the user they all mean the same
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        raise BadInputError(
            f"'{path}' could not be read as {reader.name}: {reason}. It is damaged or "
            "of another format; copy or export it again."
        ) from error
    return _plain(picture)


def read_mask(
    path: str | Path, value: int | None = None, *, like: Picture | None = None
) -> np.ndarray:
    """Decode a mask.

    Parameters
    ----------
    path : str or Path
        A mask or a label map, of any supported format.
    value : int or None
        The label that means the target; None: anything that is not 0. In a file
        with lossy compression None means the upper half of the values.
    like : Picture, optional
        The image that the mask belongs to. The mask must have its size, and where
        both know their orientation the mask is turned to lie as the image does.

    Returns
    -------
    uint8 array
        0 and 1, over the spatial axes.

    Raises
    ------
    BadInputError
        As `read_image`; and if a label is asked of colours or of a file with lossy
        compression, or the mask does not fit the image.
    """
    path = Path(path)
    picture = read_image(path, ReadOptions(labels=True))
    labels = picture.pixels
    if "c" in picture.axes and (labels == labels[:1]).all():
        labels = labels[0]
    if picture.lossy and value is not None:
        raise BadInputError(
            f"'{path}' is compressed with loss, so label {value} cannot be told from "
            "its neighbours; save the mask as PNG or NIfTI."
        )
    if labels.ndim > len(spatial_axes(picture.axes)) and value is not None:
        raise BadInputError(
            f"'{path}' is a colour picture, in which label {value} has no meaning; "
            "save the mask as a picture with one channel, or leave the value empty."
        )
    mask = labels > _middle(labels) if picture.lossy else labels != 0
    if value is not None:
        mask = labels == value
    if mask.ndim > len(spatial_axes(picture.axes)):
        mask = mask.any(axis=0)
    mask = np.ascontiguousarray(mask, dtype=np.uint8)
    return mask if like is None else _fitted(path, mask, picture, like)


def can_read(path: str | Path) -> bool:
    """Whether a reader takes the file, by its name or its first bytes."""
    return any(reader.can_read(Path(path)) for reader in READERS)


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """List the files that a reader takes, in folders and below, sorted by path.

    An OME-Zarr folder counts as one image, and nothing is looked for inside it;
    hidden files are left out. A path that is named itself is always listed.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir() and not READERS[0].can_read(path):
            found.extend(sorted(_walk(path)))
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _walk(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if can_read(path):
            yield path
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(path)


def _reader_for(path: Path) -> Reader:
    if not path.exists():
        raise BadInputError(f"There is no file '{path}'; check the path.")
    for reader in READERS:
        if reader.can_read(path):
            return reader
    known = ", ".join(reader.name for reader in READERS)
    raise BadInputError(
        f"'{path}' is of no supported format ({known}); convert it to one of them."
    )


def _plain(picture: Picture) -> Picture:
    """Bring real numbers to finite float32."""
    pixels = picture.pixels
    if pixels.dtype.kind != "f":
        return picture
    with np.errstate(over="ignore"):
        # what no float32 can hold is infinite there, and so becomes 0
        pixels = pixels.astype(np.float32, copy=False)
    if not np.isfinite(pixels).all():
        pixels = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
    return replace(picture, pixels=pixels)


def _middle(labels: np.ndarray) -> float:
    if labels.dtype.kind in "iu":
        return float(np.iinfo(labels.dtype).max // 2)
    return float(labels.max()) / 2


def _fitted(
    path: Path, mask: np.ndarray, picture: Picture, like: Picture
) -> np.ndarray:
    """Turn the mask to lie as the image does; refuse another size."""
    wanted = tuple(
        n for a, n in zip(like.axes, like.pixels.shape, strict=True) if a != "c"
    )
    if mask.ndim == len(like.orientation) and picture.orientation and like.orientation:
        try:
            mask = reorient(mask, picture.orientation, like.orientation)
        except BadInputError as error:
            raise BadInputError(
                f"'{path}' does not fit '{like.name}': {error}."
            ) from error
    if mask.ndim == 3 and len(wanted) == 2 and mask.shape[0] == 1:
        mask = mask[0]
    if mask.shape != wanted:
        raise BadInputError(
            f"The mask '{path}' has the shape {mask.shape}, and its image "
            f"'{like.name}' has {wanted}; give the mask of this very image."
        )
    return np.ascontiguousarray(mask)
