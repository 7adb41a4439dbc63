"""Files into a project: by table, or a folder of pictures to be labelled."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from src_core.errors import BadInputError, MissingExtraError, UserError
from src_core.imaging import (
    Picture,
    ReadOptions,
    TableRow,
    find_images,
    read_image,
    read_mask,
    read_table,
)
from src_core.types import IMPORTED, Image, MaskStatus, Split

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.store import Project

Notify = Callable[[int, int], None]


@dataclass(slots=True)
class Intake:
    """What an import brought.

    Attributes
    ----------
    added, known : int
        Images that are new, and images whose pixels were there already.
    masks : int
        Masks that are new.
    failed : list of (str, str)
        File and reason of each that could not be used; the rest is there.
    """

    added: int = 0
    known: int = 0
    masks: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The whole of it for a person."""
        parts = [f"{self.added} images added"]
        if self.known:
            parts.append(f"{self.known} were there already")
        if self.masks:
            parts.append(f"{self.masks} masks imported")
        if self.failed:
            parts.append(f"{len(self.failed)} files could not be used")
        return ", ".join(parts) + "."


def import_table(
    project: Project,
    table: Path,
    *,
    who: str,
    notify: Notify = lambda done, total: None,
) -> Intake:
    """Import a table of images, masks and targets.

    Parameters
    ----------
    project : Project
        Open for writing.
    table : Path
        CSV with the columns ``image,mask,value,target,prompt,caption,group,split``.
    who : str
        Goes into the ledger.
    notify : callable
        Called with images done and images in all.

    Raises
    ------
    BadInputError
        If the table itself cannot be read; a bad picture is reported in the result.
    """
    return import_rows(project, read_table(table), who=who, notify=notify)


def import_rows(
    project: Project,
    rows: list[TableRow],
    *,
    who: str,
    notify: Notify = lambda done, total: None,
) -> Intake:
    """Import the rows of a table that was read; as :func:`import_table`."""
    _declare_targets(project, rows, who)
    by_image: dict[Path, list[TableRow]] = {}
    for row in rows:
        by_image.setdefault(row.image, []).append(row)
    outcome, options = Intake(), _read_options(project)
    for done, (path, asked) in enumerate(by_image.items()):
        notify(done, len(by_image))
        try:
            picture = read_image(path, options)
            image, new = _add(project, picture, asked[0], who)
            outcome.added += new
            outcome.known += not new
            for row in asked:
                if row.mask is not None:
                    outcome.masks += _import_mask(project, image, picture, row, who)
        except (UserError, MissingExtraError) as error:
            outcome.failed.append((str(path), str(error)))
    notify(len(by_image), len(by_image))
    return outcome


def add_files(
    project: Project,
    paths: Iterable[Path],
    *,
    who: str,
    notify: Notify = lambda done, total: None,
) -> Intake:
    """Add pictures without masks; folders are searched for files that can be read.

    Raises
    ------
    BadInputError
        If there is no such file, or nothing that can be read.
    """
    files = list(find_images(paths))
    if not files:
        raise BadInputError(
            "No picture was found there; give files or a folder with PNG, TIFF, NIfTI, "
            "DICOM or OME-Zarr in it."
        )
    outcome, options = Intake(), _read_options(project)
    for done, path in enumerate(files):
        notify(done, len(files))
        try:
            _, new = _add(project, read_image(path, options), None, who)
            outcome.added += new
            outcome.known += not new
        except (UserError, MissingExtraError) as error:
            outcome.failed.append((str(path), str(error)))
    notify(len(files), len(files))
    return outcome


def _declare_targets(project: Project, rows: list[TableRow], who: str) -> None:
    prompts: dict[str, list[str]] = {}
    for row in rows:
        if row.target:
            prompts.setdefault(row.target, []).extend(row.prompts)
    for name, wordings in prompts.items():
        project.add_target(name, tuple(dict.fromkeys(wordings)), who=who)


def _add(
    project: Project, picture: Picture, row: TableRow | None, who: str
) -> tuple[Image, bool]:
    return project.add_image(
        picture.pixels,
        name=picture.name,
        axes=picture.axes,
        spacing=picture.spacing,
        unit=picture.unit,
        origin=picture.origin,
        orientation=picture.orientation,
        group=(row.group if row else "") or picture.group,
        split=row.split if row else Split.TRAIN,
        caption=row.caption if row else "",
        who=who,
    )


def _read_options(project: Project) -> ReadOptions:
    """Give the readers the project's own secret for patients' pseudonyms."""
    file = project.path / "pseudonyms.key"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(16))
    return ReadOptions(salt=file.read_text())


def _import_mask(
    project: Project, image: Image, picture: Picture, row: TableRow, who: str
) -> bool:
    """Import one mask; an equal one that is there already is left alone."""
    assert row.mask is not None
    mask = read_mask(row.mask, row.value, like=picture)
    target = project.target(row.target).id
    present = project.mask(image.id, target)
    if present is not None:
        if np.array_equal(present.read(), mask):
            return False
        raise BadInputError(
            f"'{row.target}' in '{image.name}' has a mask already that differs from "
            f"'{row.mask}'; the one in the project was kept."
        )
    status = MaskStatus.DONE if mask.any() else MaskStatus.EMPTY
    project.save_mask(image.id, target, mask, who=who, status=status, source=IMPORTED)
    return True
