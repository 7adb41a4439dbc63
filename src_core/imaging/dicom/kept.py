"""What of a DICOM header is kept: an allow-list, and no name of a patient.

Nothing leaves this package but pixels, their place, and what `Reference` lists. The
patient's identifier becomes a pseudonym that cannot be turned back.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ALLOWED: Final = (
    # what the pixels are
    "SOPClassUID",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "LossyImageCompression",
    "BurnedInAnnotation",
    # how to show them
    "WindowCenter",
    "WindowWidth",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    # where they are
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PatientOrientation",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "SequenceOfUltrasoundRegions",
    "SliceThickness",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    # which pictures belong together, and in what order
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "SeriesNumber",
    "InstanceNumber",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "EchoTime",
    "DiffusionBValue",
    "FrameIncrementPointer",
)
"""The only tags that the readers look at, besides the pixels and a segmentation's own.
`PatientID` is hashed, and with `PatientName` compared with names of files."""

IDENTIFYING: Final = ("PatientID", "PatientName")
"""Looked at, and never kept as they are."""


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


def patient_of(data: Any) -> str:
    """Return the patient's identifier, the name where there is none, or ``""``."""
    for tag in IDENTIFYING:
        value = str(data.get(tag, "") or "").strip()
        if value:
            return value
    return ""


def safe_name(name: str, data: Any) -> str:
    """Return a name to show: the file's own, unless it gives the patient away.

    Parameters
    ----------
    name : str
        Of the file or the folder.
    data : Dataset
        Its header.

    Returns
    -------
    str
        `name`, or one made of the modality and the series' number.
    """
    if not _gives_away(name, data):
        return name
    kind = str(data.get("Modality", "") or "DICOM")
    return f"{kind} series {data.get('SeriesNumber') or 0}".strip()


def _gives_away(name: str, data: Any) -> bool:
    """Whether a name has a piece of an identifier in it, or all of a short one."""
    spoken = _pieces(name)
    squeezed = "".join(_words(name))
    for tag in IDENTIFYING:
        # a name may stand there in several scripts
        for told in str(data.get(tag, "") or "").split("="):
            words = _words(told)
            whole = "".join(words)
            if any(len(one) >= 3 and one in spoken for one in (*words, whole)):
                return True
            if len(whole) < (3 if whole.isascii() else 2):
                continue
            if spoken.issuperset(words):
                return True
            # one word, or a number, is also a part of words that name nobody
            distinct = not whole.isdigit() and (len(words) > 1 or not whole.isascii())
            orders = (whole, "".join(reversed(words)))
            if distinct and any(one in squeezed for one in orders):
                return True
    return False


def _pieces(text: str) -> frozenset[str]:
    """Return the words of a text, also where only capitals or digits part them."""
    words = _words(text)
    parted = _words(re.sub(r"(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)", " ", _bent(text)))
    return frozenset((*words, *parted, "".join(words)))


def _bent(text: str) -> str:
    """Return a text with a blank before each capital that follows a small letter."""
    before = f" {text}"
    return "".join(
        f" {letter}" if letter.isupper() and last.islower() else letter
        for last, letter in zip(before, text, strict=False)
    )


def _words(text: str) -> list[str]:
    """Return the words of a text without case and accents, which systems drop."""
    plain = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.findall(r"[^\W_]+", bare.casefold())


def notes_of(headers: Iterable[Any]) -> tuple[str, ...]:
    """Return what a person should know about pictures, a sentence each."""
    burned = any(
        str(data.get("BurnedInAnnotation", "") or "").upper() == "YES"
        for data in headers
    )
    return ("its file says that text is burned into the pixels, maybe a name",) * burned
