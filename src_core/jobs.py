"""A job under way: what its two sides say to each other, and how it can end.

On its worker a job tells and asks through a :class:`Reporter`; whoever started it holds
a :class:`Job`. Several tasks that do one job together are a :class:`Gang`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from src_core.errors import (
    JobError,
    JobLostError,
    LgsslError,
    OutOfMemoryError,
    memory_ran_out,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from distributed import Client, Future

Event = dict[str, Any]
SILENT_SECONDS = 300.0
"""A worker gives way to every other program: on a full machine it may be slow to say
anything, and is not hung for that."""


class Reporter:
    """What a job, on its worker, uses to tell and to ask.

    Parameters
    ----------
    job : str
        The job's id.
    """

    ASK_EVERY = 0.5

    def __init__(self, job: str) -> None:
        from distributed import Event as Flag
        from distributed import get_worker

        self._worker = get_worker()
        self._topic = topic(job)
        self._stop = Flag(stop_flag(job))
        self._asked = 0.0
        self._stopped = False

    def tell(self, event: Event) -> None:
        """Send an event to whoever follows the job."""
        self._worker.log_event(self._topic, event)

    def should_stop(self) -> bool:
        """Return whether the job was asked to end; asks the scheduler now and then."""
        now = time.monotonic()
        if not self._stopped and now - self._asked >= self.ASK_EVERY:
            self._asked = now
            self._stopped = bool(self._stop.is_set())
        return self._stopped


def topic(job: str) -> str:
    """Name of the stream of a job's events."""
    return f"lgssl-{job}"


def stop_flag(job: str) -> str:
    """Name of the flag that asks a job to end."""
    return f"lgssl-stop-{job}"


@dataclass(slots=True)
class Job:
    """A job under way, seen from the process that asked for it."""

    id: str
    _future: Future
    _stop: Any
    _gang: Gang | None = None
    _heard: list[float] = field(default_factory=lambda: [time.monotonic()])

    def stop(self) -> None:
        """Ask the job to end with the best it has; returns at once."""
        self._stop.set()

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return bool(self._future.done())

    @property
    def silent_seconds(self) -> float:
        """Time since the job was last heard of."""
        return time.monotonic() - self._heard[0]

    def heard(self) -> None:
        """Note that the job gave a sign of life."""
        self._heard[0] = time.monotonic()

    def settle(self) -> None:
        """Do nothing: a job of this machine leaves nothing elsewhere."""

    def result(self, silent: float = SILENT_SECONDS) -> Any:
        """Wait for what the job returns.

        Parameters
        ----------
        silent : float
            Seconds without a sign of life after which the worker counts as hung.

        Raises
        ------
        UserError, StoreError, JobError
            What the job itself raised.
        JobLostError
            If its worker died, or has been silent too long.
        OutOfMemoryError
            If memory ran out.
        """
        from distributed import TimeoutError as NotYet

        while True:
            try:
                return self._future.result(timeout=1.0)
            except NotYet:
                if self._gang is not None and self._gang.is_broken:
                    raise self._gang.disband(None) from None
                if self.silent_seconds > silent:
                    raise JobLostError(
                        f"The worker has not answered for {self.silent_seconds:.0f} s. "
                        "Start the training again: it goes on from its last checkpoint."
                    ) from None
            except LgsslError as error:
                if self._gang is not None:
                    raise self._gang.disband(error) from error
                raise
            except Exception as error:
                if self._gang is not None:
                    raise self._gang.disband(error) from error
                raise translate(error) from error


@dataclass(slots=True)
class Gang:
    """The other tasks of a job that several do together.

    A task whose fellow died may wait for it for ever, on a GPU at least: its process
    is then ended, so that the next job finds the worker free.
    """

    _client: Client
    _first: str
    _fellows: dict[str, Future]

    GRACE: ClassVar[float] = 10.0

    @property
    def is_broken(self) -> bool:
        """Whether one of them has ended other than well."""
        bad = ("error", "lost", "cancelled")
        return any(fellow.status in bad for fellow in self._fellows.values())

    def disband(self, error: Exception | None) -> LgsslError:
        """End what is left of them.

        Parameters
        ----------
        error : Exception or None
            Of the first task, None where it still runs.

        Returns
        -------
        LgsslError
            What to tell a person.
        """
        deadline = time.monotonic() + self.GRACE
        while time.monotonic() < deadline and self._waiting():
            time.sleep(0.1)
        fellows = self._fellows.values()
        found = [f.exception() for f in fellows if f.status == "error"]
        stuck = {*self._waiting(), *([self._first] if error is None else [])}
        alive = stuck.intersection(self._client.scheduler_info(-1)["workers"])
        if alive:
            self._client.restart_workers(sorted(alive), raise_for_error=False)
        lost = JobLostError("One of the processes that trained together went away.")
        return of_all([error, *found] if error or found else [lost])

    def _waiting(self) -> list[str]:
        return [worker for worker, fellow in self._fellows.items() if not fellow.done()]


def of_all(errors: Iterable[BaseException | None]) -> LgsslError:
    """Return which of a gang's errors is the reason of the others.

    A task whose fellow fails is cut off in the middle of a message, and says no more
    than that: what another one says of itself explains it.
    """
    told = [
        e if isinstance(e, LgsslError) else translate(e)
        for e in errors
        if isinstance(e, Exception)
    ]
    return min(told, key=lambda e: isinstance(e, JobLostError))


def translate(error: Exception) -> LgsslError:
    """Return what an exception of a job means to a person."""
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    if isinstance(error, KilledWorker | FutureCancelledError):
        return JobLostError(
            "The worker process died in the middle of the job (it was killed, or the "
            "machine ran out of memory). Nothing saved is lost; start the training "
            "again and it goes on from its last checkpoint."
        )
    if memory_ran_out(error):
        return OutOfMemoryError(
            "The job needs more memory than there is. Close other programs or choose a "
            "smaller batch, then start it again."
        )
    first = (str(error).splitlines() or [""])[0]
    return JobError(
        f"The job failed: {type(error).__name__}: {first} "
        "The log file has the details; nothing saved is lost."
    )
