"""Where jobs run: dask.distributed, one worker process on this machine.

A scheduler and one worker process on 127.0.0.1, started when first needed;
``src_core.cluster`` runs the same jobs on other machines. Two of dask's habits are
switched off: a job whose worker dies is *not* silently begun anew (allowed-failures is
0), and no dashboard listens anywhere.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from src_core.errors import (
    JobError,
    JobLostError,
    LgsslError,
    OutOfMemoryError,
    memory_ran_out,
)
from src_core.ranks.seat import LOOPBACK, seats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from distributed import Client, Future, LocalCluster

Event = dict[str, Any]
SILENT_SECONDS = 300.0
"""A worker gives way to every other program: on a full machine it may be slow to say
anything, and is not hung for that."""
_STARTING = 60.0
NICENESS = 10


def give_way() -> None:
    """Let every other program of this machine, the window first, go before this one."""
    import psutil

    process = psutil.Process()
    windows = getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", None)
    process.nice(windows or max(NICENESS, process.nice()))


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


def configure_dask(more: Mapping[str, Any] | None = None) -> None:
    """Set dask up as every scheduler and worker of this program needs it.

    Parameters
    ----------
    more : mapping, optional
        Further settings of dask.
    """
    import dask

    dask.config.set(
        {
            "distributed.scheduler.allowed-failures": 0,
            "distributed.worker.daemon": False,
            # torch's own advice to programmers would reach the terminal.
            "distributed.nanny.pre-spawn-environ.TORCH_CPP_LOG_LEVEL": "ERROR",
            # Threads that wait without spinning: beside a busy window, two
            # spinning threads were measured ten times slower than one.
            "distributed.nanny.pre-spawn-environ.OMP_WAIT_POLICY": "PASSIVE",
            # dask has its workers hand back freed memory at once. A training step
            # frees and asks for the same megabytes again: on two cores it took
            # 1.75 times as long with the pages fetched anew each time.
            "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
            "distributed.admin.log-length": 0,
            "distributed.comm.timeouts.connect": "10s",
            **(more or {}),
        }
    )


class Engine:
    """Runs jobs on a worker process of this machine, started when first needed."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._cluster: LocalCluster | None = None
        self._lock = threading.Lock()

    def submit(
        self,
        work: Callable[..., Any],
        *arguments: Any,
        on_event: Callable[[Event], None] | None = None,
        ranks: int = 1,
    ) -> Job:
        """Start ``work(job_id, *arguments)`` on a worker.

        With several ranks it is started on as many, each told its seat in a last
        argument; what the first returns is the result.

        Parameters
        ----------
        work : callable
            A module-level function; makes itself a :class:`Reporter` of the job's id.
        arguments
            Plain values.
        on_event : callable, optional
            Called in another thread with each event the job tells.
        ranks : int
            How many tasks do it together.
        """
        from distributed import Event as Flag

        client = self._connected()
        crew = self._crew(ranks) if ranks > 1 else []
        job_id = uuid.uuid4().hex[:12]
        job = Job(job_id, None, Flag(stop_flag(job_id), client=client))

        def receive(stamped: tuple[float, Event]) -> None:
            job.heard()
            if on_event is not None:
                on_event(stamped[1])

        client.subscribe_topic(topic(job_id), receive)
        name, told = f"{work.__name__}-{job_id}", {"pure": False, "retries": 0}
        if not crew:
            job._future = client.submit(work, job_id, *arguments, key=name, **told)
            return job
        job._future, *fellows = [
            client.submit(
                work,
                job_id,
                *arguments,
                seat.pack(),
                key=f"{name}-{seat.number}",
                workers=[worker],
                **told,
            )
            for seat, worker in zip(seats(name, [LOOPBACK] * ranks), crew, strict=True)
        ]
        job._gang = Gang(client, crew[0], dict(zip(crew[1:], fellows, strict=True)))
        return job

    def _crew(self, count: int) -> list[str]:
        """Return the addresses of so many workers, started if need be."""
        assert self._client is not None
        assert self._cluster is not None
        if len(self._cluster.workers) < count:
            self._cluster.scale(count)
        # Also one that died is only now being started again.
        self._client.wait_for_workers(count, timeout=_STARTING)
        self._client.run(give_way)
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return sorted(workers)[:count]

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            for part in (self._client, self._cluster):
                if part is not None:
                    with contextlib.suppress(TimeoutError, OSError):
                        part.close(timeout=5)
            self._client = self._cluster = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Client:
        from distributed import Client, LocalCluster

        configure_dask()
        self._cluster = LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            # dask always opens an HTTP port; its default is 8787 wherever it can
            # bind, this is any free one that only this machine reaches.
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=50,
        )
        client = Client(self._cluster)
        client.run(give_way)
        return client
