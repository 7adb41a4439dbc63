"""DICOM-SEG files onto the images that they were drawn on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src_core.errors import BadInputError, UserError
from src_core.exchange.decode import decode_mask, stand_in
from src_core.exchange.intake import Intake
from src_core.exchange.references import References
from src_core.exchange.take_mask import take_mask
from src_core.imaging import Source, TableRow
from src_core.imaging.dicom.segmentation import read_segmentation_info
from src_core.types import Split

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.store import Project


def import_segmentations(
    project: Project, paths: list[Path], *, who: str, replace: bool = False
) -> Intake:
    """Import every segment of DICOM-SEG files as the mask of a target of its name.

    Parameters
    ----------
    project : Project
        Open for writing, with the images that the segments were drawn on.
    paths : list of Path
        The files.
    who : str
        Goes into the ledger.
    replace : bool
        Whether they take the place of masks that somebody has begun.

    Returns
    -------
    Intake
        A file whose images are not there, and a segment that does not fit, are
        reported in it.
    """
    intake, references = Intake(), References(project)
    for path in paths:
        try:
            _import_one(project, references, path, who, intake, replace=replace)
        except UserError as error:
            intake.failed.append((str(path), str(error)))
    return intake


def _import_one(
    project: Project,
    references: References,
    path: Path,
    who: str,
    intake: Intake,
    *,
    replace: bool,
) -> None:
    info = read_segmentation_info(path)
    drawn_on = references.images_of(info.series, info.instances)
    if not drawn_on:
        raise BadInputError(
            f"The images that '{path}' was drawn on are not in the project; add the "
            "folder of their series, then import it again."
        )
    for name in drawn_on:
        image, kept = project.image(name), references.of(name)
        like = stand_in(image, kept[0] if kept else None)
        for number, label in info.segments.items():
            target = project.add_target(label, who=who).name
            row = TableRow(
                0, Source(path), Source(path), number, target, (), "", "", Split.TRAIN
            )
            decoded = decode_mask(row, like)
            what = f"{path}, segment {number}"
            take_mask(project, image, decoded, intake, who, what, replace=replace)
