"""DICOM headers: what a file holds, and where each of its slices lies."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.dicom.kept import ALLOWED, IDENTIFYING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MARK: Final = b"DICM"
SUFFIXES: Final = (".dcm", ".dicom", ".ima")
_SEGMENTATIONS: Final = frozenset(
    {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
)
_SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_REPEATS: Final = (
    "TemporalPositionIdentifier",
    "TriggerTime",
    "EchoTime",
    "DiffusionBValue",
    "AcquisitionNumber",
    "InstanceNumber",
)
_CENTIMETRES: Final = 3
_TISSUE: Final = 1


class Kind(StrEnum):
    """What a DICOM file is for us."""

    PICTURE = "picture"
    SEGMENTATION = "segmentation"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice of a file, before it is decoded.

    Attributes
    ----------
    path : Path
        Its file.
    frame : int
        Which of the file's frames, from 0.
    position : tuple of float
        Of the first pixel in L, P, S, in millimetres; ``()`` if unknown.
    across_down : tuple of float
        Unit vectors along a row and down a column; ``()`` if unknown.
    repeat : tuple of float
        Orders slices of the same position: in time, by echo, by diffusion.
    instance : str
        The file's own identifier.
    """

    path: Path
    frame: int
    position: tuple[float, ...]
    across_down: tuple[float, ...]
    repeat: tuple[float, ...]
    instance: str

    @property
    def is_placed(self) -> bool:
        """Whether the file tells where in the patient it lies."""
        return bool(self.position) and bool(self.across_down)

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector (3,) across the slice, in L, P, S."""
        vectors = np.asarray(self.across_down).reshape(2, 3)
        return np.asarray(np.cross(vectors[0], vectors[1]), dtype=np.float64)


def has_mark(path: Path) -> bool:
    """Whether a file begins as DICOM files do; scanners often write no suffix."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == MARK
    except OSError:
        return False


@contextmanager
def quiet_pydicom(what: str) -> Iterator[Any]:
    """Give pydicom, whose warnings are of tags that break the standard.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import pydicom
    except ImportError as error:
        raise MissingExtraError(f"Reading '{what}'", "dicom") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pydicom


def load_header(path: Path) -> Any:
    """Read what the allow-list names of a file, and no pixels."""
    tags = [*ALLOWED, *IDENTIFYING]
    with quiet_pydicom(str(path)) as pydicom:
        return pydicom.dcmread(
            path,
            stop_before_pixels=True,
            specific_tags=tags,
            force=lacks_mark(path),
        )


def lacks_mark(path: Path) -> bool:
    """Whether a file named as DICOM has no preamble: old archives wrote none."""
    return path.name.lower().endswith(SUFFIXES) and not has_mark(path)


def kind_of(data: Any) -> Kind:
    """Say what a file holds, by its header."""
    if str(data.get("SOPClassUID", "") or class_in_meta(data)) in _SEGMENTATIONS:
        return Kind.SEGMENTATION
    if data.get("Rows") and data.get("Columns"):
        return Kind.PICTURE
    return Kind.OTHER


def class_in_meta(data: Any) -> str:
    """What kind of object the file's own meta information says it is."""
    meta = getattr(data, "file_meta", None) or {}
    return str(meta.get("MediaStorageSOPClassUID", "") or "")


def instance_of(data: Any) -> str:
    """Return a file's identifier, which anonymisers often leave in one place only."""
    own = str(data.get("SOPInstanceUID", "") or "")
    meta = getattr(data, "file_meta", None) or {}
    return own or str(meta.get("MediaStorageSOPInstanceUID", "") or "")


def frame_count(data: Any) -> int:
    """Return how many frames a file claims."""
    return max(1, int(data.get("NumberOfFrames", 1) or 1))


