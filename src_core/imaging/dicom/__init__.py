"""DICOM: pictures, series, segmentations; through pydicom, and highdicom to write."""

from src_core.imaging.dicom.kept import ALLOWED, pseudonym
from src_core.imaging.dicom.reader import DicomReader
from src_core.imaging.dicom.series import Filed, Found, file_away, gather

__all__ = [
    "ALLOWED",
    "DicomReader",
    "Filed",
    "Found",
    "file_away",
    "gather",
    "pseudonym",
]
