"""DICOM-SEG: segments as label values, each frame where its header places it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError
from src_core.imaging.base import Picture, ReadOptions, Reference, check_size
from src_core.imaging.dicom.headers import (
    Plane,
    frame_count,
    in_groups,
    load_header,
    planes_of,
    quiet_pydicom,
    spacing_of,
)
from src_core.imaging.dicom.kept import notes_of, patient_of, pseudonym, safe_name
from src_core.imaging.dicom.values import check_picture
from src_core.imaging.space import place_of_columns

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

UNEVEN = 0.1
"""Share of the slice distance that a frame may lie off the grid of all frames."""


@dataclass(frozen=True, slots=True)
class SegmentationInfo:
    """What a segmentation says about itself, without its pixels.

    Attributes
    ----------
    segments : dict of int to str
        Number to label.
    study, series : str
        Of the pictures that it was drawn on; ``""`` if it does not tell.
    instances : frozenset of str
        The files that it was drawn on.
    """

    segments: dict[int, str]
    study: str
    series: str
    instances: frozenset[str]


def read_segmentation_info(path: Path) -> SegmentationInfo:
    """Read which segments there are, and of which series.

    Raises
    ------
    BadInputError
        If the file is no DICOM segmentation.
    MissingExtraError
        If pydicom is not installed.
    """
    with quiet_pydicom(str(path)) as pydicom:
        data = pydicom.dcmread(path, stop_before_pixels=True)
        segments = _segments(data)
        if not segments:
            raise BadInputError(
                f"'{path}' is no DICOM segmentation; choose a DICOM-SEG file."
            )
        series = (data.get("ReferencedSeriesSequence") or [None])[0]
        uid = str(series.get("SeriesInstanceUID", "")) if series is not None else ""
        listed = series.get("ReferencedInstanceSequence") if series is not None else ()
        instances = {str(item.ReferencedSOPInstanceUID) for item in listed or ()}
        for group in data.get("PerFrameFunctionalGroupsSequence") or ():
            instances.add(_source_instance(group))
    return SegmentationInfo(
        segments,
        str(data.get("StudyInstanceUID", "") or ""),
        uid,
        frozenset(instances - {""}),
    )


def _segments(data: Any) -> dict[int, str]:
    return {
        int(item.SegmentNumber): str(item.get("SegmentLabel", "") or "").strip()
        or f"segment {item.SegmentNumber}"
        for item in data.get("SegmentSequence") or ()
        if int(item.SegmentNumber) > 0
    }


def _source_instance(group: Any) -> str:
    derivation = in_groups(group, None, "DerivationImageSequence")
    source = in_groups(derivation, None, "SourceImageSequence")
    return str(source.get("ReferencedSOPInstanceUID", "")) if source is not None else ""


def read_labels(path: Path, data: Any, options: ReadOptions) -> Picture:
    """Decode a segmentation into label values, one a segment.

    Parameters
    ----------
    path : Path
        For messages.
    data : Dataset
        With its pixels.
    options : ReadOptions
        With `value`, only that segment is read; without it, where segments overlap
        the later one is seen.

    Returns
    -------
    Picture
        A volume whose slices reach from the first frame's place to the last one's;
        slices between them that have no frame are empty.

    Raises
    ------
    BadInputError
        If the frames fit no grid, or there is no such segment.
    """
    segments = _segments(data)
    if options.value is not None and options.value not in segments:
        known = ", ".join(f"{n} ({label})" for n, label in segments.items())
        raise BadInputError(
            f"'{path}' has no segment {options.value}; it has {known or 'none'}."
        )
    check_picture(path, data)
    planes = planes_of(path, data)
    grid = _Grid.of(path, planes, data)
    kind = np.uint8 if max(segments, default=0) < 256 else np.uint16
    shape = (grid.count, int(data.Rows), int(data.Columns))
    check_size(path, shape, kind().itemsize)
    labels = np.zeros(shape, kind)
    for plane, slot in zip(planes, grid.slots, strict=True):
        _draw(labels[slot], data, plane, options.value)
    placed = planes[0].is_placed
    header = load_header(path)
    return Picture(
        pixels=labels if placed or grid.count > 1 else labels[0],
        axes="zyx" if placed or grid.count > 1 else "yx",
        spacing=grid.spacing if placed or grid.count > 1 else grid.spacing[1:],
        unit="millimeter" if placed else "pixel",
        origin=grid.origin if placed or grid.count > 1 else (0.0, 0.0),
        orientation=grid.orientation,
        name=safe_name(path.name, header),
        group=pseudonym(patient_of(header), options.salt),
        direction=grid.direction,
        modality="SEG",
        reference=_reference(data, grid),
        notes=notes_of([header]),
    )


def _draw(into: NDArray[Any], data: Any, plane: Plane, value: int | None) -> None:
    """Draw one frame, in place."""
    from pydicom.pixels import pixel_array

    index = plane.frame if frame_count(data) > 1 else None
    frame = np.asarray(pixel_array(data, index=index))
    kind = str(data.get("SegmentationType", "BINARY"))
    if kind == "LABELMAP":
        seen = frame != 0 if value is None else frame == value
        into[seen] = frame[seen]
        return
    number = _segment_of(data, plane.frame)
    if value is not None and number != value:
        return
    if kind == "FRACTIONAL":
        frame = frame >= (int(data.get("MaximumFractionalValue", 255)) + 1) // 2
    into[frame != 0] = number


def _segment_of(data: Any, frame: int) -> int:
    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    groups = data.get("PerFrameFunctionalGroupsSequence") or [None] * (frame + 1)
    found = in_groups(groups[frame], shared, "SegmentIdentificationSequence")
    return int(found.ReferencedSegmentNumber) if found is not None else 1


@dataclass(frozen=True, slots=True)
class _Grid:
    """The evenly spaced slices that frames lie on.

    Attributes
    ----------
    slots : list of int
        Slice of each frame.
    count : int
        Of slices.
    instances : list of str
        The picture that each slice was drawn on, ``""`` if unknown.
    """

    slots: list[int]
    count: int
    instances: list[str]
    spacing: tuple[float, ...] = (1.0, 1.0, 1.0)
    origin: tuple[float, ...] = (0.0, 0.0, 0.0)
    orientation: str = ""
    direction: tuple[float, ...] = ()

    @classmethod
    def of(cls, path: Path, planes: list[Plane], data: Any) -> _Grid:
        groups = data.get("PerFrameFunctionalGroupsSequence") or [None] * len(planes)
        kept = groups[: len(planes)]  # some writers describe frames that are not there
        sources = [_source_instance(group) if group else "" for group in kept]
        if not all(plane.is_placed for plane in planes):
            slots = _slots_of_instances(sources)
            return cls(slots, max(slots) + 1, _per_slot(slots, sources))
        normal = planes[0].normal
        along = np.array([float(np.dot(normal, p.position)) for p in planes])
        step = _step(along, data)
        slots = np.round((along - along.min()) / step).astype(int).tolist()
        off = np.abs(along - along.min() - np.asarray(slots) * step).max()
        if off > UNEVEN * step:
            raise BadInputError(
                f"'{path}' has frames that lie on no even grid; export it again on "
                "the slices of its images."
            )
        first = planes[int(np.argmin(along))]
        down_across = spacing_of(data) or (1.0, 1.0)
        across, down = np.asarray(first.across_down).reshape(2, 3)
        columns = [normal * step, down * down_across[0], across * down_across[1]]
        place = place_of_columns(np.stack(columns, 1), np.asarray(first.position))
        return cls(
            slots,
            max(slots) + 1,
            _per_slot(slots, sources),
            place.spacing,
            place.origin,
            place.orientation,
            place.direction,
        )


def _slots_of_instances(sources: list[str]) -> list[int]:
    """Put frames of one picture on one slice; those of none that is named, on one."""
    order = {instance: n for n, instance in enumerate(dict.fromkeys(sources))}
    return [order[instance] for instance in sources]


def _per_slot(slots: list[int], sources: list[str]) -> list[str]:
    found = [""] * (max(slots) + 1)
    for slot, source in zip(slots, sources, strict=True):
        found[slot] = found[slot] or source
    return found


def _step(along: NDArray[np.float64], data: Any) -> float:
    """Millimetres from slice to slice: the header's word, else the smallest gap."""
    places = np.unique(np.round(along, 3))
    smallest = float(np.diff(places).min()) if len(places) > 1 else 0.0
    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    first = (data.get("PerFrameFunctionalGroupsSequence") or [None])[0]
    measures = in_groups(first, shared, "PixelMeasuresSequence")
    for tag in ("SpacingBetweenSlices", "SliceThickness"):
        told = float((measures.get(tag) if measures is not None else 0) or 0)
        # the header is wrong where frames lie closer than it says
        if told > 0 and (not smallest or told <= smallest * (1 + UNEVEN)):
            steps = smallest / told
            if not smallest or abs(steps - round(steps)) < UNEVEN:
                return told
    return smallest or 1.0


def _reference(data: Any, grid: _Grid) -> Reference | None:
    series = (data.get("ReferencedSeriesSequence") or [None])[0]
    if series is None and not any(grid.instances):
        return None
    return Reference(
        study=str(data.get("StudyInstanceUID", "") or ""),
        series=str(series.get("SeriesInstanceUID", "")) if series is not None else "",
        frame_of_reference=str(data.get("FrameOfReferenceUID", "") or ""),
        sop_class="",
        instances=tuple(grid.instances),
        rows=int(data.Rows),
        columns=int(data.Columns),
    )
