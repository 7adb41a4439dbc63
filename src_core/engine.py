"""Where jobs run: dask.distributed, one worker process on this machine.

A scheduler and one worker process on 127.0.0.1, started when first needed;
``src_core.cluster`` runs the same jobs on other machines. Two of dask's habits are
switched off: a job whose worker dies is *not* silently begun anew (allowed-failures is
0), and no dashboard listens anywhere.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import TYPE_CHECKING, Any

from src_core.jobs import Gang, Job, stop_flag, topic
from src_core.ranks.seat import LOOPBACK, seats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from distributed import Client, LocalCluster

    from src_core.jobs import Event

_STARTING = 60.0
NICENESS = 10


def give_way() -> None:
    """Let every other program of this machine, the window first, go before this one."""
    import psutil

    process = psutil.Process()
    windows = getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", None)
    process.nice(windows or max(NICENESS, process.nice()))


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