def planes_of(path: Path, data: Any) -> list[Plane]:
    """Return the slices of a file, each with its place where the file tells it.

    Raises
    ------
    BadInputError
        If the file claims frames that its header does not describe.
    """
    instance = instance_of(data)
    count = frame_count(data)
    per_frame = data.get("PerFrameFunctionalGroupsSequence")
    if not per_frame:
        place = _numbers(data, "ImagePositionPatient", 3) if count == 1 else ()
        across = _numbers(data, "ImageOrientationPatient", 6)
        repeat = _repeat(data, None)
        return [
            Plane(path, frame, place, across, (*repeat, float(frame)), instance)
            for frame in range(count)
        ]
    if len(per_frame) < count:
        raise BadInputError(
            f"'{path}' claims {count} frames and describes {len(per_frame)}; it is "
            "damaged, copy it again."
        )
    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    planes = []
    for frame, group in enumerate(per_frame[:count]):
        where = in_groups(group, shared, "PlanePositionSequence")
        across = in_groups(group, shared, "PlaneOrientationSequence")
        planes.append(
            Plane(
                path,
                frame,
                _numbers(where, "ImagePositionPatient", 3),
                _numbers(across, "ImageOrientationPatient", 6),
                (*_repeat(data, group), float(frame)),
                instance,
            )
        )
    return planes


def in_groups(frame: Any, shared: Any, name: str) -> Any:
    """Return a functional group of a frame, its own or the shared one, or None."""
    for groups in (frame, shared):
        found = groups.get(name) if groups is not None else None
        if found:
            return found[0]
    return None


def spacing_of(data: Any) -> tuple[float, float] | None:
    """Size of a pixel down and across in millimetres, where the file tells."""
    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    first = (data.get("PerFrameFunctionalGroupsSequence") or [None])[0]
    for source in (in_groups(first, shared, "PixelMeasuresSequence"), data):
        for tag in _SPACINGS:
            value = _numbers(source, tag, 2)
            if value and min(value) > 0:
                return value[0], value[1]
    return _ultrasound_spacing(data)


def _ultrasound_spacing(data: Any) -> tuple[float, float] | None:
    """Read the scale of an ultrasound picture whose tissue regions have one scale."""
    found = set()
    for region in data.get("SequenceOfUltrasoundRegions") or ():
        units = (
            region.get("PhysicalUnitsXDirection"),
            region.get("PhysicalUnitsYDirection"),
        )
        if region.get("RegionDataType") != _TISSUE or units != (_CENTIMETRES,) * 2:
            continue
        outside = int(region.get("RegionLocationMaxX1", 0)) >= int(data.Columns) or int(
            region.get("RegionLocationMaxY1", 0)
        ) >= int(data.Rows)
        down, across = (
            abs(float(region.get(f"PhysicalDelta{axis}", 0))) * 10 for axis in "YX"
        )
        if outside or min(down, across) <= 0:
            # the picture was made smaller after the region was drawn
            return None
        found.add((down, across))
    return found.pop() if len(found) == 1 else None


def _repeat(data: Any, group: Any) -> tuple[float, ...]:
    """Return what orders slices of one position, as far as the header tells."""
    values = []
    for tag in _REPEATS:
        value = data.get(tag)
        try:
            values.append(float(value) if value not in (None, "") else 0.0)
        except (TypeError, ValueError):
            values.append(0.0)
    if group is not None:
        content = in_groups(group, None, "FrameContentSequence")
        index = content.get("TemporalPositionIndex") if content is not None else None
        values[0] = float(index or values[0])
    return tuple(values)


def _numbers(data: Any, tag: str, count: int) -> tuple[float, ...]:
    """Return a tag's numbers, or ``()`` where they are not there or not usable."""
    value = data.get(tag) if data is not None else None
    if value is None or isinstance(value, str) or not hasattr(value, "__len__"):
        return ()
    if len(value) != count:
        return ()
    numbers = tuple(float(v) for v in value)
    return numbers if np.isfinite(numbers).all() else ()
