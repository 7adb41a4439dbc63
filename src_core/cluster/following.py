"""One training on a server: handed in, followed through lost connections, fetched."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from src_core.cluster.left import drop_note, write_note
from src_core.cluster.link import PROTOCOL
from src_core.cluster.news import read_news
from src_core.cluster.patience import Patience
from src_core.cluster.records import State
from src_core.cluster.trouble import Unreachable, as_error, days_left
from src_core.errors import JobLostError, LgsslError, NotFoundError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from src_core.cluster.left import Left
    from src_core.cluster.link import Link, Server
    from src_core.cluster.pack import Bundle
    from src_core.cluster.receive import Wanted
    from src_core.jobs import Event

WAIT: Final = 10.0
_WARN_DAYS: Final = 30
MIB: Final = 1 << 20


def ask_to_end(left: Left, server: Server) -> None:
    """Ask the training that a project handed in to end with the best it has."""
    with server.link() as link:
        link.ask("POST", f"/v1/jobs/{left.job}/stop")


def greet(link: Link, tell: Callable[[str], None]) -> None:
    """See who is there, and say what a person should know of it.

    Raises
    ------
    UserError
        If it speaks another protocol.
    """
    found = link.ask("GET", "/v1/hello")
    if found.get("protocol") != PROTOCOL:
        raise UserError(
            f"'{link.address}' speaks another protocol; use the same version of "
            "lgssl-napari on both sides."
        )
    days = days_left(float(found.get("expires", 0)))
    if days < _WARN_DAYS:
        tell(f"This computer's certificate expires in {days} days; ask for another.")


def send_bundle(link: Link, bundle: Bundle, told: Callable[[int, int], None]) -> None:
    """Send a bundle's list, and those contents that the server has not got.

    Parameters
    ----------
    link : Link
        The way to the server.
    bundle : Bundle
        Its project is still open.
    told : callable
        Called with the bytes sent so far, and all of them.
    """
    for _ in range(3):
        said = link.ask("POST", "/v1/bundles", bundle.manifest)
        missing = {h: bundle.blobs[h] for h in said.get("missing", ())}
        begun = {h: int(n) for h, n in dict(said.get("begun", {})).items()}
        total = sum(missing.values())
        try:
            link.send(missing, bundle.read, partial(_of, told, total), begun)
            return
        except NotFoundError:  # the server was started anew meanwhile
            continue


def _of(told: Callable[[int, int], None], total: int, sent: int) -> None:
    told(sent, total)


class RemoteJob:
    """A job on a server; used like :class:`src_core.jobs.Job`.

    Parameters
    ----------
    left : Left or None
        What the project notes of one that was handed in before.
    wish : Left
        What is handed in if there is none, or the server does not know it.
    server : Server
        Where.
    project : Path
        The project's folder.
    on_event : callable
        Called with what the job tells.

    Attributes
    ----------
    sent : int
        Bytes that were sent so far, questions included.
    """

    def __init__(
        self,
        left: Left | None,
        wish: Left,
        server: Server,
        project: Path,
        on_event: Callable[[Event], None],
    ) -> None:
        self.left, self._wish, self._is_known = left or wish, wish, left is not None
        self._server, self._project = server, project
        self._on_event = on_event
        self._link = server.link()
        self._stop = threading.Event()
        self._patience = Patience(
            server,
            lambda text: self._tell("note", text),
            "The training",
            "train there again",
        )
        self._patience.handed_in = self.left.handed_in
        self._epoch, self._since = "", 0

    @property
    def id(self) -> str:
        """The job's id, there and here."""
        return self.left.job

    @property
    def sent(self) -> int:
        """Bytes that were sent so far."""
        return self._link.sent

    def stop(self) -> None:
        """Ask the job to end with the best it has; returns at once."""
        self._stop.set()
        if self.left.handed_in:
            threading.Thread(target=self._say_stop, daemon=True).start()

    def let_go(self) -> None:
        """Follow the job no more; who waits for its result is told so."""
        self._patience.let_go()
        self._link.abort()

    def result(self) -> dict[str, Any]:
        """Hand the job in if that is due, wait for it, and write its model.

        A connection that breaks is told of, and taken up again.

        Returns
        -------
        dict
            ``RoundResult.as_dict()``.

        Raises
        ------
        UserError, StoreError, JobError
            What the job raised there.
        JobLostError
            If the server stays out of reach; the job may go on there, and the next
            call finds it.
        CorruptError
            If the model that came is not one that was asked for.
        """
        from src_core.cluster.blobs import BlobStore
        from src_core.cluster.receive import receive

        if self._is_known:
            self._patience.do(self._greet)
            self._patience.do(self._find_again)
        else:
            self._meet()
        if not self.left.handed_in:
            self._patience.do(self._hand_in)
        answer = self._patience.do(self._until_over)
        if answer["state"] == State.FAILED:
            failure = answer.get("failure") or {}
            self.settle()
            raise as_error(str(failure.get("kind")), str(failure.get("text")))
        store = BlobStore(self._project / "jobs" / "remote")
        wanted, models = self._wanted(), self._project / "models"
        self._tell("phase", "fetching the model")
        return self._patience.do(
            lambda: receive(self._link, self.id, answer, store, models, wanted)
        )

    def settle(self) -> None:
        """Forget the job, here and there; call when its model has been dealt with."""
        drop_note(self._project)
        with suppress(Unreachable, NotFoundError):
            self._link.ask("DELETE", f"/v1/jobs/{self.id}")
        self._link.close()

    # ------------------------------------------------------------------- steps
    def _greet(self) -> None:
        greet(self._link, lambda text: self._tell("note", text))

    def _meet(self) -> None:
        """Greet a server for the first time: no training waits for its answer yet.

        Raises
        ------
        UserError
            If it does not answer.
        """
        try:
            self._greet()
        except Unreachable as error:
            raise UserError(str(error)) from error

    def _find_again(self) -> None:
        """See whether the server knows what was handed in; else take the new wish."""
        try:
            self._link.ask("GET", f"/v1/jobs/{self.id}")
        except NotFoundError:
            if self.left.handed_in:
                self._tell(
                    "note",
                    f"The server no longer knows the training of {self.left.since}; "
                    "this is a new one.",
                )
            self.left, self._patience.handed_in = self._wish, False
            return
        # It may have got there although we never heard so.
        self.left = self.left.model_copy(update={"handed_in": True})
        self._patience.handed_in = True
        self._tell(
            "note",
            f"Following the training that was handed in {self.left.since}; options "
            "given now are not used.",
        )

    def _hand_in(self) -> None:
        """Send what the server has not got, then the job itself."""
        from src_core.cluster.pack import pack
        from src_core.rounds import RoundRequest
        from src_core.store import Project

        self._tell("phase", "packing")
        write_note(self._project, self.left)
        request = RoundRequest.model_validate_json(self.left.request)
        with Project.open(self._project, at=self.left.position) as frozen:
            bundle = pack(frozen, request)
            send_bundle(self._link, bundle, self._sending)
        assert bundle.request is not None
        text = bundle.request.model_dump_json()
        self.left = self.left.model_copy(update={"request": text})
        write_note(self._project, self.left)
        asked = {"bundle": bundle.name, "request": text}
        self._link.ask("PUT", f"/v1/jobs/{self.id}", asked)
        self.left = self.left.model_copy(update={"handed_in": True})
        self._patience.handed_in = True
        write_note(self._project, self.left)

    def _sending(self, sent: int, total: int) -> None:
        self._patience.back()
        if self._stop.is_set():
            self.settle()
            raise UserError("The training was stopped before it was handed in.")
        self._tell("phase", f"sending {sent / MIB:.0f} of {total / MIB:.0f} MiB")

    def _until_over(self) -> dict[str, Any]:
        """Follow the job until it is over, from whatever was heard last."""
        while True:
            if self._stop.is_set():
                self._link.ask("POST", f"/v1/jobs/{self.id}/stop")
                self._stop.clear()
            query = f"epoch={self._epoch}&since={self._since}&wait={WAIT:.0f}"
            try:
                answer = self._link.ask(
                    "GET", f"/v1/jobs/{self.id}?{query}", patience=WAIT
                )
            except NotFoundError as error:
                drop_note(self._project)
                raise JobLostError(
                    "The server no longer knows this training (its folder was emptied, "
                    "or it waited a month); start it again."
                ) from error
            self._patience.back()
            self._epoch = str(answer.get("epoch"))
            self._since = int(answer.get("since", 0))
            for event in answer.get("events", ()):
                news = read_news(event)
                if news is not None:
                    self._on_event(news)
            if answer.get("state") in (State.DONE, State.FAILED):
                return answer

    def _wanted(self) -> Wanted:
        from src_core.checkpoints import load_card
        from src_core.cluster.pack import travelling
        from src_core.cluster.receive import Wanted
        from src_core.rounds import RoundRequest, promoted
        from src_core.store import Project

        request = RoundRequest.model_validate_json(self.left.request)
        settings = request.settings
        with Project.open(self._project, at=self.left.position) as frozen:
            parent = promoted(frozen)
            if parent is not None and not request.fresh:
                old = load_card(frozen.models_dir / parent).settings
                update = {"frame": old.frame, "text": old.text}
                settings = settings.model_copy(update=update)
            images = [image.id for image, _, _ in travelling(frozen)]
            targets = [target.id for target in frozen.targets()]
        return Wanted(settings, images, targets, self.left.position, parent or "")

    def _say_stop(self) -> None:
        with suppress(LgsslError):  # said again by whoever follows the job
            ask_to_end(self.left, self._server)

    def _tell(self, kind: str, text: str) -> None:
        self._on_event({"kind": kind, "text": text})
