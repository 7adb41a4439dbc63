"""COCO files: pictures with the masks that were drawn in them elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from src_core.errors import BadInputError, NotFoundError
from src_core.exchange.adding import import_rows
from src_core.exchange.decode import decode_mask, stand_in
from src_core.exchange.intake import Intake
from src_core.exchange.take_mask import take_mask
from src_core.imaging import Source, TableRow
from src_core.imaging.coco_read import CocoImage, part_of, read_coco
from src_core.types import Split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from src_core.exchange.intake import IntakeOptions
    from src_core.store import Project

_FOLDERS: Final = (".", "images", "..", "../images")


def import_coco(
    project: Project, path: Path, *, who: str, options: IntakeOptions | None = None
) -> Intake:
    """Import the masks of a COCO file, and the pictures that it names.

    A picture is looked for beside the file, in ``images`` there and one folder up; one
    that is nowhere is taken to be the project's own image of that name. Where several
    pictures have one name, none of them is taken: masks could land on another.

    A category that has no annotation in a picture says nothing: nobody may have looked
    for it. It is absent only where the file says so, as our own exporter does.

    Parameters
    ----------
    project : Project
        Open for writing.
    path : Path
        The JSON file.
    who : str
        Goes into the ledger.
    options : IntakeOptions, optional
        Progress, stop, processes.

    Raises
    ------
    BadInputError
        If the file is no COCO file, or names no picture.
    """
    images = read_coco(path)
    if not images:
        raise BadInputError(f"'{path}' names no image; export it again.")
    there: list[TableRow] = []
    known: list[tuple[CocoImage, list[TableRow]]] = []
    intake = Intake()
    for image in _told_apart(path, images, intake):
        file = _file(path.parent, image.file_name)
        rows = _rows(path, image, file or path.parent / image.file_name)
        if file is None:
            known.append((image, rows))
        else:
            there += rows
    replace = options is not None and options.replace
    own = Counter(image.name for image in project.images()) if known else Counter()
    if there:
        intake.join(import_rows(project, there, who=who, options=options))
    for image, rows in known:
        if own[image.file_name] > 1:
            intake.failed.append(_shared(image, own, "the project"))
        else:
            _import_known(project, image, rows, who, intake, replace=replace)
    return intake


def _told_apart(
    path: Path, images: list[CocoImage], intake: Intake
) -> Iterator[CocoImage]:
    """Yield the images that have their name alone, and tell the others."""
    names = Counter(image.file_name for image in images)
    for image in images:
        if names[image.file_name] == 1:
            yield image
        else:
            intake.failed.append(_shared(image, names, f"'{path}'"))


def _shared(image: CocoImage, names: Counter[str], where: str) -> tuple[str, str]:
    return image.file_name, (
        f"{names[image.file_name]} pictures of {where} are called "
        f"'{image.file_name}', so nobody can tell which of them its masks belong to; "
        "give each a name of its own."
    )


def _file(folder: Path, name: str) -> Path | None:
    found = (folder / place / name for place in _FOLDERS)
    return next((path.resolve() for path in found if path.is_file()), None)


def _rows(path: Path, image: CocoImage, file: Path) -> list[TableRow]:
    """Return a row for each mask, or one without a mask."""
    targets: list[str] = list(dict.fromkeys((*image.pieces, *image.absent)))
    masks = {name: Source(path, part_of(image, name)) for name in targets}
    return [
        TableRow(0, Source(file), masks.get(name), None, name, (), "", "", Split.TRAIN)
        for name in targets or [""]
    ]


def _import_known(
    project: Project,
    image: CocoImage,
    rows: list[TableRow],
    who: str,
    intake: Intake,
    *,
    replace: bool,
) -> None:
    """Save the masks of an image that is in the project already."""
    try:
        own = project.image(image.file_name)
    except NotFoundError:
        intake.failed.append(
            (
                image.file_name,
                f"There is no picture '{image.file_name}', neither beside the COCO "
                "file nor in the project; copy it there.",
            )
        )
        return
    intake.known += 1
    for row in rows:
        if row.mask is None:
            continue
        project.add_target(row.target, who=who)
        decoded = decode_mask(row, stand_in(own))
        what = f"{image.file_name}, {row.target}"
        take_mask(project, own, decoded, intake, who, what, replace=replace)
