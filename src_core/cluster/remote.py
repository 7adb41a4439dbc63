"""Trainings on a server, seen from the project's side."""

from __future__ import annotations

import uuid
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src_core.cluster.following import RemoteJob
from src_core.cluster.left import Left, drop_note, left_behind
from src_core.errors import JobError, NotFoundError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from src_core.cluster.link import Server
    from src_core.jobs import Event


def _ignore(event: Event) -> None:
    """Nobody listens."""


class RemoteEngine:
    """Runs trainings on a server; used like :class:`src_core.engine.Engine`.

    Parameters
    ----------
    server : Server
        Where.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._followed: weakref.WeakSet[RemoteJob] = weakref.WeakSet()
        server.link()  # address and certificates are usable, or that is said now

    def submit(
        self,
        work: Callable[..., Any],
        *arguments: Any,
        on_event: Callable[[Event], None] | None = None,
        ranks: int = 1,
    ) -> RemoteJob:
        """Hand a training in; :func:`src_core.worker.train_job` and nothing else.

        How many ranks it has stands in the request, and is the server's to see to.

        Raises
        ------
        JobError
            If it is another function: a server is sent values, never code.
        """
        if work.__name__ != "train_job":
            raise JobError(f"A server does not run '{work.__name__}', only trainings.")
        project, position, request = arguments
        return self.train(Path(project), position, request, on_event)

    def train(
        self,
        project: Path,
        position: int,
        request: str,
        on_event: Callable[[Event], None] | None = None,
    ) -> RemoteJob:
        """Find the training that this project handed in before, or prepare a new one.

        Parameters
        ----------
        project : Path
            The project's folder.
        position : int
            The ledger position to train at.
        request : str
            A :class:`src_core.rounds.RoundRequest` as JSON.
        on_event : callable, optional
            Called with each event that the job tells.

        Returns
        -------
        RemoteJob
            Its ``result()`` sends what is missing, and waits.

        Raises
        ------
        UserError
            If the project has a training on another server.
        """
        left = left_behind(project)
        if left is not None and left.scheduler != self.server.address:
            raise UserError(
                f"Since {left.since} this project has a training on "
                f"'{left.scheduler}'; follow it there, or give it up with "
                "'lgssl train --abandon'."
            )
        wish = Left(
            scheduler=self.server.address,
            job=uuid.uuid4().hex,
            position=position,
            request=request,
            since=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        job = RemoteJob(left, wish, self.server, project, on_event or _ignore)
        self._followed.add(job)
        return job

    def close(self) -> None:
        """Follow no job any more; they go on there."""
        for job in list(self._followed):
            job.let_go()

    def __enter__(self) -> RemoteEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def abandon(project: Path, server: Server | None) -> Left | None:
    """Give up the training that a project handed in.

    Parameters
    ----------
    project : Path
        The project's folder.
    server : Server or None
        To have it end there; None only forgets it here.

    Returns
    -------
    Left or None
        What was given up.
    """
    left = left_behind(project)
    if left is not None:
        if server is not None:
            with server.link() as link, suppress(NotFoundError):
                link.ask("DELETE", f"/v1/jobs/{left.job}")
        drop_note(project)
    return left
