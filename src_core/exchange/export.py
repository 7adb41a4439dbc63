"""Finished masks out of a project, for other programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from src_core.errors import BadInputError, UserError
from src_core.exchange.decode import stand_in
from src_core.exchange.references import References
from src_core.imaging import EXPORTERS, ExportItem, Reference, export
from src_core.imaging.dicom.write import PERSON
from src_core.store.truth import read_truth, truths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from src_core.store import Project

FORMATS = tuple(EXPORTERS)
WITH_PIXELS = frozenset({"ome-zarr"})
"""Formats that hold the image as well as its masks."""

NAMING = frozenset({"dicom-seg"})
"""Formats that can carry the patient's name, so that it has to be asked for."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How an export is done.

    Attributes
    ----------
    names : bool
        Whether the patients' names, numbers and dates are copied from the original
        files, so that an archive files a DICOM-SEG with its patient.
    """

    names: bool = False


def export_project(
    project: Project, out: Path, kind: str, options: ExportOptions | None = None
) -> list[Path]:
    """Write every finished mask of a project.

    Parameters
    ----------
    project : Project
        Read at its position.
    out : Path
        A folder; made if need be.
    kind : str
        One of `FORMATS`.
    options : ExportOptions, optional
        Whether names of patients may leave the hospital's files.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    BadInputError
        If there is no such format, or it cannot hold an image.
    UserError
        If no mask is finished, or names are wanted and the original files are gone.
    """
    options = options or ExportOptions()
    if kind not in EXPORTERS:
        raise BadInputError(
            f"There is no export format '{kind}'; choose one of {', '.join(FORMATS)}."
        )
    if not truths(project):
        raise UserError(
            "No mask of this project is finished yet; save one as done, then export."
        )
    out.mkdir(parents=True, exist_ok=True)
    names = options.names and kind in NAMING
    items = _items(project, names=names, pixels=kind in WITH_PIXELS)
    return export(kind, items, out)


def _items(project: Project, *, names: bool, pixels: bool) -> Iterator[ExportItem]:
    targets = {target.id: target.name for target in project.targets()}
    known, references = truths(project), References(project)
    for image in project.images():
        truth = read_truth(project, image.id, known.get(image.id, []))
        if not truth:
            continue
        kept = references.of(image.id)
        picture = stand_in(image, kept[0] if kept else None)
        if pixels:
            picture = replace(picture, pixels=np.asarray(project.pixels(image)[...]))
        person = _person(*kept) if names and kept else {}
        masks = {targets[target]: mask for target, mask in truth.items()}
        yield ExportItem(image.id, picture, masks, person)


def _person(reference: Reference, where: str) -> dict[str, str]:
    """Read from an original file whose it is.

    Raises
    ------
    UserError
        If no file of the series is where it was imported from.
    """
    from src_core.imaging.dicom.headers import (
        has_mark,
        instance_of,
        lacks_mark,
        quiet_pydicom,
    )

    path = Path(where)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    with quiet_pydicom(where) as pydicom:
        for file in files:
            if not file.is_file() or not (has_mark(file) or lacks_mark(file)):
                continue
            data = pydicom.dcmread(
                file, stop_before_pixels=True, force=lacks_mark(file)
            )
            if instance_of(data) in reference.instances:
                return {tag: str(data.get(tag, "") or "") for tag in PERSON}
    raise UserError(
        f"The original files are no longer at '{where}', so the patient's name cannot "
        "be copied; put them back, or export without names."
    )
