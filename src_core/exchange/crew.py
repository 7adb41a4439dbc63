"""Several processes that decode at once, and outlive a codec that crashes.

Codecs are C libraries, and a damaged file may end the process that decodes it. The
others go on: what was in work is tried once more, each in a process of its own, and the
one that ends its process again is told by name.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

T = TypeVar("T")
R = TypeVar("R")

WORTH_IT: Final = 24
"""Jobs from which on starting processes pays: one takes a second to start."""


class Crew(Generic[T, R]):
    """Runs one function over many jobs, in the jobs' order.

    Parameters
    ----------
    work : callable
        Of a module, so that other processes find it; must not raise.
    crashed : callable
        Makes a result for a job that ended its process.
    workers : int, optional
        How many processes; default: one a core, and none where it does not pay.
    """

    def __init__(
        self,
        work: Callable[[T], R],
        crashed: Callable[[T], R],
        workers: int | None = None,
    ) -> None:
        self._work, self._crashed = work, crashed
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Crew[T, R]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def run(self, jobs: Iterable[T], count: int) -> Iterator[tuple[T, R]]:
        """Yield each job with its result; few are in work at once.

        Parameters
        ----------
        jobs : iterable
            Asked for one at a time.
        count : int
            How many there are, to decide whether processes pay.
        """
        workers = self._workers or (_cores() if count >= WORTH_IT else 1)
        if workers == 1 or not self._start(workers):
            for job in jobs:
                yield job, self._work(job)
            return
        waiting: deque[tuple[T, Future[R]]] = deque()
        for job in jobs:
            waiting.append((job, self._submit(job, workers)))
            # a result waits in this process's memory: no more than are in work
            if len(waiting) > 2 * workers:
                yield self._next(waiting, workers)
        while waiting:
            yield self._next(waiting, workers)

    def _start(self, workers: int) -> bool:
        """Start the processes; False where none can be started.

        A script without ``if __name__ == "__main__"`` cannot have any.
        """
        self._pool = _processes(workers)
        try:
            with _interrupt_held():
                first = self._pool.submit(_cores)
            first.result()
        except BrokenProcessPool:
            self._stop()
            return False
        return True

    def _submit(self, job: T, workers: int) -> Future[R]:
        if self._pool is None:
            self._pool = _processes(workers)
        try:
            with _interrupt_held():
                return self._pool.submit(self._work, job)
        except BrokenProcessPool as error:
            broken: Future[R] = Future()
            broken.set_exception(error)
            return broken

    def _next(self, waiting: deque[tuple[T, Future[R]]], workers: int) -> tuple[T, R]:
        job, future = waiting.popleft()
        try:
            return job, future.result()
        except BrokenProcessPool:
            suspects = [job, *(other for other, done in waiting if _is_lost(done))]
            self._stop()
            results = {id(one): self._alone(one) for one in suspects}
            for place, (other, _) in enumerate(waiting):
                if id(other) in results:
                    known: Future[R] = Future()
                    known.set_result(results[id(other)])
                    waiting[place] = (other, known)
            return job, results[id(job)]

    def _alone(self, job: T) -> R:
        """Run one job in a process of its own."""
        with _processes(1) as pool:
            try:
                with _interrupt_held():
                    alone = pool.submit(self._work, job)
                return alone.result()
            except BrokenProcessPool:
                return self._crashed(job)

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _processes(count: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_ignore_interrupt)


def _ignore_interrupt() -> None:
    """Leave a Ctrl-C, which every process of a terminal gets, to who started this one.

    A process that waits for its next job would print a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Hold a Ctrl-C back, here and in processes that are started meanwhile.

    These have it held from their first moment on: they take a second to get as far as
    :func:`_ignore_interrupt`.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_lost(future: Future[R]) -> bool:
    """Whether a future has no result, or one that only says that the pool broke."""
    return not future.done() or future.cancelled() or future.exception() is not None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
