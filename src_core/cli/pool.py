"""Commands about a whole pool at once, here or on all workers of a server."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from src_core.cli.cluster import KeysFolder
from src_core.cli.console import AsJson, ProjectFolder, emit, progress_bar, tell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from src_core.answers import Answerer
    from src_core.cluster.link import Server
    from src_core.jobs import Event
    from src_core.store import Project
    from src_core.types import Image

    Found = tuple[Image, NDArray[np.uint8], float, bool]

Scheduler = Annotated[
    str, typer.Option(help="tls://host:port of a server: all its workers take part.")
]
TABLE = "answers.csv"


def survey(
    project: ProjectFolder,
    version: Annotated[
        str, typer.Option("--version", help="A version; else what answers.")
    ] = "",
    scheduler: Scheduler = "",
    keys: KeysFolder = None,
    as_json: AsJson = False,
) -> None:
    """Ask the model about every image, so that the next one is chosen at once."""
    from src_core.engine import Engine
    from src_core.rounds import promoted
    from src_core.store import Project
    from src_core.worker import look_job

    started = time.monotonic()
    with Project.open(project) as opened, _bar() as show, Engine() as engine:
        wanted = version or promoted(opened) or ""
        if scheduler and wanted:
            from src_core.cluster.pool import survey_there

            survey_there(opened, wanted, _server(scheduler, keys), show)
        # What is not asked of a model is looked at here, and soon done.
        job = engine.submit(look_job, str(opened.path), wanted, on_event=show)
        found = job.result()
    payload = {**found, "version": wanted, "seconds": time.monotonic() - started}
    asked = found["survey"]
    sentence = (
        f"{found['looks'][0]} of {found['looks'][1]} pictures looked at; there is no "
        "model to ask yet."
        if asked is None
        else f"{wanted} was asked about {asked[0]} of {asked[1]} images."
    )
    emit(payload, sentence, as_json=as_json)


def predict_all(
    project: Path,
    prompt: str,
    out: Path,
    version: str,
    scheduler: str,
    keys: Path | None,
) -> dict[str, Any]:
    """Find something in every image of a project; the masks go into a folder.

    Beside them lies a table of what was found where.

    Parameters
    ----------
    project, out : Path
        The project; the folder, made if missing.
    prompt : str
        What to find.
    version : str
        The model version; what answers if empty.
    scheduler : str
        A server, whose workers all take part; this process alone if empty.
    keys : Path, optional
        Folder of this computer's certificates.

    Returns
    -------
    dict
        ``{"images", "found", "failed", "version", "seconds", "out"}``.
    """
    from src_core.imaging import write_mask
    from src_core.imaging.names import Names
    from src_core.rounds import answerer, deployed_card
    from src_core.store import Project

    started, rows, names = time.monotonic(), [], Names()
    with Project.open(project) as opened, _bar() as show:
        images = opened.images()
        if scheduler:
            wanted = deployed_card(opened, version or None).version
            server = _server(scheduler, keys)
            answers = _asked_there(opened, images, prompt, wanted, server, show)
        else:
            model = answerer(opened, version)
            wanted = model.name
            answers = _asked_here(opened, images, prompt, model, show)
        out.mkdir(parents=True, exist_ok=True)
        for image, mask, score, present in answers:
            kind = ".nii.gz" if "z" in image.axes else ".png"
            file = out / f"{names.new(image.id.removesuffix(kind))}{kind}"
            write_mask(file, mask, like=image)
            rows.append([image.id, file.name, present, round(score, 4), mask.sum()])
    with (out / TABLE).open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["image", "mask", "present", "score", "pixels"])
        writer.writerows(sorted(rows))
    return {
        "images": len(rows),
        "found": sum(row[2] for row in rows),
        "failed": len(images) - len(rows),
        "version": wanted,
        "seconds": round(time.monotonic() - started, 2),
        "out": str(out),
    }


def _asked_here(
    project: Project,
    images: list[Image],
    prompt: str,
    model: Answerer,
    show: Callable[[Event], None],
) -> Iterator[Found]:
    from src_core.errors import StoreError

    for done, image in enumerate(images, start=1):
        try:
            pixels = project.pixels(image)
            answer = model.predict(pixels, image.axes, [prompt], like=image)[0]
        except StoreError as error:  # the others can still be asked about
            tell(str(error))
            continue
        yield image, answer.mask, answer.score, answer.present
        event = {"kind": "looking", "text": "asking the model"}
        show({**event, "done": done, "total": len(images)})


def _asked_there(
    project: Project,
    images: list[Image],
    prompt: str,
    version: str,
    server: Server,
    show: Callable[[Event], None],
) -> Iterator[Found]:
    from src_core.cluster.pool import predict_there

    for image, found in predict_there(project, images, [prompt], version, server, show):
        yield image, found.masks[0], float(found.scores[0]), bool(found.present[0])


def _server(scheduler: str, keys: Path | None) -> Server:
    from src_core.cluster.address import parse_address
    from src_core.cluster.keyring import Keys
    from src_core.cluster.link import Server

    parse_address(scheduler)  # before asking for certificates
    return Server(scheduler, Keys.find(keys))


@contextmanager
def _bar() -> Iterator[Callable[[Event], None]]:
    with progress_bar() as bars:
        task = bars.add_task("starting", total=1.0, note="")

        def show(event: Event) -> None:
            if event["kind"] == "looking":
                done, total = event["done"], max(1, event["total"])
                note = f"{done} of {total}"
                share = done / total
                bars.update(task, completed=share, description=event["text"], note=note)
            elif event["kind"] == "phase":
                bars.update(task, description=event["text"])
            else:
                tell(event["text"])

        yield show


COMMANDS: dict[str, Callable[..., None]] = {"survey": survey}
