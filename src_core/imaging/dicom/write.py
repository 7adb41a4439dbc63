"""DICOM-SEG on the way out, through highdicom: masks as segments of their series."""

from __future__ import annotations

import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from src_core.imaging.base import ExportItem, Reference

PRODUCT: Final = "lgssl-napari"
SERIES_NUMBER: Final = 900
"""Above what scanners count up to, so that segmentations stand last in a study."""

PERSON: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
"""What makes an archive file a segmentation with its patient; copied only on demand."""

_ENHANCED: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2.1",
        "1.2.840.10008.5.1.4.1.1.4.1",
        "1.2.840.10008.5.1.4.1.1.130",
    }
)
_BODY: Final = ("123037004", "SCT", "Body structure")
_KNOWN: Final[dict[str, tuple[str, str, str]]] = {
    "liver": ("10200004", "SCT", "Liver"),
    "spleen": ("78961009", "SCT", "Spleen"),
    "pancreas": ("15776009", "SCT", "Pancreas"),
    "kidney": ("64033007", "SCT", "Kidney"),
    "lung": ("39607008", "SCT", "Lung"),
    "heart": ("80891009", "SCT", "Heart"),
    "brain": ("12738006", "SCT", "Brain"),
    "stomach": ("69695003", "SCT", "Stomach"),
    "prostate": ("41216001", "SCT", "Prostate"),
    "aorta": ("15825003", "SCT", "Aorta"),
    "gallbladder": ("28231008", "SCT", "Gallbladder"),
    "bone": ("272673000", "SCT", "Bone"),
}


def export_dicom_seg(items: Iterable[ExportItem], out: Path) -> list[Path]:
    """Write ``OUT/IMAGE.seg.dcm`` with a segment for each target that is there.

    A segment refers to the very slices that it was drawn on. A target that was looked
    for and is absent gives no segment: the format cannot say so. The patient is the
    project's pseudonym, unless `ExportItem.person` brings what the archive says.

    Raises
    ------
    BadInputError
        If an image does not come from DICOM, its identifiers were removed, or a file
        is there already.
    MissingExtraError
        If highdicom is not installed.
    """
    try:
        import highdicom
    except ImportError as error:
        raise MissingExtraError("Writing DICOM-SEG", "dicom-seg") from error
    written = []
    names = Names()
    for item in items:
        reference = _usable(item)
        path = out / f"{names.new(item.stem)}.seg.dcm"
        if path.exists():
            raise BadInputError(
                f"'{path}' is there already; export into an empty folder."
            )
        present = {name: mask for name, mask in item.masks.items() if mask.any()}
        if not present:
            continue
        with warnings.catch_warnings():
            # of values that break the standard in the source, and are copied as such
            warnings.simplefilter("ignore")
            segmentation = _segmentation(highdicom, item, reference, present)
            segmentation.save_as(path)
        written.append(path)
    return written


def _usable(item: ExportItem) -> Reference:
    reference = item.picture.reference
    name = item.picture.name
    if reference is None:
        raise BadInputError(
            f"'{name}' was not imported from DICOM, so there is no series that a "
            "DICOM-SEG could refer to; export it as nifti or ome-zarr."
        )
    if not (reference.study and reference.series and reference.sop_class):
        raise BadInputError(
            f"The identifiers of study or series of '{name}' were removed from its "
            "files, so a DICOM-SEG cannot refer to them; export it as nifti, or "
            "import the series as the archive has it."
        )
    return reference


def _segmentation(
    highdicom: Any,
    item: ExportItem,
    reference: Reference,
    masks: Mapping[str, np.ndarray],
) -> Any:
    from pydicom.uid import generate_uid

    shape = (len(reference.instances), reference.rows, reference.columns)
    stacked = np.zeros((*shape, len(masks)), np.uint8)
    for number, mask in enumerate(masks.values()):
        stacked[..., number] = mask.reshape(shape) != 0
    if reference.frames:
        # highdicom wants them in the file's order
        stacked = stacked[np.argsort(reference.frames)]
    return highdicom.seg.Segmentation(
        source_images=_sources(item, reference),
        pixel_array=stacked,
        segmentation_type="BINARY",
        segment_descriptions=[
            _description(highdicom, number, name)
            for number, name in enumerate(masks, 1)
        ],
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=_version(),
        device_serial_number="0",
        content_label="SEGMENTATION",
        content_description="Masks that a person has finished",
        series_description="Segmentation",
    )


def _version() -> str:
    try:
        return version(PRODUCT)
    except PackageNotFoundError:
        return "unknown"


def _description(highdicom: Any, number: int, name: str) -> Any:
    from pydicom.sr.coding import Code

    words = name.casefold().replace("-", " ").split()
    known = next((_KNOWN[word] for word in words if word in _KNOWN), _BODY)
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:64],
        segmented_property_category=Code(*_BODY),
        segmented_property_type=Code(*known),
        # a person has finished it, whoever proposed it
        algorithm_type="MANUAL",
        tracking_id=name[:64],
        tracking_uid=highdicom.UID(),
    )


def _sources(item: ExportItem, reference: Reference) -> list[Any]:
    """Return headers of the source slices: what the segmentation must repeat."""
    if reference.frames:
        return [_frames(item, reference)]
    return [_slice(item, reference, z) for z in range(len(reference.instances))]


def _common(item: ExportItem, reference: Reference) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SpecificCharacterSet = "ISO_IR 192"
    for tag in PERSON:
        setattr(data, tag, item.person.get(tag, ""))
    if not item.person:
        data.PatientID = item.picture.group
    data.StudyInstanceUID = reference.study
    data.SeriesInstanceUID = reference.series
    data.SOPClassUID = reference.sop_class
    data.Modality = item.picture.modality or "OT"
    data.Rows, data.Columns = reference.rows, reference.columns
    if reference.frame_of_reference:
        data.FrameOfReferenceUID = reference.frame_of_reference
        data.PositionReferenceIndicator = ""
    return data


def _slice(item: ExportItem, reference: Reference, z: int) -> Any:
    data = _common(item, reference)
    data.SOPInstanceUID = reference.instances[z]
    data.InstanceNumber = z + 1
    if reference.positions and reference.across_down:
        data.ImagePositionPatient = list(reference.positions[z])
        data.ImageOrientationPatient = list(reference.across_down)
    if reference.spacing:
        data.PixelSpacing = list(reference.spacing)
    data.SliceThickness = reference.thickness or ""
    return data


def _frames(item: ExportItem, reference: Reference) -> Any:
    """Describe the frames of one file, in the file's own order."""
    from pydicom.dataset import Dataset

    data = _common(item, reference)
    count = len(reference.frames)
    whole = sorted(reference.frames) == list(range(1, count + 1))
    if reference.sop_class not in _ENHANCED or not whole:
        raise BadInputError(
            f"'{item.picture.name}' is a frame of a film or one of several volumes in "
            "a file, and a DICOM-SEG can refer to a whole volume only; export it as "
            "png or nifti."
        )
    data.SOPInstanceUID = reference.instances[0]
    data.NumberOfFrames = count
    orientation, measures, shared = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = list(reference.across_down)
    measures.PixelSpacing = list(reference.spacing)
    measures.SliceThickness = reference.thickness or ""
    shared.PlaneOrientationSequence = [orientation]
    shared.PixelMeasuresSequence = [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for z in np.argsort(reference.frames):
        place, group = Dataset(), Dataset()
        place.ImagePositionPatient = list(reference.positions[z])
        group.PlanePositionSequence = [place]
        groups.append(group)
    data.PerFrameFunctionalGroupsSequence = groups
    return data
