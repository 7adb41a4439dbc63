"""One run over many files: read by several processes, committed by this one."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from src_core.errors import UserError
from src_core.exchange.crew import Crew
from src_core.exchange.decode import Decoded, DecodedMask, Job, decode
from src_core.exchange.imported import Imported
from src_core.exchange.intake import Intake, IntakeOptions
from src_core.exchange.references import References
from src_core.exchange.take_mask import take_mask
from src_core.exchange.told import told_of
from src_core.exchange.values import Values
from src_core.store.groups import KEY_NAME
from src_core.types import Image, Split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from src_core.imaging import Source, TableRow
    from src_core.store import Project


class ImportRun:
    """One run over many images.

    Parameters
    ----------
    project : Project
        Open for writing.
    who : str
        Goes into the ledger.
    options : IntakeOptions
        Progress, stop, processes.
    """

    def __init__(self, project: Project, who: str, options: IntakeOptions) -> None:
        self._project, self._who, self._options = project, who, options
        self._salt = project_secret(project)
        self._imported = Imported(project, self._salt)
        self._references = References(project)
        self._intake = Intake()
        self._values = Values()

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
        intake.notes.extend(self._values.notes())
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
        if image is None:
            return job
        if not self._tell(image, source, rows):
            return replace(job, rows=(), like=image)
        left = tuple(row for row in rows if row.mask and not self._has(image, row))
        if not left:
            return replace(job, rows=(), like=image)
        kept = self._references.of(image.id)
        return replace(job, rows=left, like=image, reference=kept[0] if kept else None)

    def _tell(self, image: Image, source: Source, rows: Sequence[TableRow]) -> bool:
        """Keep what a table says of an image that is there; False if that cannot be."""
        if not rows:
            return True
        what = str(source)
        try:
            told = told_of(self._project, image, rows[0])
            self._intake.notes.extend((what, note) for note in told.notes)
            if told.is_news:
                self._project.update_image(
                    image.id,
                    split=told.split,
                    group=told.group,
                    caption=told.caption,
                    who=self._who,
                )
        except UserError as error:
            self._intake.failed.append((what, str(error)))
            return False
        return True

    def _has(self, image: Image, row: TableRow) -> bool:
        """Whether a mask was imported, and is still there."""
        assert row.mask is not None
        if self._options.replace:  # somebody may have drawn since
            return False
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
                image, new = self._add(job, decoded)
                if not new and not self._tell(image, job.source, job.rows):
                    return
            else:
                intake.known += 1
        except UserError as error:
            intake.failed.append((what, str(error)))
            return
        assert image is not None
        for mask in decoded.masks:
            self._save(image, mask)

    def _add(self, job: Job, decoded: Decoded) -> tuple[Image, bool]:
        """Commit an image; False for one whose very pixels are there already."""
        assert decoded.staged is not None
        row = job.rows[0] if job.rows else None
        image, new = self._project.add_staged(
            decoded.staged,
            group=(row.group if row else "") or decoded.group,
            patient=decoded.group,
            split=row.split if row else Split.TRAIN,
            caption=row.caption if row else "",
            who=self._who,
        )
        self._intake.added += new
        self._intake.known += not new
        if decoded.reference is not None:
            self._references.keep(image.id, decoded.reference, job.source)
        self._imported.add(self._imported.stamp(job.source), image.id)
        return image, new

    def _save(self, image: Image, decoded: DecodedMask) -> None:
        """Commit one mask; an equal one that is there already is left alone."""
        row, what = decoded.row, str(decoded.row.mask)
        if not take_mask(
            self._project,
            image,
            decoded,
            self._intake,
            self._who,
            what,
            replace=self._options.replace,
        ):
            return
        self._values.met(decoded)
        target = self._project.target(row.target).id
        self._imported.add(self._stamp(row), f"{image.id}/{target}")


def _job_crashed(job: Job) -> Decoded:
    return Decoded(problem=crashed(str(job.source)))


def project_secret(project: Project) -> str:
    """Return the project's own secret for patients' pseudonyms, made if need be."""
    file = project.path / KEY_NAME
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_hex(16))
    return file.read_text()


def crashed(what: str) -> str:
    """Return what is told of a file that ended the process that read it."""
    return (
        f"'{what}' ended the process that decoded it: it is damaged, or its codec is "
        "at fault; copy or export it again."
    )
