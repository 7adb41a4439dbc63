"""DICOM files made for the tests."""

from __future__ import annotations

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")

from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, generate_uid  # noqa: E402

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
SAGITTAL = (0, 1, 0, 0, 0, -1)


def dataset(stored, sop_class=SECONDARY, **tags):
    """Return a DICOM picture with these stored values, (Y, X) or (Y, X, 3)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    data = Dataset()
    data.file_meta = meta
    data.SOPClassUID = sop_class
    data.SOPInstanceUID = generate_uid()
    data.Rows, data.Columns = stored.shape[:2]
    data.SamplesPerPixel = 3 if stored.ndim == 3 else 1
    if stored.ndim == 3:
        data.PlanarConfiguration = 0
    data.PhotometricInterpretation = "RGB" if stored.ndim == 3 else "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = stored.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    data.PixelData = stored.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    return data


def save(path, stored, sop_class=SECONDARY, **tags):
    """Write such a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset(stored, sop_class, **tags).save_as(path, enforce_file_format=True)


def save_series(
    folder,
    volume,
    *,
    step=2.0,
    across_down=AXIAL,
    origin=(-10.0, -20.0, 30.0),
    spacing=(0.5, 0.25),
    shear=0.0,
    names=None,
    **tags,
):
    """Write a volume (Z, Y, X) as a CT series; slice z lies z steps along the normal.

    Files are named against the order of their positions unless `names` says otherwise.
    """
    vectors = np.array(across_down, float).reshape(2, 3)
    normal = np.cross(*vectors) * step + vectors[1] * shear
    common = {
        "Modality": "CT",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": "1.2.3.4",
        "PatientID": "4711",
        "PatientName": "Muster^Erika",
        "ImageOrientationPatient": list(across_down),
        "PixelSpacing": list(spacing),
        "SliceThickness": abs(step),
        "RescaleSlope": "1",
        "RescaleIntercept": "-1024",
    } | tags
    paths = []
    for z, plane in enumerate(volume):
        name = names[z] if names else f"IM{len(volume) - z:04d}.dcm"
        place = (np.array(origin) + z * normal).round(6).tolist()
        own = {
            tag: value[z]
            if isinstance(value, list | tuple) and tag in PER_SLICE
            else value
            for tag, value in common.items()
        }
        paths.append(folder / name)
        save(paths[-1], plane, CT, ImagePositionPatient=place, **own)
    return paths


PER_SLICE = frozenset(
    {"RescaleSlope", "TriggerTime", "InstanceNumber", "SOPInstanceUID"}
)


def save_frames(path, volume, *, step=2.0, order=None, placed=True, **tags):
    """Write a volume as one file of frames, in any order; enhanced CT if placed."""
    order = range(len(volume)) if order is None else order
    data = dataset(volume[list(order)][0], ENHANCED_CT if placed else SECONDARY, **tags)
    data.NumberOfFrames = len(volume)
    data.PixelData = volume[list(order)].tobytes()
    if placed:
        shared, plane, measures = Dataset(), Dataset(), Dataset()
        plane.ImageOrientationPatient = list(AXIAL)
        measures.PixelSpacing, measures.SliceThickness = [0.5, 0.25], step
        shared.PlaneOrientationSequence = [plane]
        shared.PixelMeasuresSequence = [measures]
        data.SharedFunctionalGroupsSequence = [shared]
        groups = []
        for z in order:
            place, group = Dataset(), Dataset()
            place.ImagePositionPatient = [-10.0, -20.0, 30.0 + z * step]
            group.PlanePositionSequence = [place]
            groups.append(group)
        data.PerFrameFunctionalGroupsSequence = groups
    data.save_as(path, enforce_file_format=True)
