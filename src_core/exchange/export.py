"""Finished masks out of a project, for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from src_core.errors import BadInputError, UserError
from src_core.imaging import EXPORTERS, ExportItem, Picture, export
from src_core.store.truth import read_truth, truths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from src_core.store import Project

FORMATS = tuple(EXPORTERS)


def export_project(project: Project, out: Path, kind: str) -> list[Path]:
    """Write every finished mask of a project.

    Parameters
    ----------
    project : Project
        Read at its position.
    out : Path
        A folder; made if need be.
    kind : str
        One of `FORMATS`.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    BadInputError
        If there is no such format.
    UserError
        If no mask is finished.
    """
    if kind not in EXPORTERS:
        raise BadInputError(
            f"There is no export format '{kind}'; choose one of {', '.join(FORMATS)}."
        )
    if not truths(project):
        raise UserError(
            "No mask of this project is finished yet; save one as done, then export."
        )
    out.mkdir(parents=True, exist_ok=True)
    return export(kind, _items(project), out)


def _items(project: Project) -> Iterator[ExportItem]:
    names = {target.id: target.name for target in project.targets()}
    known = truths(project)
    for image in project.images():
        truth = read_truth(project, image.id, known.get(image.id, []))
        if not truth:
            continue
        picture = Picture(
            np.asarray(project.pixels(image)[...]),
            image.axes,
            image.spacing,
            image.unit,
            image.origin,
            image.orientation,
            image.name,
            image.group,
        )
        yield ExportItem(image.id, picture, {names[t]: m for t, m in truth.items()})
