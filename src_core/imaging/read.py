"""One way in for images and for masks, whatever the format: the table of readers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from src_core.errors import BadInputError, UserError
from src_core.geometry import spatial_axes
from src_core.imaging.base import DEFAULT_OPTIONS, Picture, Reader, ReadOptions
from src_core.imaging.coco_read import CocoReader
from src_core.imaging.dicom import DicomReader
from src_core.imaging.fit import Fitted, fit
from src_core.imaging.itk import ItkReader
from src_core.imaging.nifti import NiftiReader
from src_core.imaging.omezarr import OmeZarrReader
from src_core.imaging.raster import RasterReader
from src_core.imaging.slides import SlideReader
from src_core.imaging.sources import CHANNELS, Source
from src_core.imaging.tiff import TiffReader
from src_core.imaging.windows import guess_modality

if TYPE_CHECKING:
    from pathlib import Path

READERS: tuple[Reader, ...] = (
    OmeZarrReader(),
    NiftiReader(),
    ItkReader(),
    # before TIFF: many slides are TIFF files too
    SlideReader(),
    TiffReader(),
    RasterReader(),
    # last: it looks into files whose name says nothing
    DicomReader(),
)
"""The first that can read a file reads it."""

MASK_READERS: tuple[Reader, ...] = (*READERS, CocoReader())
"""The same for masks, of which some formats hold nothing else."""


def read_image(
    source: str | Path | Source, options: ReadOptions = DEFAULT_OPTIONS
) -> Picture:
    """Decode an image of any supported format.

    Real numbers come as float32, and those that are not finite as 0: many programs
    mark the outside by them.

    Parameters
    ----------
    source : str, Path or Source
        A file, a folder that is one image, or a part of either.
    options : ReadOptions
        How to read; the source says which part.

    Raises
    ------
    BadInputError
        If there is no such file, its format is not supported, it holds several
        images and none is named, or it is damaged or larger than
        `MAX_DECODED_BYTES` decoded.
    MissingExtraError
        If its format needs an optional library.
    """
    source = Source.of(source)
    path = source.path
    reader = reader_for(path, MASK_READERS if options.labels else READERS)
    if source.part or source.files:
        options = replace(options, part=source.part, files=source.files)
    if options.part == CHANNELS and options.files:
        return _stacked(source, options)
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
    source: str | Path | Source,
    value: int | tuple[int, ...] | None = None,
    *,
    like: Picture | None = None,
) -> np.ndarray:
    """Decode a mask; see `load_mask`, which also tells what was done to it.

    Returns
    -------
    uint8 array
        0 and 1, over the spatial axes.
    """
    return load_mask(source, value, like=like).mask


def load_mask(
    source: str | Path | Source,
    value: int | tuple[int, ...] | None = None,
    *,
    like: Picture | None = None,
) -> Fitted:
    """Decode a mask and lay it over its image.

    Parameters
    ----------
    source : str, Path or Source
        A mask or a label map, of any supported format.
    value : int, tuple of int or None
        The label that means the target, or several; None: anything that is not 0. In
        a file with lossy compression None means the upper half of the values.
    like : Picture, optional
        The image that the mask belongs to. Where both know their place in the
        patient, the mask is moved to where it lies; otherwise it must have the
        image's size.

    Returns
    -------
    Fitted
        0 and 1 over the spatial axes, and what a person should know about it.

    Raises
    ------
    BadInputError
        As `read_image`; and if a label is asked of colours or of a file with lossy
        compression, or the mask does not fit the image.
    """
    source = Source.of(source)
    path = source.path
    one = value if isinstance(value, int) else None
    picture = read_image(source, ReadOptions(labels=True, value=one))
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
    instead: tuple[int, ...] = ()
    if value is not None:
        marked, mask = mask, np.isin(labels, value)
        if marked.any() and not mask.any():
            instead = (int(labels[marked].min()), int(labels[marked].max()))
    if mask.ndim > len(spatial_axes(picture.axes)):
        mask = mask.any(axis=0)
    drawn = np.ascontiguousarray(mask, dtype=np.uint8)
    fitted = Fitted(drawn) if like is None else fit(path, drawn, picture, like)
    return fitted._replace(instead=instead)


def can_read(path: Path) -> bool:
    """Whether a reader takes the file, by its name or its first bytes."""
    return any(reader.can_read(path) for reader in READERS)


def reader_for(path: Path, readers: tuple[Reader, ...] = READERS) -> Reader:
    """Return the first reader of a table that takes a file.

    Raises
    ------
    BadInputError
        If there is no such file, or its format is not supported.
    """
    if not path.exists():
        raise BadInputError(f"There is no file '{path}'; check the path.")
    for reader in readers:
        if reader.can_read(path):
            return reader
    known = ", ".join(reader.name for reader in readers)
    raise BadInputError(
        f"'{path}' is of no supported format ({known}); convert it to one of them."
    )


def _stacked(source: Source, options: ReadOptions) -> Picture:
    """Read files of one size as the channels of one picture."""
    alone = replace(options, part="", files=())
    pictures = [read_image(path, alone) for path in source.files]
    first = pictures[0]
    for path, picture in zip(source.files, pictures, strict=True):
        if picture.axes not in ("yx", "zyx") or picture.pixels.shape != (
            first.pixels.shape
        ):
            raise BadInputError(
                f"'{path}' has the axes {picture.axes} and the shape "
                f"{picture.pixels.shape}, and cannot be a channel beside "
                f"'{source.files[0]}' of {first.pixels.shape}; export both anew."
            )
    pixels = np.stack([picture.pixels for picture in pictures])
    return replace(first, pixels=pixels, axes=f"c{first.axes}")


def _plain(picture: Picture) -> Picture:
    """Bring real numbers to finite float32, and say what took it where values tell."""
    pixels = picture.pixels
    if pixels.dtype.kind == "f":
        with np.errstate(over="ignore"):
            # what no float32 can hold is infinite there, and so becomes 0
            pixels = pixels.astype(np.float32, copy=False)
        if not np.isfinite(pixels).all():
            pixels = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
    modality = picture.modality or guess_modality(pixels)
    if pixels is picture.pixels and modality == picture.modality:
        return picture
    return replace(picture, pixels=pixels, modality=modality)


def _middle(labels: np.ndarray) -> float:
    if labels.dtype.kind in "iu":
        return float(np.iinfo(labels.dtype).max // 2)
    return float(labels.max()) / 2
