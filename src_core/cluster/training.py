"""One training, here or on a server: from the wish to the version that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from src_core.engine import Engine
from src_core.rounds import RoundRequest, ensure_validation, promote_result
from src_core.worker import train_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from src_core.jobs import Event
    from src_core.store import Project


class JobLike(Protocol):
    """What is used of a job, wherever it runs."""

    def stop(self) -> None:
        """Ask it to end with the best it has; returns at once."""
        ...

    def result(self) -> Any:
        """Wait for what it returns."""
        ...

    def settle(self) -> None:
        """Forget it: what it gave has been dealt with."""
        ...


class EngineLike(Protocol):
    """What is used of an engine: a local worker's, or a server's."""

    def submit(
        self,
        work: Callable[..., Any],
        *arguments: Any,
        on_event: Callable[[Event], None] | None = None,
        ranks: int = 1,
    ) -> JobLike:
        """Start a job, which so many tasks do together."""
        ...

    def close(self) -> None:
        """End what is local."""
        ...


def engine_for(scheduler: str | None, keys: Path | None = None) -> EngineLike:
    """Return where trainings run.

    Parameters
    ----------
    scheduler : str or None
        ``tls://host:port`` of a server; a worker process on this machine for none.
    keys : Path, optional
        Folder of this computer's certificates; the usual one if not given.

    Raises
    ------
    UserError
        If the address is not one of tls://, or there are no certificates.
    """
    if not scheduler:
        return Engine()
    from src_core.cluster.address import parse_address
    from src_core.cluster.keyring import Keys
    from src_core.cluster.link import Server
    from src_core.cluster.remote import RemoteEngine

    parse_address(scheduler)  # before asking for certificates
    return RemoteEngine(Server(scheduler, Keys.find(keys)))


class Training:
    """A training under way, and what becomes of its model.

    Made by :func:`start_training`.

    Parameters
    ----------
    project : Project
        Open for writing until the end.
    job : JobLike
        On its way.
    who : str
        Goes into the ledger.
    """

    def __init__(self, project: Project, job: JobLike, who: str) -> None:
        self._project, self._job, self._who = project, job, who

    def stop(self) -> None:
        """Ask it to end with the best it has; returns at once."""
        self._job.stop()

    def result(self) -> dict[str, Any]:
        """Wait for the new version, and let it answer if the gate says so.

        It is kept aside where another version was chosen meanwhile.

        Returns
        -------
        dict
            ``RoundResult.as_dict()``.

        Raises
        ------
        UserError, StoreError, JobError
            If there is no new version, with the reason.
        """
        result = promote_result(self._project, self._job.result(), who=self._who)
        self._job.settle()
        return result


def start_training(
    project: Project,
    request: RoundRequest,
    engine: EngineLike,
    who: str,
    *,
    on_event: Callable[[Event], None] | None = None,
) -> Training:
    """Start a training on this machine or on a server.

    On a server the training that this project handed in before is found again, and
    followed; then `request` is not used.

    Parameters
    ----------
    project : Project
        Open for writing.
    request : RoundRequest
        What is asked of the round.
    engine : EngineLike
        Of :func:`engine_for`.
    who : str
        Goes into the ledger.
    on_event : callable, optional
        Called in another thread, or in the one that waits, with each event.
    """
    ensure_validation(project, who)
    job = engine.submit(
        train_job,
        str(project.path),
        project.position,
        request.model_dump_json(),
        on_event=on_event,
        ranks=request.ranks,
    )
    return Training(project, job, who)
