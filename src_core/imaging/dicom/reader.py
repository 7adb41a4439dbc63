"""DICOM pictures, volumes and their frames; no name of a patient leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    Picture,
    ReadOptions,
    Reference,
    has_suffix,
)
from src_core.imaging.dicom.headers import (
    SUFFIXES,
    Kind,
    Plane,
    frame_count,
    has_mark,
    in_groups,
    kind_of,
    lacks_mark,
    load_header,
    planes_of,
    quiet_pydicom,
    spacing_of,
)
from src_core.imaging.dicom.kept import notes_of, patient_of, pseudonym, safe_name
from src_core.imaging.dicom.series import (
    check_even,
    file_away,
    gather,
    volumes_of,
)
from src_core.imaging.dicom.values import (
    check_picture,
    inverted_top,
    is_lossy,
    read_frame,
    window_of,
)
from src_core.imaging.sources import Source, wanted_number
from src_core.imaging.space import letters_of, place_of_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# DICOM's letters for people on their feet, in the words of the table of orientations
_FEET: Final = {"L": "L", "R": "R", "P": "P", "A": "A", "F": "I", "H": "S"}


class DicomReader:
    """One picture, in the scanner's units (Hounsfield for CT).

    A file is a picture, or frames: of a volume where the header places them, of a
    film in time where it does not. A folder is read as the one series that is in it,
    or as the one that `ReadOptions.part` names; its slices are sorted by where they
    lie, whatever the files are called.
    """

    name = "DICOM"
    suffixes = SUFFIXES
    folders = False

    def can_read(self, path: Path) -> bool:
        """See `Reader`; scanners often write no suffix, then the mark at 128 counts."""
        if path.is_dir():
            return any(
                entry.is_file() and self.can_read(entry)
                for entry in path.iterdir()
                if not entry.name.startswith(".")
            )
        return has_suffix(path, self.suffixes) or has_mark(path)

    def sources(self, path: Path) -> list[Source]:
        """See `Reader`."""
        files = _files_in(path) if path.is_dir() else [path]
        found = gather(file_away(file) for file in files)
        if found.failed and not found.sources:
            raise BadInputError(found.failed[0][1])
        return found.sources

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        if options.files:
            return _read_series(path.name, options.files, options)
        if path.is_dir():
            chosen = _choose(path, self.sources(path), options.part)
            if not chosen.files:
                return self.read(chosen.path, options)
            return _read_series(path.name, chosen.files, options)
        return _read_file(path, options)


def _files_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if not path.name.startswith(".")
        and path.is_file()
        and (has_suffix(path, SUFFIXES) or has_mark(path))
    )


def _choose(folder: Path, sources: list[Source], part: str) -> Source:
    """Return the source that a part names.

    Raises
    ------
    BadInputError
        If it names none, or names nothing where there are several.
    """
    fits = [source for source in sources if not part or source.part == part]
    if len(fits) == 1:
        return fits[0]
    known = [str(source) for source in sources]
    if not known:
        raise BadInputError(
            f"'{folder}' holds no DICOM picture; choose the folder of an image series."
        )
    listed = ", ".join(f"'{name}'" for name in known[:4])
    more = f" and {len(known) - 4} more" if len(known) > 4 else ""
    raise BadInputError(
        f"'{folder}' holds {len(known)} pictures; say which: {listed}{more}."
    )


def _load(path: Path) -> Any:
    with quiet_pydicom(str(path)) as pydicom:
        return pydicom.dcmread(path, force=lacks_mark(path))


def _read_file(path: Path, options: ReadOptions) -> Picture:
    with quiet_pydicom(str(path)):
        data = _load(path)
        if kind_of(data) is Kind.SEGMENTATION:
            from src_core.imaging.dicom.segmentation import read_labels

            return read_labels(path, data, options)
        check_picture(path, data)
        planes = planes_of(path, data)
        volumes = _volumes(path, planes)
        placed = frame_count(data) > 1 and planes[0].is_placed
        word = "volume" if placed else "frame"
        number = wanted_number(options.part, word, len(volumes), str(path))
        chosen = volumes[number]
        check_picture(path, data, len(chosen))
        if len(chosen) > 1:
            return _volume(path.name, chosen, [data], options)
        return _flat(path, data, chosen[0], options)


def _volumes(path: Path, planes: list[Plane]) -> list[list[Plane]]:
    try:
        return volumes_of(planes)
    except BadInputError as error:
        raise BadInputError(f"'{path}' {error}.") from error


def _read_series(name: str, files: Sequence[Path], options: ReadOptions) -> Picture:
    """Read slices that were found to belong together, in whatever order."""
    with quiet_pydicom(name):
        headers = [load_header(path) for path in files]
        planes = [
            planes_of(path, data)[0] for path, data in zip(files, headers, strict=True)
        ]
        volumes = _volumes(files[0].parent, planes)
        if len(volumes) != 1 or len(volumes[0]) != len(files):
            raise BadInputError(
                f"The files of '{files[0].parent}' are no longer the series that was "
                "found there; add the folder again."
            )
        return _volume(name, volumes[0], headers, options)


def _volume(
    name: str, planes: list[Plane], headers: list[Any], options: ReadOptions
) -> Picture:
    """Decode slices one after another into one array."""
    head = headers[0]
    whole = _load(planes[0].path) if head.get("PixelData") is None else head
    check_picture(planes[0].path, whole, len(planes))
    pixels = np.empty(0)
    axes, lossy = "", False
    for z, plane in enumerate(planes):
        data = whole
        if plane.path != planes[0].path:
            data = _load(plane.path)
            check_picture(plane.path, data)
        decoded, flat = read_frame(data, plane.frame)
        lossy = lossy or is_lossy(data)
        if z == 0:
            axes = flat.replace("y", "zy")
            shape = (*decoded.shape[:-2], len(planes), *decoded.shape[-2:])
            pixels = np.empty(shape, decoded.dtype)
        if decoded.dtype != pixels.dtype:
            # slopes may differ from slice to slice, as in PET
            pixels = pixels.astype(np.result_type(pixels, decoded), copy=False)
        if decoded.shape != (*pixels.shape[:-3], *pixels.shape[-2:]):
            raise BadInputError(
                f"'{plane.path}' has another size than the first slice of its series; "
                "copy the series again."
            )
        pixels[..., z, :, :] = decoded
    down_across = spacing_of(head) or (1.0, 1.0)
    step = check_even(planes) * (_thickness(head) or 1.0 if len(planes) == 1 else 1.0)
    across, down = np.asarray(planes[0].across_down).reshape(2, 3)
    columns = np.stack([step, down * down_across[0], across * down_across[1]], axis=1)
    place = place_of_columns(columns, np.asarray(planes[0].position))
    return Picture(
        pixels=pixels,
        axes=axes,
        spacing=place.spacing,
        unit="millimeter",
        origin=place.origin,
        orientation=place.orientation,
        name=safe_name(name, head),
        group=pseudonym(patient_of(head), options.salt),
        direction=place.direction,
        lossy=lossy,
        modality=str(head.get("Modality", "") or ""),
        window=_window(head),
        reference=_reference(head, planes),
        notes=notes_of(headers),
    )


def _flat(path: Path, data: Any, plane: Plane, options: ReadOptions) -> Picture:
    pixels, axes = read_frame(data, plane.frame)
    spacing = spacing_of(data)
    orientation, origin = _flat_place(data, plane)
    return Picture(
        pixels=np.ascontiguousarray(pixels),
        axes=axes,
        spacing=spacing or (1.0, 1.0),
        unit="millimeter" if spacing else "pixel",
        origin=origin,
        orientation=orientation,
        name=safe_name(path.name, data),
        group=pseudonym(patient_of(data), options.salt),
        lossy=is_lossy(data),
        modality=str(data.get("Modality", "") or ""),
        window=_window(data),
        reference=_reference(data, [plane]),
        notes=notes_of([data]),
    )


def _flat_place(data: Any, plane: Plane) -> tuple[str, tuple[float, float]]:
    """Letters and origin of the axes y and x; ``""`` where the file does not tell."""
    if plane.across_down:
        vectors = np.asarray(plane.across_down).reshape(2, 3)
        letters = letters_of(vectors[::-1].T)  # columns y, x
        if not plane.position:
            return letters, (0.0, 0.0)
        at = dict(zip("LPS", plane.position, strict=True))
        at |= {"R": at["L"], "A": at["P"], "I": at["S"]}
        return letters, (at[letters[0]], at[letters[1]])
    feet = data.get("PatientOrientation")
    if feet is not None and len(feet) == 2:
        letters = "".join(_FEET.get(str(value)[:1], "") for value in reversed(feet))
        if len(letters) == 2:
            return letters, (0.0, 0.0)
    return "", (0.0, 0.0)


def _window(data: Any) -> tuple[float, ...]:
    window = window_of(data)
    if window and str(data.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        top = inverted_top(data)
        return top - window[1], top - window[0]
    return window


def _thickness(data: Any) -> float:
    shared = (data.get("SharedFunctionalGroupsSequence") or [None])[0]
    first = (data.get("PerFrameFunctionalGroupsSequence") or [None])[0]
    inner = in_groups(first, shared, "PixelMeasuresSequence")
    value = (data if inner is None else inner).get("SliceThickness")
    return float(value or 0)


def _reference(data: Any, planes: list[Plane]) -> Reference | None:
    """Say which files the slices come from; None where none has an identifier."""
    if not all(plane.instance for plane in planes):
        return None
    frames = tuple(plane.frame + 1 for plane in planes)
    placed = all(plane.is_placed for plane in planes)
    return Reference(
        study=str(data.get("StudyInstanceUID", "") or ""),
        series=str(data.get("SeriesInstanceUID", "") or ""),
        frame_of_reference=str(data.get("FrameOfReferenceUID", "") or ""),
        sop_class=str(
            data.get("SOPClassUID", "")
            or data.file_meta.get("MediaStorageSOPClassUID", "")
        ),
        instances=tuple(plane.instance for plane in planes),
        frames=frames if frame_count(data) > 1 else (),
        positions=tuple(plane.position for plane in planes) if placed else (),
        across_down=planes[0].across_down,
        spacing=spacing_of(data) or (),
        thickness=_thickness(data),
        rows=int(data.Rows),
        columns=int(data.Columns),
    )
