"""Single-frame DICOM files, through pydicom; no name of a patient leaves this file."""

from __future__ import annotations

import hashlib
import secrets
import warnings
from functools import cache
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
from src_core.imaging.space import letters_of

if TYPE_CHECKING:
    from pathlib import Path

# DICOM's letters for people on their feet, in the words of the table of orientations
_FEET = {"L": "L", "R": "R", "P": "P", "A": "A", "F": "I", "H": "S"}
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


class DicomReader:
    """One picture of one file, in the scanner's units (Hounsfield for CT).

    ``MONOCHROME1`` (white is nothing) is inverted over the stored range, so that
    bright is dense in every film. Kept of the header: pixel size, position,
    orientation; of the patient only a pseudonym. Several frames in a file are refused.
    """

    name = "DICOM"
    suffixes = (".dcm", ".dicom", ".ima")

    def can_read(self, path: Path) -> bool:
        """See `Reader`; scanners often write no suffix, then the mark at 128 counts."""
        if has_suffix(path, self.suffixes):
            return True
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        try:
            import pydicom
        except ImportError as error:
            raise MissingExtraError(f"Reading '{path}'", "dicom") from error
        with warnings.catch_warnings():
            # of tags that break the standard, and of none that is used here
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path)
            _check(path, data)
            pixels, axes = _decode(data)
            spacing = _spacing(data)
            orientation, origin = _place(data)
            patient = str(data.get("PatientID", "") or "")
            lossy = str(data.get("LossyImageCompression", "00")) == "01"
        return Picture(
            pixels=np.ascontiguousarray(pixels),
            axes=axes,
            spacing=spacing or (1.0, 1.0),
            unit="millimeter" if spacing else "pixel",
            origin=origin,
            orientation=orientation,
            name=path.name,
            group=pseudonym(patient, options.salt),
            lossy=lossy,
        )


def pseudonym(patient: str, salt: str = "") -> str:
    """Return a group that cannot be turned back into the patient's identifier.

    Parameters
    ----------
    patient : str
        Identifier as the hospital wrote it; empty gives ``""``.
    salt : str
        The project's secret. Without one a secret of this process is taken, because
        hashes of short numbers without a secret can be guessed.
    """
    if not patient.strip():
        return ""
    key = (salt or _process_salt()).encode()
    digest = hashlib.blake2b(patient.strip().encode(), key=key[:64], digest_size=8)
    return f"patient-{digest.hexdigest()}"


@cache
def _process_salt() -> str:
    return secrets.token_hex(16)


def _check(path: Path, data: Any) -> None:
    """Refuse what holds no single picture, and what cannot be decoded here."""
    from pydicom.pixels import get_decoder

    if "PixelData" not in data or "Rows" not in data or "Columns" not in data:
        raise BadInputError(
            f"'{path}' is a DICOM file without a picture (a report, or a list of "
            "files); choose the files of an image series."
        )
    frames = int(data.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise BadInputError(
            f"'{path}' holds {frames} frames; save the frame that is meant as a "
            "file of its own."
        )
    samples = int(data.get("SamplesPerPixel", 1))
    bits = int(data.get("BitsAllocated", 8))
    check_size(path, (data.Rows, data.Columns, samples), max(4, bits // 8))
    syntax = data.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_compressed or syntax.is_deflated:
        return
    if not get_decoder(syntax).is_available:
        raise MissingExtraError(f"The {syntax.name} compression of '{path}'", "dicom")


def _decode(data: Any) -> tuple[np.ndarray[Any, Any], str]:
    """Return pixels in the scanner's units, and their axes."""
    from pydicom.pixels import apply_color_lut, pixel_array

    pixels = np.asarray(pixel_array(data))
    kind = str(data.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        pixels = np.asarray(apply_color_lut(pixels, data))
    if pixels.ndim == 3:
        return pixels.transpose(2, 0, 1), "cyx"
    if kind == "MONOCHROME1":
        # v -> -1 - v over a signed range, 2^n - 1 - v over an unsigned one
        top = -1 if data.PixelRepresentation else 2 ** int(data.BitsStored) - 1
        pixels = (top - pixels.astype(np.int32)).astype(pixels.dtype)
    return _rescale(data, pixels), "yx"


def _rescale(data: Any, pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Slope and intercept; whole numbers stay whole in 16 bits where they fit."""
    slope = float(data.get("RescaleSlope", 1) or 1)
    inter = float(data.get("RescaleIntercept", 0) or 0)
    if (slope, inter) == (1.0, 0.0):
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    scaled = pixels.astype(np.float64) * slope + inter
    if slope.is_integer() and inter.is_integer() and np.abs(scaled).max() < 2**15:
        return scaled.astype(np.int16)
    return scaled.astype(np.float32)


def _spacing(data: Any) -> tuple[float, float] | None:
    """Size of a pixel down and across in millimetres, where the file tells."""
    for tag in _SPACINGS:
        value = data.get(tag)
        if value is not None and len(value) == 2 and min(map(float, value)) > 0:
            return float(value[0]), float(value[1])
    return None


def _place(data: Any) -> tuple[str, tuple[float, float]]:
    """Letters and origin of the axes y and x; ``""`` where the file does not tell."""
    across_down = data.get("ImageOrientationPatient")
    corner = data.get("ImagePositionPatient")
    if across_down is not None and len(across_down) == 6:
        vectors = np.array([float(v) for v in across_down]).reshape(2, 3)
        letters = letters_of(vectors[::-1].T)  # columns y, x
        if corner is None or len(corner) != 3:
            return letters, (0.0, 0.0)
        at = dict(zip("LPS", map(float, corner), strict=True))
        at |= {"R": at["L"], "A": at["P"], "I": at["S"]}
        return letters, (at[letters[0]], at[letters[1]])
    feet = data.get("PatientOrientation")
    if feet is not None and len(feet) == 2:
        letters = "".join(_FEET.get(str(value)[:1], "") for value in reversed(feet))
        if len(letters) == 2:
            return letters, (0.0, 0.0)
    return "", (0.0, 0.0)
