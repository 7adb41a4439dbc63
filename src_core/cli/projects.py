"""Commands on a project's images, masks and history."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from src_core.cli.console import (
    AsJson,
    ProjectFolder,
    Who,
    emit,
    progress_bar,
    tell,
    user,
)

if TYPE_CHECKING:
    from src_core.exchange import Intake, IntakeOptions
    from src_core.types import Revision

Take = Annotated[
    str,
    typer.Option(
        help="Of a series in time (4-D NIfTI, film, cine MR): all, first, middle or a "
        "number from 0.",
        show_default=False,
    ),
]


def init(
    project: ProjectFolder,
    backup: Annotated[
        Path | None,
        typer.Option(
            "--from-backup",
            help="A file of lgssl backup: make the project that it holds.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an empty project, or one from a backup."""
    from src_core.store import Project

    made = Project.from_backup(backup, project) if backup else Project.create(project)
    with made:
        nameless = made.nameless_groups()
    if nameless:
        tell(
            "The backup holds no patients' names: whoever is in it already would be "
            "taken for somebody new, and could be tested on as well as learned from. "
            "Before you add images, copy 'groups.jsonl' and 'pseudonyms.key' from the "
            f"old project into '{project}', or make the backup again with --names."
        )
    emit({"project": str(project)}, f"Made the project '{project}'.", as_json=as_json)


def import_(
    project: ProjectFolder,
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV with a row per image and target; or an nnU-Net folder, a COCO "
            "file, or DICOM-SEG files."
        ),
    ],
    take: Take = "",
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Let masks take the place of others, which stay in the history.",
        ),
    ] = False,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Import images, masks and targets named in a table."""
    from src_core.exchange import import_any
    from src_core.store import Project

    with Project.open(project, mode="rw") as opened:
        _take_in(
            lambda options: import_any(
                opened, table, who=who or user(), options=options
            ),
            take,
            as_json,
            replace=replace,
        )


def add(
    project: ProjectFolder,
    files: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    take: Take = "",
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Add pictures that nobody has labelled yet."""
    from src_core.exchange import add_files
    from src_core.imaging import Source
    from src_core.store import Project

    sources = [Source.of(file) for file in files]
    with Project.open(project, mode="rw") as opened:
        _take_in(
            lambda options: add_files(
                opened, sources, who=who or user(), options=options
            ),
            take,
            as_json,
        )


