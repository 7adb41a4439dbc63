"""Files into a project: by table, or a folder of pictures to be labelled."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.errors import BadInputError, UserError
from src_core.exchange.crew import Crew
from src_core.exchange.decode import Decoded, DecodedMask, Job, decode
from src_core.exchange.imported import Imported
from src_core.exchange.references import References
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
from src_core.types import IMPORTED, Image, MaskStatus, Split

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.store import Project

Notify = Callable[[int, int], None]
_SECRET: Final = "pseudonyms.key"


@dataclass(slots=True)
class Intake:
    """What an import brought.

    Attributes
    ----------
    added, known : int
        Images that are new, and images that were there already.
    masks : int
        Masks that are new.
    failed : list of (str, str)
        File and reason of each that could not be used; the rest is there.
    notes : list of (str, str)
        File and what a person should know of it.
    segmentations : list of Path
        DICOM-SEG files among the pictures: masks, which `import_any` takes in.
    in_time : list of Source
        The first of each series in time of which nobody said what to take.
    """

    added: int = 0
    known: int = 0
    masks: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    segmentations: list[Path] = field(default_factory=list)
    in_time: list[Source] = field(default_factory=list)

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

    def join(self, other: Intake) -> None:
        """Count what another import brought as well."""
        self.added += other.added
        self.known += other.known
        self.masks += other.masks
        self.failed.extend(other.failed)
        self.notes.extend(other.notes)
        self.segmentations.extend(other.segmentations)
        self.in_time.extend(other.in_time)


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """How an import is done.

    Attributes
    ----------
    notify : callable
        Called with images done and images in all.
    should_stop : callable
        Asked between images; what was taken in until then is there, and the next
        import of the same files goes on from there.
    take : str
        What of a series in time (4-D NIfTI, film, cine MR) is wanted: ``"all"``,
        ``"first"``, ``"middle"``, a number from 0, or ``""``: such a series is
        reported as not usable, with the way to say it.
    workers : int or None
        Processes that decode; None: as many as there are cores, where it pays.
    """

    notify: Notify = lambda done, total: None
    should_stop: Callable[[], bool] = lambda: False
    take: str = ""
    workers: int | None = None


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
    return _Import(project, who, _with(options, notify)).run(by_image)


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
    intake = _Import(project, who, options).run({source: [] for source in sources})
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

    def crashed(path: Path) -> Filed:
        return replace(file_away(path), problem=_crashed(str(path)))

    with Crew(file_away, crashed, options.workers) as crew:
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


def _crashed(what: str) -> str:
    return (
        f"'{what}' ended the process that decoded it: it is damaged, or its codec is "
        "at fault; copy or export it again."
    )


def _declare_targets(project: Project, rows: list[TableRow], who: str) -> None:
    prompts: dict[str, list[str]] = {}
    for row in rows:
        if row.target:
            prompts.setdefault(row.target, []).extend(row.prompts)
    for name, wordings in prompts.items():
        project.add_target(name, tuple(dict.fromkeys(wordings)), who=who)


def project_secret(project: Project) -> str:
    """Return the project's own secret for patients' pseudonyms, made if need be."""
    file = project.path / _SECRET
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(16))
    return file.read_text()


class _Import:
    """One run over many images."""

    def __init__(self, project: Project, who: str, options: IntakeOptions) -> None:
        self._project, self._who, self._options = project, who, options
        self._salt = project_secret(project)
        self._imported = Imported(project, self._salt)
        self._references = References(project)
        self._intake = Intake()

    def run(self, wanted: dict[Source, list[TableRow]]) -> Intake:
        """Import images with their masks."""
        total, done = len(wanted), 0
        options, intake = self._options, self._intake
        options.notify(0, total)
        jobs = (self._job(source, rows) for source, rows in wanted.items())
        todo = (job for job in jobs if not self._is_done(job))
        with Crew(decode, _job_crashed, options.workers) as crew:
            for job, decoded in crew.run(todo, total):
                if options.should_stop():
                    if decoded.staged:
                        self._project.discard_staged(decoded.staged)
                    break
                self._take(job, decoded)
                done += 1
                options.notify(done + intake.known, total)
        self._project.remember_images()
        options.notify(total, total)
        return intake

    def _job(self, source: Source, rows: list[TableRow]) -> Job:
        root, salt = self._project.path, self._salt
        job = Job(source, tuple(rows), root, salt)
        try:
            known = self._imported.get(self._imported.stamp(source))
            image = self._project.find_image(known) if known else None
        except OSError:
            return job
        if image is None or not self._fits(image, rows):
            return job
        left = tuple(row for row in rows if row.mask and not self._has(image, row))
        if not left:
            return replace(job, rows=(), like=image)
        kept = self._references.of(image.id)
        return replace(job, rows=left, like=image, reference=kept[0] if kept else None)

    def _fits(self, image: Image, rows: list[TableRow]) -> bool:
        """Whether a table says nothing new of an image that is there."""
        return not rows or not rows[0].group or bool(image.group)

    def _has(self, image: Image, row: TableRow) -> bool:
        """Whether a mask was imported, and is still there."""
        assert row.mask is not None
        try:
            stamp = self._stamp(row)
        except OSError:
            return False
        target = self._project.target(row.target).id
        known = self._imported.get(stamp) == f"{image.id}/{target}"
        return known and self._project.mask(image.id, target) is not None

    def _stamp(self, row: TableRow) -> str:
        assert row.mask is not None
        return self._imported.stamp(row.mask, row.value, row.target, row.ignore)

    def _is_done(self, job: Job) -> bool:
        if job.like is None or job.rows:
            return False
        self._intake.known += 1
        return True

    def _take(self, job: Job, decoded: Decoded) -> None:
        """Commit what a job brought."""
        what = str(job.source)
        intake = self._intake
        if decoded.problem:
            intake.failed.append((what, decoded.problem))
            return
        intake.notes.extend((what, note) for note in decoded.notes)
        image = job.like
        try:
            if decoded.staged is not None:
                image = self._add(job, decoded)
            else:
                intake.known += 1
        except UserError as error:
            intake.failed.append((what, str(error)))
            return
        assert image is not None
        for mask in decoded.masks:
            self._save(image, mask)

    def _add(self, job: Job, decoded: Decoded) -> Image:
        assert decoded.staged is not None
        row = job.rows[0] if job.rows else None
        image, new = self._project.add_staged(
            decoded.staged,
            group=(row.group if row else "") or decoded.group,
            split=row.split if row else Split.TRAIN,
            caption=row.caption if row else "",
            who=self._who,
        )
        self._intake.added += new
        self._intake.known += not new
        if decoded.reference is not None:
            self._references.keep(image.id, decoded.reference, job.source)
        self._imported.add(self._imported.stamp(job.source), image.id)
        return image

    def _save(self, image: Image, decoded: DecodedMask) -> None:
        """Commit one mask; an equal one that is there already is left alone."""
        row, what = decoded.row, str(decoded.row.mask)
        if not take_mask(self._project, image, decoded, self._intake, self._who, what):
            return
        target = self._project.target(row.target).id
        self._imported.add(self._stamp(row), f"{image.id}/{target}")


def _job_crashed(job: Job) -> Decoded:
    return Decoded(problem=_crashed(str(job.source)))


def take_mask(
    project: Project,
    image: Image,
    decoded: DecodedMask,
    intake: Intake,
    who: str,
    what: str,
) -> bool:
    """Commit a mask from a file, and count it or tell why it could not be used.

    Parameters
    ----------
    project : Project
        Open for writing; it knows the target.
    image : Image
        What the mask lies over.
    decoded : DecodedMask
        The mask.
    intake : Intake
        Is told.
    who, what : str
        Who imports it, and what it is called there.

    Returns
    -------
    bool
        Whether it is in the project now.
    """
    if decoded.note:
        intake.notes.append((what, decoded.note))
    try:
        if decoded.problem:
            raise BadInputError(decoded.problem)
        intake.masks += _saved(project, image, decoded, who, what)
    except UserError as error:
        intake.failed.append((what, str(error)))
        return False
    return True


def _saved(
    project: Project, image: Image, decoded: DecodedMask, who: str, what: str
) -> bool:
    """Commit a mask from a file.

    Returns
    -------
    bool
        False where an equal one is there already.

    Raises
    ------
    BadInputError
        If another mask is there, which is kept.
    """
    name, mask = decoded.row.target, decoded.mask
    target = project.target(name).id
    present = project.mask(image.id, target)
    if present is not None:
        if np.array_equal(present.read(), mask):
            return False
        raise BadInputError(
            f"'{name}' in '{image.name}' has a mask already that differs from "
            f"'{what}'; the one in the project was kept."
        )
    status = MaskStatus.DONE if mask.any() else MaskStatus.EMPTY
    if decoded.is_partial:
        status = MaskStatus.IN_PROGRESS
    project.save_mask(image.id, target, mask, who=who, status=status, source=IMPORTED)
    return True
