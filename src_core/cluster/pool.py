"""A project's pool asked about on a server, by all of its workers."""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from src_core.checkpoints import load_card
from src_core.cluster.asking import (
    LARGEST,
    Question,
    load_answer,
    read_masks,
    read_survey,
    shard_name,
)
from src_core.cluster.blobs import BlobStore
from src_core.cluster.following import MIB, WAIT, greet, send_bundle
from src_core.cluster.news import read_news
from src_core.cluster.pack import pack_pool
from src_core.cluster.patience import Patience
from src_core.cluster.receive import fetch_file
from src_core.cluster.records import State
from src_core.cluster.trouble import Unreachable, as_error
from src_core.errors import JobError, JobLostError, NotFoundError, UserError
from src_core.rounds.survey import (
    Coverage,
    survey_shelf,
    surveyed_targets,
    training_images,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from src_core.cluster.asking import MaskAnswer
    from src_core.cluster.link import Link, Server
    from src_core.jobs import Event
    from src_core.store import Project
    from src_core.types import Image

AT_ONCE: Final = 10_000
"""Images a bundle: a list of so many has some megabytes."""


def survey_there(
    project: Project,
    version: str,
    server: Server,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Coverage:
    """Have a server's workers ask a model about the images it was not asked about.

    What comes is kept as it comes: stopped or broken off, the next call asks about the
    rest.

    Parameters
    ----------
    project : Project
        Only read; the rows go into its cache.
    version : str
        The model version.
    server : Server
        Where.
    on_event : callable, optional
        Called with what the server tells.

    Raises
    ------
    UserError, JobError
        As :meth:`Pool.ask`.
    """
    card = load_card(project.models_dir / version)
    targets = [project.target(name) for name in surveyed_targets(project, card)]
    everything, shelf = training_images(project), survey_shelf(project, card)
    known = shelf.ids()
    missing = [image for image in everything if image.id not in known]
    done = len(everything) - len(missing)
    if not targets:
        return Coverage(0, 0)
    prompts = tuple(target.wordings[0] for target in targets)
    question = Question(what="survey", prompts=prompts)
    pool = Pool(project, version, server, on_event)
    for some in _parts(missing):
        for images, path in pool.ask(some, question):
            found = load_answer(path)
            if len(found["row"]) == 0:
                continue
            found = read_survey(found, question, images)
            rows = found.pop("row").tolist()
            shelf.add([some[row].id for row in rows], found)
            done += len(rows)
    shelf.compact()
    return Coverage(done, len(everything), len(everything) - done)


def predict_there(
    project: Project,
    images: Sequence[Image],
    prompts: Sequence[str],
    version: str,
    server: Server,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Iterator[tuple[Image, MaskAnswer]]:
    """Have a server's workers find something in many images.

    Parameters
    ----------
    project : Project
        Kept open until the end.
    images : sequence of Image
        Which; one that cannot be read is left out of the answers.
    prompts : sequence of str
        What to find.
    version : str
        The model version.
    server : Server
        Where.
    on_event : callable, optional
        Called with what the server tells.

    Yields
    ------
    (Image, MaskAnswer)
        As they come, in any order.
    """
    question = Question(what="masks", prompts=tuple(prompts))
    pool = Pool(project, version, server, on_event)
    for some in _parts(images):
        shapes = {n: tuple(image.spatial_shape) for n, image in enumerate(some)}
        for asked, path in pool.ask(some, question):
            found = load_answer(path)
            if len(found["row"]):
                for answer in read_masks(found, question, asked, shapes):
                    yield some[answer.row], answer


def _parts(images: Sequence[Image]) -> Iterator[Sequence[Image]]:
    for first in range(0, len(images), AT_ONCE):
        yield images[first : first + AT_ONCE]


class Pool:
    """Images of a project, and a server whose workers ask a model about them.

    Parameters
    ----------
    project : Project
        Kept open until the end.
    version : str
        The model version.
    server : Server
        Where.
    on_event : callable
        Called with what the server tells.
    """

    def __init__(
        self,
        project: Project,
        version: str,
        server: Server,
        on_event: Callable[[Event], None],
    ) -> None:
        self._project, self._version, self._server = project, version, server
        self._on_event = on_event
        self._store = BlobStore(project.path / "jobs" / "remote")
        self._stop = threading.Event()

    def stop(self) -> None:
        """Have the server end; what it has answered so far still comes."""
        self._stop.set()

    def ask(
        self, images: Sequence[Image], question: Question
    ) -> Iterator[tuple[range, Path]]:
        """Hand images in, and yield each shard's answer as it comes.

        Parameters
        ----------
        images : sequence of Image
            Which.
        question : Question
            What is asked.

        Yields
        ------
        (range, Path)
            The numbers of the shard's images, and the file of its answer, which is
            dropped afterwards.

        Raises
        ------
        UserError
            If the server does not answer at all.
        JobError
            If it says that it failed, or stays out of reach.
        """
        job = uuid.uuid4().hex
        with self._server.link() as link:
            patience = Patience(
                self._server, self._say, "The work", "give the same command again"
            )
            self._meet(link)
            bundle = pack_pool(self._project, images, self._version)

            def sending(sent: int, total: int) -> None:
                patience.back()
                text = f"sending {sent / MIB:.0f} of {total / MIB:.0f} MiB"
                self._on_event({"kind": "phase", "text": text})

            patience.do(lambda: send_bundle(link, bundle, sending))
            request = question.model_dump_json()
            asked = {"bundle": bundle.name, "request": request, "kind": "ask"}
            patience.do(lambda: link.ask("PUT", f"/v1/jobs/{job}", asked))
            patience.handed_in = True
            try:
                yield from self._answers(
                    link, patience, job, question.shards(len(images))
                )
            finally:
                with suppress(Unreachable, NotFoundError):
                    link.ask("DELETE", f"/v1/jobs/{job}")

    def _answers(
        self, link: Link, patience: Patience, job: str, shards: list[range]
    ) -> Iterator[tuple[range, Path]]:
        epoch, since, taken = "", 0, set[str]()
        while True:
            if self._stop.is_set():
                patience.do(lambda: link.ask("POST", f"/v1/jobs/{job}/stop"))
                self._stop.clear()
            query = f"/v1/jobs/{job}?epoch={epoch}&since={since}&wait={WAIT:.0f}"
            answer = patience.do(partial(_news, link, query))
            epoch, since = str(answer.get("epoch")), int(answer.get("since", 0))
            for event in answer.get("events", ()):
                if (news := read_news(event)) is not None:
                    self._on_event(news)
            files = dict(answer.get("files") or {})
            for number, images in enumerate(shards):
                name = shard_name(number)
                if name in files and name not in taken:
                    path = self._fetched(link, patience, job, name, files[name])
                    taken.add(name)
                    yield images, path
                    self._store.drop(path.name)
            if answer.get("state") == State.FAILED:
                failure = answer.get("failure") or {}
                raise as_error(str(failure.get("kind")), str(failure.get("text")))
            if answer.get("state") == State.DONE:
                return

    def _fetched(
        self, link: Link, patience: Patience, job: str, name: str, blob: Any
    ) -> Path:
        sha256, size = str(blob[0]), int(blob[1])
        if size > LARGEST:
            raise JobError("The server's answer is larger than any can be.")
        told = (sha256, size)
        patience.do(lambda: fetch_file(link, job, name, told, self._store))
        return self._store.path(sha256)

    def _meet(self, link: Link) -> None:
        try:
            greet(link, self._say)
        except Unreachable as error:
            raise UserError(str(error)) from error

    def _say(self, text: str) -> None:
        self._on_event({"kind": "note", "text": text})


def _news(link: Link, query: str) -> dict[str, Any]:
    try:
        return link.ask("GET", query, patience=WAIT)
    except NotFoundError as error:
        raise JobLostError(
            "The server no longer knows what it was asked (its folder was emptied); "
            "give the same command again: what has come is kept."
        ) from error
