"""DICOM pixels in the scanner's units, whatever they are compressed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.base import check_size
from src_core.imaging.dicom.headers import class_in_meta, frame_count, in_groups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_JPEGS = ("JPEG Baseline", "JPEG Extended")


def check_picture(path: Path, data: Any, slices: int = 1) -> None:
    """Refuse what holds no picture, claims too much, or cannot be decoded here.

    Parameters
    ----------
    path : Path
        For the message.
    data : Dataset
        With its pixels.
    slices : int
        How many such pictures will be held at once.

    Raises
    ------
    BadInputError
        If there is no picture, or it would be too large.
    MissingExtraError
        If its compression needs a codec that is not installed.
    """
    from pydicom.pixels import get_decoder
    from pydicom.uid import ImplicitVRLittleEndian

    if "PixelData" not in data or "Rows" not in data or "Columns" not in data:
        raise BadInputError(
            f"'{path}' is a DICOM file without a picture (a report, or a list of "
            f"files{_named(data)}); choose the files of an image series."
        )
    samples = int(data.get("SamplesPerPixel", 1))
    check_size(path, (slices, data.Rows, data.Columns, samples), item_bytes(data))
    if (
        not getattr(data, "file_meta", None)
        or "TransferSyntaxUID" not in data.file_meta
    ):
        # what a file without a preamble has to be
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    syntax = data.file_meta.TransferSyntaxUID
    if not syntax.is_compressed or syntax.is_deflated:
        return
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise BadInputError(
            f"'{path}' is compressed as '{syntax.name}', which nothing here can "
            "decode; export it again without compression."
        ) from error
    if not decoder.is_available:
        raise MissingExtraError(f"The {syntax.name} compression of '{path}'", "codecs")


def _named(data: Any) -> str:
    from pydicom.uid import UID

    name = UID(class_in_meta(data)).name
    return f": {name}" if name else ""


def item_bytes(data: Any) -> int:
    """Return how many bytes a decoded value takes at most."""
    bits = int(data.get("BitsAllocated", 8) or 8)
    slope, inter = rescale_of(data, None)
    whole = slope.is_integer() and inter.is_integer()
    return max(1, bits // 8) if whole else max(4, bits // 8)


def read_frame(data: Any, frame: int | None = None) -> tuple[NDArray[np.generic], str]:
    """Decode one picture.

    Parameters
    ----------
    data : Dataset
        With its pixels.
    frame : int, optional
        Which of several, from 0.

    Returns
    -------
    pixels : (H, W) or (3, H, W) array
        Bright is dense: ``MONOCHROME1`` (white is nothing) is inverted over the
        stored range. Hounsfield units for CT.
    axes : str
        ``"yx"`` or ``"cyx"``.
    """
    from pydicom.pixels import apply_color_lut, pixel_array

    index = frame if frame_count(data) > 1 else None
    pixels = np.asarray(pixel_array(data, index=index))
    kind = str(data.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        pixels = np.asarray(apply_color_lut(pixels, data))
    if pixels.ndim == 3:
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)), "cyx"
    if kind == "MONOCHROME1":
        top = inverted_top(data)
        pixels = (top - pixels.astype(np.int64)).astype(pixels.dtype)
    return _in_units(data, pixels, frame), "yx"


def inverted_top(data: Any) -> int:
    """Return T of T - v, which inverts stored values over their range."""
    return -1 if data.PixelRepresentation else 2 ** int(data.BitsStored) - 1


def rescale_of(data: Any, frame: int | None) -> tuple[float, float]:
    """Return slope and intercept, of the file or of one of its frames."""
    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    per_frame = data.get("PerFrameFunctionalGroupsSequence") or [None]
    own = per_frame[frame or 0] if len(per_frame) > (frame or 0) else None
    source = in_groups(own, shared, "PixelValueTransformationSequence")
    source = data if source is None else source
    slope, inter = source.get("RescaleSlope"), source.get("RescaleIntercept")
    return float(slope or 1), float(inter or 0)


def _in_units(
    data: Any, pixels: NDArray[Any], frame: int | None
) -> NDArray[np.generic]:
    """Apply the modality's table or slope; whole numbers stay whole where they fit."""
    from pydicom.pixels import apply_modality_lut

    if data.get("ModalityLUTSequence"):
        looked_up = np.asarray(apply_modality_lut(pixels, data))
        return looked_up.astype(looked_up.dtype.newbyteorder("="), copy=False)
    slope, inter = rescale_of(data, frame)
    if (slope, inter) == (1.0, 0.0):
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if slope.is_integer() and inter.is_integer():
        low, high = (
            int(value) * int(slope) + int(inter) for value in _extremes(pixels)
        )
        if min(low, high) >= -(2**15) and max(low, high) < 2**15:
            whole = pixels.astype(np.int32) * int(slope) + int(inter)
            return whole.astype(np.int16)
    return (pixels.astype(np.float64) * slope + inter).astype(np.float32)


def _extremes(pixels: NDArray[Any]) -> Sequence[int]:
    return int(pixels.min()), int(pixels.max())


def is_lossy(data: Any) -> bool:
    """Whether compression changed values, by the header or by its very kind."""
    syntax = str(getattr(data.file_meta.get("TransferSyntaxUID"), "name", ""))
    marked = str(data.get("LossyImageCompression", "00")) == "01"
    return marked or syntax.startswith(_JPEGS)


def window_of(data: Any) -> tuple[float, ...]:
    """Return the first window of a header as (black, white), or ``()``."""
    from pydicom.multival import MultiValue

    def first(tag: str) -> float | None:
        value = data.get(tag)
        if isinstance(value, MultiValue):
            value = value[0] if value else None
        return None if value in (None, "") else float(value)

    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    own = (data.get("PerFrameFunctionalGroupsSequence") or [None])[0]
    inner = in_groups(own, shared, "FrameVOILUTSequence")
    data = data if inner is None else inner
    centre, width = first("WindowCenter"), first("WindowWidth")
    if centre is None or width is None or width <= 0:
        return ()
    return centre - width / 2, centre + width / 2
