"""Whatever a person points at: a table, nnU-Net, COCO, or DICOM segmentations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src_core.errors import BadInputError
from src_core.exchange.adding import add_files, import_rows, import_table
from src_core.exchange.coco import import_coco
from src_core.exchange.intake import Intake
from src_core.exchange.nnunet import FILE_NAME, read_nnunet
from src_core.exchange.segmentations import import_segmentations
from src_core.imaging import can_read, find_sources

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from src_core.exchange.intake import IntakeOptions
    from src_core.store import Project


def import_any(
    project: Project, path: Path, *, who: str, options: IntakeOptions | None = None
) -> Intake:
    """Import images with masks, or masks alone, from what there is.

    Parameters
    ----------
    project : Project
        Open for writing.
    path : Path
        A table (CSV), an nnU-Net folder or its ``dataset.json``, a COCO file (any
        other JSON), a DICOM-SEG file, or a folder of such.
    who : str
        Goes into the ledger.
    options : IntakeOptions, optional
        Progress, stop, processes.

    Raises
    ------
    BadInputError
        If it is none of these; what is wrong with one file is in the result.
    """
    if path.name == FILE_NAME or (path / FILE_NAME).is_file():
        return import_rows(project, read_nnunet(path), who=who, options=options)
    if path.suffix.lower() == ".json" and path.is_file():
        return import_coco(project, path, who=who, options=options)
    if path.is_dir() or can_read(path):
        found = find_sources([path])
        if found.segmentations:
            return import_segmentations(
                project,
                found.segmentations,
                who=who,
                replace=options is not None and options.replace,
            )
        raise BadInputError(
            f"'{path}' says of no image what is in it; give a table (CSV), an nnU-Net "
            "folder with its dataset.json, a COCO file (JSON), or DICOM segmentations. "
            "Pictures alone are added with `lgssl add`."
        )
    return import_table(project, path, who=who, options=options)


def take_in(
    project: Project,
    paths: Iterable[Path],
    *,
    who: str,
    options: IntakeOptions | None = None,
) -> Intake:
    """Take in whatever was dropped: pictures, folders, and what tells of masks.

    Parameters
    ----------
    project : Project
        Open for writing.
    paths : iterable of Path
        Anything that `add_files` or `import_any` takes. Segmentations among the
        pictures are laid over them.
    who : str
        Goes into the ledger.
    options : IntakeOptions, optional
        Progress, stop, processes.

    Raises
    ------
    BadInputError
        If there is nothing among them that can be used.
    """
    intake, pictures = Intake(), []
    for path in paths:
        if _tells_of_masks(path):
            intake.join(import_any(project, path, who=who, options=options))
        else:
            pictures.append(path)
    if pictures:
        added = add_files(project, pictures, who=who, options=options)
        masks = {str(path) for path in added.segmentations}
        added.notes = [note for note in added.notes if note[0] not in masks]
        intake.join(added)
        intake.join(import_segmentations(project, added.segmentations, who=who))
    return intake


def _tells_of_masks(path: Path) -> bool:
    tables = path.suffix.lower() in (".csv", ".json")
    return tables or (path / FILE_NAME).is_file()
