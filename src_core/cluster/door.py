"""The door of a server: what clients may ask, and nothing else.

===============================  =======  =============================================
``GET /v1/hello``                anybody  who asks, and how many work here
``POST /v1/bundles``             clients  a manifest; the answer says what is missing
``POST /v1/blobs``               anybody  pieces of contents that were missing
``PUT /v1/jobs/ID``              clients  train on a bundle, or ask a model about its
                                          images; asking twice is the same
``GET /v1/jobs/ID``              clients  its state and news, waiting for some if asked
``POST /v1/jobs/ID/stop``        clients  end with the best so far
``GET /v1/jobs/ID/files/NAME``   clients  a part of a file that it made
``DELETE /v1/jobs/ID``           clients  forget it
``GET /v1/blobs/HASH``           servers  a part of a content
``PUT /v1/jobs/ID/checkpoint``   servers  what a worker has reached
===============================  =======  =============================================

"Anybody" still shows a certificate of one of the two authorities.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import ValidationError
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from src_core import __version__
from src_core.cluster.hub import Asked, Reached
from src_core.cluster.keyring import Peer, Role
from src_core.cluster.link import PROTOCOL
from src_core.cluster.records import Failure
from src_core.errors import BadInputError, LgsslError, NotFoundError

if TYPE_CHECKING:
    import ssl

    from src_core.cluster.hub import Hub

LOG: Final = logging.getLogger("lgssl.serve")
LARGEST_BODY: Final = 72 << 20
LARGEST_PART: Final = 8 << 20
LONGEST_WAIT: Final = 20.0
_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{1,15})")


def open_door(hub: Hub, host: str, port: int, context: ssl.SSLContext) -> HTTPServer:
    """Listen for clients; with port 0 any free one is taken."""
    routes: list[tuple[str, type[Door], dict[str, Hub]]] = [
        (path, handler, {"hub": hub}) for path, handler in ROUTES.items()
    ]
    server = HTTPServer(
        Application(routes, log_function=_log),
        ssl_options=context,
        max_body_size=LARGEST_BODY,
        max_buffer_size=LARGEST_BODY + (1 << 20),
        idle_connection_timeout=300,
        body_timeout=300,
    )
    server.listen(port, address=host)
    return server


class Door(RequestHandler):
    """One question: who asks, whether they may, and how a refusal is worded."""

    roles: ClassVar[frozenset[Role]] = frozenset(Role)

    def initialize(self, hub: Hub) -> None:
        """Take what all handlers share."""
        self.hub = hub
        self.peer = Peer("", Role.CLIENT, "", 0.0)

    def prepare(self) -> None:
        """Let in who has a certificate of the right kind that is still good."""
        found: Any = self.request.get_ssl_certificate()
        peer = Peer.of(found)
        if peer is None or peer.role not in self.roles:
            raise HTTPError(403, "this certificate is for something else")
        if peer.serial in self.hub.revoked():
            raise HTTPError(403, "this certificate was revoked")
        self.peer = peer

    def data_received(self, chunk: bytes) -> None:
        """Bodies are read whole, and their size is bounded."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with one sentence; what is none of a client's business is logged."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, LgsslError):
            self.set_status(400)
            self.finish(Failure.of(error).model_dump())
        elif isinstance(error, ValidationError):
            self.set_status(400)
            text = "The question is not worded as this server understands it; use the "
            text += "same version of lgssl-napari on both sides."
            self.finish({"kind": "BadInputError", "text": text})
        elif isinstance(error, HTTPError) and status_code == 403:
            text = f"The server does not let this computer in: {error.log_message}."
            self.finish({"kind": "UserError", "text": text})
        else:
            text = "The server failed inside; its log has the details."
            self.finish({"kind": "JobError", "text": text})

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Log what a person must look at; a sentence for the client is enough else."""
        if not isinstance(value, LgsslError | ValidationError | HTTPError):
            LOG.error("a question failed", exc_info=(kind, value, trace))

    def answer(self, found: dict[str, Any]) -> None:
        """Answer with JSON."""
        self.finish(found)

    def give(self, sha256: str, size: int | None = None) -> None:
        """Answer with the part of a content that was asked for."""
        asked = _RANGE.fullmatch(self.request.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2])) if asked else (0, LARGEST_PART - 1)
        length = min(last - first + 1, LARGEST_PART)
        if length < 1 or (size is not None and first >= size):
            raise BadInputError("There is no such part of the file.")
        self.set_status(206)
        self.set_header("Content-Type", "application/octet-stream")
        self.finish(self.hub.store.read(sha256, first, length))


class Hello(Door):
    """Who is there."""

    def get(self) -> None:
        """Say who asks, how long they may, and who works here."""
        found = {
            "program": "lgssl",
            "version": __version__,
            "protocol": PROTOCOL,
            "you": self.peer.name,
            "expires": self.peer.expires,
            "workers": self.hub.workers(),
        }
        if self.peer.role is Role.SERVER:
            found["inside"] = self.hub.inside()
        self.answer(found)


class Bundles(Door):
    """Manifests."""

    roles = frozenset({Role.CLIENT})

    async def post(self) -> None:
        """Take one in, and say what is missing."""
        self.answer(await asyncio.to_thread(self.hub.expect, self.request.body))


class Blobs(Door):
    """Contents on their way in."""

    async def post(self) -> None:
        """Take pieces in."""
        anything = self.peer.role is Role.SERVER
        body = self.request.body
        self.answer(await asyncio.to_thread(self.hub.take, body, anything=anything))


class Content(Door):
    """One content on its way to a worker of another machine."""

    roles = frozenset({Role.SERVER})

    def get(self, sha256: str) -> None:
        """Give a part of it."""
        self.give(sha256)


class Job(Door):
    """One job of the client that asks."""

    roles = frozenset({Role.CLIENT})

    async def put(self, job: str) -> None:
        """Take it in; the same again changes nothing."""
        asked = Asked.model_validate_json(self.request.body)
        entry = await asyncio.to_thread(self.hub.add, job, self.peer.name, asked)
        self.hub.start(entry)
        self.answer({"state": entry.record.state})

    async def get(self, job: str) -> None:
        """Say how it stands, and what it told since; waits for news if asked to."""
        entry = self.hub.book.of(self.peer.name, job)
        same = self.get_argument("epoch", "") == self.hub.book.epoch
        since = int(self.get_argument("since", "0")) if same else 0
        wait = min(float(self.get_argument("wait", "0")), LONGEST_WAIT)
        if same and not entry.since(since) and not entry.record.state.is_over:
            with suppress(TimeoutError):
                await asyncio.wait_for(entry.changed.wait(), wait)
        record, told = entry.record, entry.since(since)
        self.answer(
            {
                "state": record.state,
                "epoch": self.hub.book.epoch,
                "since": told[-1][0] if told else since,
                "events": [event for _, event in told],
                "result": record.result,
                "files": record.files,
                "failure": record.failure and record.failure.model_dump(),
            }
        )

    def delete(self, job: str) -> None:
        """Forget it."""
        self.hub.forget(self.hub.book.of(self.peer.name, job))
        self.answer({})


class Stop(Door):
    """The wish that a job end."""

    roles = frozenset({Role.CLIENT})

    def post(self, job: str) -> None:
        """Ask it to end with the best it has."""
        self.hub.stop(self.hub.book.of(self.peer.name, job))
        self.answer({})


class File(Door):
    """A file that a job made."""

    roles = frozenset({Role.CLIENT})

    def get(self, job: str, name: str) -> None:
        """Give a part of it."""
        files = self.hub.book.of(self.peer.name, job).record.files
        if name not in files:
            raise NotFoundError(f"The training made no file '{name[:80]}'.")
        self.give(*files[name])


class Checkpoint(Door):
    """What a worker of another machine has reached."""

    roles = frozenset({Role.SERVER})

    def put(self, job: str) -> None:
        """Take note of it."""
        entry = self.hub.book.find(job)
        if entry is not None and not entry.record.state.is_over:
            files = Reached.model_validate_json(self.request.body).files
            update = {"checkpoint": files}
            entry.record = entry.record.model_copy(update=update)
            self.hub.book.save(entry)
        self.answer({})


def _log(handler: RequestHandler) -> None:
    """Log what was refused; what went well is many lines of little use."""
    if handler.get_status() == 403 and isinstance(handler, Door):
        LOG.warning("refused %s %s", handler.request.remote_ip, handler.request.path)


_JOB = r"/v1/jobs/([0-9a-f]{32})"
ROUTES: Final[dict[str, type[Door]]] = {
    "/v1/hello": Hello,
    "/v1/bundles": Bundles,
    "/v1/blobs": Blobs,
    r"/v1/blobs/([0-9a-f]{64})": Content,
    _JOB: Job,
    f"{_JOB}/stop": Stop,
    f"{_JOB}/checkpoint": Checkpoint,
    rf"{_JOB}/files/([a-z0-9][a-z0-9._-]{{0,60}})": File,
}
