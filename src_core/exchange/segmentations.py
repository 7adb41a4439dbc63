"""DICOM-SEG files onto the images that they were drawn on."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import TYPE_CHECKING

import numpy as np

from src_core.errors import BadInputError, UserError
from src_core.exchange.decode import DecodedMask, decode_mask, stand_in
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
    """Import the segments of DICOM-SEG files as masks of targets of their names.

    Segments of one name, such as one for each lesion, are one mask together.

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
    by_target: dict[str, list[int]] = {}
    for number, label in info.segments.items():
        target = project.add_target(label, who=who).name
        by_target.setdefault(target, []).append(number)
    for name in drawn_on:
        image, kept = project.image(name), references.of(name)
        like = stand_in(image, kept[0] if kept else None)
        for target, numbers in by_target.items():
            rows = (_row(path, number, target) for number in numbers)
            decoded = _together([decode_mask(row, like) for row in rows])
            several = "s" if len(numbers) > 1 else ""
            what = f"{path}, segment{several} {', '.join(map(str, numbers))}"
            take_mask(project, image, decoded, intake, who, what, replace=replace)


def _row(path: Path, number: int, target: str) -> TableRow:
    return TableRow(
        0, Source(path), Source(path), number, target, (), "", "", Split.TRAIN
    )


def _together(segments: list[DecodedMask]) -> DecodedMask:
    """Join segments of one image and target; one that is lacking spoils all."""
    first = next((one for one in segments if one.problem), segments[0])
    if first.problem or len(segments) == 1:
        return first
    mask = np.logical_or.reduce([one.mask for one in segments])
    notes = dict.fromkeys(one.note for one in segments if one.note)
    return changed(first, packed=np.packbits(mask).tobytes(), note="; ".join(notes))
