"""Mixed DICOM files to series, and series to volumes, sorted by where slices lie."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.dicom.headers import (
    Kind,
    Plane,
    frame_count,
    kind_of,
    lacks_mark,
    load_header,
    planes_of,
)
from src_core.imaging.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SAME_DIRECTION: Final = 1e-3
"""Largest difference of direction cosines within a series: scanners round them."""

SAME_PLACE: Final = 0.01
"""Millimetres between slices that count as one place."""

UNEVEN: Final = 0.1
"""Share of the slice distance that a slice may lie off its place: a missing slice is
off by a whole one, rounded positions by a hundredth."""


@dataclass(frozen=True, slots=True)
class Filed:
    """A header as far as sorting needs it; small, so that it travels between processes.

    Attributes
    ----------
    path : Path
        The file.
    kind : Kind
        What it holds.
    series : str
        What makes files belong together: the series, or what is left of it.
    label : str
        The series' identifier as a part of a `Source`; ``""`` if unknown.
    shape : tuple of int
        Rows, columns, samples a pixel.
    planes : tuple of Plane
        Its slices.
    problem : str
        Why it cannot be used; nothing else is known then.
    """

    path: Path
    kind: Kind
    series: str = ""
    label: str = ""
    shape: tuple[int, ...] = ()
    planes: tuple[Plane, ...] = ()
    problem: str = ""


@dataclass(slots=True)
class Found:
    """What a search came upon.

    Attributes
    ----------
    sources : list of Source
        Pictures and volumes.
    segmentations : list of Path
        DICOM-SEG files, which are masks and no pictures.
    failed : list of (str, str)
        Files that cannot be used, and why.
    notes : list of (str, str)
        Files, and what a person should know of them.
    """

    sources: list[Source] = field(default_factory=list)
    segmentations: list[Path] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def file_away(path: Path) -> Filed:
    """Read a file's header; a broken one is told in `Filed.problem`."""
    try:
        return _filed(path, load_header(path))
    except MissingExtraError as error:
        return Filed(path, Kind.OTHER, problem=str(error))
    except Exception as error:
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        return Filed(
            path,
            Kind.OTHER,
            problem=f"'{path}' could not be read as DICOM: {reason}. It is damaged or "
            "of another format; copy or export it again.",
        )


def _filed(path: Path, data: Any) -> Filed:
    kind = kind_of(data)
    if kind is Kind.OTHER and lacks_mark(path):
        raise BadInputError("it begins with no DICOM header")
    planes = planes_of(path, data) if kind is Kind.PICTURE else []
    if kind is Kind.PICTURE and frame_count(data) == 1 and not planes[0].is_placed:
        planes = []
    uid = str(data.get("SeriesInstanceUID", "") or "")
    # an anonymiser may have blanked the identifiers: then a series is what lies in one
    # folder, in one frame of reference, of one scan
    left = (str(data.get(tag, "") or "") for tag in ("FrameOfReferenceUID", "Modality"))
    series = uid or "/".join((str(path.parent), *left))
    shape = (
        int(data.get("Rows") or 0),
        int(data.get("Columns") or 0),
        int(data.get("SamplesPerPixel", 1) or 1),
    )
    return Filed(path, kind, series, uid, shape, tuple(planes))


def gather(filed: Iterable[Filed]) -> Found:
    """Sort headers into series, and each series into volumes.

    Parameters
    ----------
    filed : iterable of Filed
        Of any number of mixed series, in any order.

    Returns
    -------
    Found
        A source for each volume and each lone picture, in the order of their paths.
    """
    found = Found()
    stacks: dict[tuple[Any, ...], list[Filed]] = {}
    for one in sorted(filed, key=lambda one: str(one.path)):
        if one.problem:
            found.failed.append((str(one.path), one.problem))
        elif one.kind is Kind.SEGMENTATION:
            found.segmentations.append(one.path)
        elif one.kind is Kind.PICTURE and len(one.planes) == 1:
            _beside_its_own(stacks, one).append(one)
        elif one.kind is Kind.PICTURE:
            _add_alone(found, one)
    names = _numbered(stacks.values())
    for files, (part, _) in zip(stacks.values(), names, strict=True):
        _add_stack(found, files, part)
    found.sources.sort(key=lambda source: source.order)
    return found


def _beside_its_own(
    stacks: dict[tuple[Any, ...], list[Filed]], one: Filed
) -> list[Filed]:
    """Return the list of slices of the same series that lie parallel to this one."""
    across = np.asarray(one.planes[0].across_down)
    for (series, shape, direction), files in stacks.items():
        near = np.abs(across - np.asarray(direction)).max() < SAME_DIRECTION
        if (series, shape) == (one.series, one.shape) and near:
            return files
    return stacks.setdefault((one.series, one.shape, tuple(across.tolist())), [])


