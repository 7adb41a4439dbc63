"""Pictures and tables into a project: which files are meant, and what of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from src_core.errors import BadInputError
from src_core.exchange.crew import Crew
from src_core.exchange.import_run import ImportRun, crashed
from src_core.exchange.intake import Intake, IntakeOptions
from src_core.imaging import (
    Filed,
    Found,
    Source,
    TableRow,
    file_away,
    find_sources,
    read_table,
    which,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from src_core.exchange.intake import Notify
    from src_core.store import Project


def import_table(
    project: Project,
    table: Path,
    *,
    who: str,
    notify: Notify | None = None,
    options: IntakeOptions | None = None,
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
    notify : callable, optional
        Instead of the one in the options.
    options : IntakeOptions, optional
        Progress, stop, processes.

    Raises
    ------
    BadInputError
        If the table itself cannot be read; a bad picture is reported in the result.
    """
    rows = read_table(table)
    return import_rows(project, rows, who=who, notify=notify, options=options)


def import_rows(
    project: Project,
    rows: list[TableRow],
    *,
    who: str,
    notify: Notify | None = None,
    options: IntakeOptions | None = None,
) -> Intake:
    """Import the rows of a table that was read; as :func:`import_table`."""
    _declare_targets(project, rows, who)
    by_image: dict[Source, list[TableRow]] = {}
    for row in rows:
        by_image.setdefault(row.image, []).append(row)
    return ImportRun(project, who, _with(options, notify)).run(by_image)


def add_files(
    project: Project,
    paths: Iterable[Path | Source],
    *,
    who: str,
    notify: Notify | None = None,
    options: IntakeOptions | None = None,
) -> Intake:
    """Add pictures without masks; folders are searched for files that can be read.

    DICOM files are put together into series first.

    Raises
    ------
    BadInputError
        If there is nothing that can be read.
    """
    options = _with(options, notify)
    found = find_sources(paths, lambda files: _look(files, options))
    sources, undecided = _wanted(found, options.take)
    failed = found.failed + [(str(one.path), _how_to_take(one)) for one in undecided]
    if not (sources or failed or found.segmentations):
        raise BadInputError(
            "No picture was found there; give files or a folder with PNG, TIFF, NIfTI, "
            "DICOM or OME-Zarr in it."
        )
    intake = ImportRun(project, who, options).run({source: [] for source in sources})
    intake.failed[:0] = failed
    intake.in_time, intake.segmentations = undecided, found.segmentations
    intake.notes[:0] = found.notes
    intake.notes.extend(
        (str(path), "it is a segmentation; take it in with `lgssl import`")
        for path in found.segmentations
    )
    return intake


def _with(options: IntakeOptions | None, notify: Notify | None) -> IntakeOptions:
    options = options or IntakeOptions()
    return options if notify is None else replace(options, notify=notify)


def _look(files: list[Path], options: IntakeOptions) -> Iterator[Filed]:
    """Read the headers of many DICOM files."""

    def lost(path: Path) -> Filed:
        return replace(file_away(path), problem=crashed(str(path)))

    with Crew(file_away, lost, options.workers) as crew:
        # a header is read faster than it travels, unless there are very many
        for _, filed in crew.run(files, len(files) // 100):
            yield filed


def _wanted(found: Found, take: str) -> tuple[list[Source], list[Source]]:
    """Return what is imported, and of each series that is not what comes first."""
    kept, undecided = [], []
    for source in found.sources:
        number = which(take, source.count)
        if number is None or number == source.number:
            kept.append(source)
        elif source.number == 0 and not 0 <= number < source.count:
            undecided.append(source)
    return kept, undecided


def _how_to_take(source: Source) -> str:
    return (
        f"'{source.path}' holds a series in time of {source.count} pictures; say what "
        "to take of it with --take first, middle, all or a number below that, or name "
        f"one, such as '{source}'."
    )


def _declare_targets(project: Project, rows: list[TableRow], who: str) -> None:
    prompts: dict[str, list[str]] = {}
    for row in rows:
        if row.target:
            prompts.setdefault(row.target, []).extend(row.prompts)
    for name, wordings in prompts.items():
        project.add_target(name, tuple(dict.fromkeys(wordings)), who=who)