def _take_in(
    work: Callable[[IntakeOptions], Intake],
    take: str,
    as_json: bool,
    *,
    replace: bool = False,
) -> None:
    from src_core.exchange import IntakeOptions

    with progress_bar() as bars:
        task = bars.add_task("importing", total=None, note="")

        def notify(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        try:
            intake = work(IntakeOptions(notify=notify, take=take, replace=replace))
        except KeyboardInterrupt:
            bars.stop()
            tell(
                "Stopped. What was taken in until then is in the project; the same "
                "command goes on from there."
            )
            raise
    told = [f"  {path}: {text}" for path, text in (*intake.failed, *intake.notes)]
    emit(
        {
            "added": intake.added,
            "known": intake.known,
            "masks": intake.masks,
            "replaced": intake.replaced,
            "failed": [{"file": f, "reason": r} for f, r in intake.failed],
            "notes": [{"file": f, "note": n} for f, n in intake.notes],
        },
        "\n".join([intake.sentence, *told]),
        as_json=as_json,
    )
    if intake.failed and not (intake.known or intake.changed):
        raise typer.Exit(2)  # nothing of what was asked for could be done


def target(
    project: ProjectFolder,
    name: Annotated[str, typer.Argument(help="Of the target.")],
    prompt: Annotated[
        list[str] | None, typer.Option(help="A wording that means it.")
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            help="How CT is shown for it: lung, soft-tissue, bone or brain; '' lets "
            "its wordings decide."
        ),
    ] = None,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Make a target known, add wordings to it, choose its CT window."""
    from src_core.imaging.windows import preset_named, window_of_target
    from src_core.store import Project

    chosen = None if window is None else preset_named(window)
    with Project.open(project, mode="rw") as opened:
        found = opened.add_target(name, prompt or (), who or user(), window=chosen)
    shown = window_of_target(found)
    emit(
        {
            "target": found.name,
            "prompts": list(found.prompts),
            "window": found.window,
            "shown_with": shown,
        },
        f"'{found.name}': CT is shown with the {shown} window; wordings: "
        f"{', '.join(found.wordings)}.",
        as_json=as_json,
    )


def history(
    project: ProjectFolder,
    image: Annotated[str, typer.Option(help="Only this image.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many revisions.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List who changed what, when, and from what."""
    from src_core.store import Project

    with Project.open(project) as opened:
        wanted = opened.image(image).id if image else None
        revisions = opened.history(image=wanted, limit=limit)
    emit(
        {"revisions": [_plain(revision) for revision in revisions]},
        "\n".join(_line(revision) for revision in revisions)
        or "Nothing has happened yet.",
        as_json=as_json,
    )


def _plain(revision: Revision) -> dict[str, Any]:
    return dataclasses.asdict(revision)


def _line(revision: Revision) -> str:
    source = revision.source
    origin = f" from {source.model} for '{source.prompt}'" if source.model else ""
    where = f" {revision.image}/{revision.target}" if revision.target else ""
    where = where or (f" {revision.image}" if revision.image else "")
    status = f" ({revision.status})" if revision.status else ""
    note = f" - {revision.note}" if revision.note else ""
    what = f"{revision.what}{where}{status}{origin}{note}"
    return f"{revision.number:>6}  {revision.when}  {revision.who}: {what}"


def restore(
    project: ProjectFolder,
    revision: Annotated[int, typer.Argument(help="Its number in the history.")],
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Bring a mask back as it was; itself a new revision."""
    from src_core.store import Project

    with Project.open(project, mode="rw") as opened:
        new = opened.restore(revision, who or user())
    emit(
        {"revision": new.number, "restored": revision},
        f"Revision {revision} stands again, as revision {new.number}.",
        as_json=as_json,
    )


def verify(project: ProjectFolder, as_json: AsJson = False) -> None:
    """Check every hash: the chain of revisions, the masks and the images."""
    from src_core.errors import CorruptError
    from src_core.store import Project

    with Project.open(project) as opened:
        findings = opened.verify()
        position = opened.position
    listed = [dataclasses.asdict(finding) for finding in findings]
    emit(
        {"ok": not findings, "findings": listed, "position": position},
        "" if findings else f"All {position} revisions and every image are intact.",
        as_json=as_json,
    )
    if findings:
        first = findings[0]
        raise CorruptError(
            f"{len(findings)} damaged places; the first is {first.where}: "
            f"{first.problem} Make it anew from a backup: `lgssl init NEW_FOLDER "
            "--from-backup FILE`."
        )


def backup(
    project: ProjectFolder,
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    names: Annotated[
        bool,
        typer.Option(
            "--names",
            help="With patients' names, and which files of an archive the images are.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write one consistent file, also while the window is open."""
    from src_core.store import Project

    with Project.open(project) as opened:
        opened.backup(file, names=names)
    size = file.stat().st_size
    emit(
        {"file": str(file), "bytes": size},
        f"Wrote '{file}' ({size / 1e6:.1f} MB).",
        as_json=as_json,
    )


def export(
    project: ProjectFolder,
    out: Annotated[Path, typer.Argument(help="The folder to write to.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="png, nifti, ome-zarr, coco, dicom-seg or table."
        ),
    ],
    names: Annotated[
        bool | None,
        typer.Option(
            "--names/--no-names",
            help="Copy patients' names into DICOM-SEG; asked for if not given.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write all finished masks in a format that other programs read."""
    from src_core.exchange import NAMING, ExportOptions, export_project
    from src_core.store import Project

    if names is None and format_ in NAMING and not as_json and sys.stdin.isatty():
        names = typer.confirm(
            "Copy the patients' names, numbers and dates from the original files into "
            "the segmentations? An archive needs them to file these with the patient.",
            default=False,
        )
    options = ExportOptions(names=bool(names))
    with Project.open(project) as opened:
        written = export_project(opened, out, format_, options)
    emit(
        {"files": [str(path) for path in written], "format": format_},
        f"Wrote {len(written)} files to '{out}'.",
        as_json=as_json,
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "import": import_,
    "add": add,
    "target": target,
    "history": history,
    "restore": restore,
    "verify": verify,
    "backup": backup,
    "export": export,
}