def _numbered(stacks: Iterable[list[Filed]]) -> list[tuple[str, int]]:
    """Name each stack by its series, and by a number where a series has several."""
    named: list[tuple[str, int]] = []
    counts: dict[str, int] = {}
    for files in stacks:
        label = files[0].label or "unnamed"
        number = counts.get(label, 0)
        counts[label] = number + 1
        part = f"series={label}" + (f"&stack={number}" if number else "")
        named.append((part, number))
    return named


def _add_alone(found: Found, one: Filed) -> None:
    """Add a picture without a place, or a file with several frames."""
    try:
        volumes = volumes_of(one.planes) if one.planes else [[]]
    except BadInputError as error:
        reason = f"'{one.path}' {error}."
        found.failed.append((str(one.path), reason))
        return
    word = "frame" if one.planes and not one.planes[0].is_placed else "volume"
    count = len(volumes)
    found.sources.extend(
        Source(one.path, f"{word}={n}" if count > 1 else "", (), n, count)
        for n in range(count)
    )


def _add_stack(found: Found, files: list[Filed], part: str) -> None:
    if len(files) == 1:
        found.sources.append(Source(files[0].path))
        return
    folder = _common_folder([one.path for one in files])
    try:
        volumes = volumes_of([one.planes[0] for one in files])
    except BadInputError as error:
        what = f"'{folder}#{part}'"
        found.failed.append((f"{folder}#{part}", f"{what} {error}."))
        return
    copies = len(files) - sum(map(len, volumes))
    if copies:
        note = f"{copies} of its {len(files)} files are copies of others"
        found.notes.append((f"{folder}#{part}", note))
    whole = Source(folder, part, count=len(volumes))
    for number, volume in enumerate(volumes):
        paths = tuple(plane.path for plane in volume)
        which = f"{part}&volume={number}" if len(volumes) > 1 else part
        if len(paths) == 1:
            found.sources.append(replace(whole, path=paths[0], part="", number=number))
        else:
            found.sources.append(replace(whole, part=which, files=paths, number=number))


def _common_folder(paths: Sequence[Path]) -> Path:
    folder = paths[0].parent
    while not all(path.is_relative_to(folder) for path in paths):
        folder = folder.parent
    return folder


def volumes_of(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Sort slices into volumes by where they lie, and by time where places repeat.

    Parameters
    ----------
    planes : sequence of Plane
        Parallel ones of one series, in any order.

    Returns
    -------
    list of list of Plane
        Each volume's slices, along the direction that rows and columns span (for an
        axial scan from the feet to the head). Frames without a place are a volume of
        one slice each: they follow one another in time.

    Raises
    ------
    BadInputError
        If a slice is missing, or places repeat unevenly. Without its subject.
    """
    if not all(plane.is_placed for plane in planes):
        return [[plane] for plane in planes]
    planes = _without_copies(planes)
    normal = planes[0].normal
    along = np.array([float(np.dot(normal, plane.position)) for plane in planes])
    order = np.argsort(along, kind="stable")
    places: list[list[Plane]] = []
    last = -np.inf
    for index in order:
        if along[index] - last > SAME_PLACE:
            places.append([])
        places[-1].append(planes[index])
        last = along[index]
    repeats = {len(place) for place in places}
    if len(repeats) > 1:
        raise BadInputError(
            f"has {len(places)} places, some with {min(repeats)} and some with "
            f"{max(repeats)} pictures, so that they make no whole volumes; copy the "
            "series again, or add its files one by one"
        )
    for place in places:
        place.sort(key=lambda plane: plane.repeat)
    volumes = [list(volume) for volume in zip(*places, strict=True)]
    for volume in volumes:
        check_even(volume)
    return volumes


def _without_copies(planes: Sequence[Plane]) -> list[Plane]:
    """Leave out files that were copied twice: the first of each identifier stays."""
    if not all(plane.instance for plane in planes):
        return list(planes)
    first: dict[tuple[Any, ...], Plane] = {}
    for plane in planes:
        first.setdefault((plane.instance, plane.frame), plane)
    return list(first.values())


def check_even(volume: Sequence[Plane]) -> NDArray[np.float64]:
    """Return the step from slice to slice of a volume that is sorted.

    Returns
    -------
    ndarray
        (3,) float64 in L, P, S, millimetres; of a single slice its unit normal.

    Raises
    ------
    BadInputError
        If the slices are not evenly spaced. Without its subject.
    """
    at = np.array([plane.position for plane in volume], dtype=np.float64)
    if len(at) < 2:
        return np.asarray(volume[0].normal)
    step = (at[-1] - at[0]) / (len(at) - 1)
    expected = at[0] + np.arange(len(at))[:, None] * step
    off = np.linalg.norm(at - expected, axis=1).max()
    if off > UNEVEN * np.linalg.norm(step):
        gaps = np.linalg.norm(np.diff(at, axis=0), axis=1)
        widest = int(np.argmax(gaps))
        raise BadInputError(
            f"has slices {gaps.min():.2f} to {gaps.max():.2f} mm apart (the widest gap "
            f"follows slice {widest + 1} of {len(at)}), so that one may be missing; "
            "copy the series again, or add its files one by one"
        )
    return np.asarray(step, dtype=np.float64)
