"""Where blocking work runs: one thread a lane, results delivered one after the other.

Work in one lane keeps its order, so that a save is on the disk before the next image
is read; lanes do not wait for each other, so that a prompt is answered while a
training runs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Deliver = Callable[[Callable[[], None]], None]


class Lane(StrEnum):
    """Which line of work a task waits in."""

    STORE = "store"
    MODEL = "model"
    EDIT = "edit"
    TRAIN = "train"
    PLOT = "plot"
    LOOK = "look"
    TAKE = "take"


class Runner(Protocol):
    """Runs work somewhere, and calls back where the controller lives."""

    def run(
        self,
        lane: Lane,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run `work` after what its lane holds; then call `done` or `failed`."""
        ...

    def post(self, call: Callable[[], None]) -> None:
        """Make a call where the controller lives; may be used from any thread."""
        ...

    def close(self) -> None:
        """Take no more work; what is under way ends unheard."""
        ...


class ThreadRunner:
    """One daemon thread a lane, started when first needed.

    Daemons, because a thread that waits for a training must not keep the program
    from ending.

    Parameters
    ----------
    deliver : callable
        Makes a call in the thread of the controller.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._lanes: dict[Lane, queue.SimpleQueue[Callable[[], None] | None]] = {}
        self._closed = False

    def run(
        self,
        lane: Lane,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Run `work` in its lane's thread."""
        if self._closed:
            return

        def task() -> None:
            try:
                result = work()
            except Exception as error:
                self.post(lambda error=error: failed(error))  # type: ignore[misc]
            else:
                self.post(lambda: done(result))

        self._lane(lane).put(task)

    def post(self, call: Callable[[], None]) -> None:
        """Make a call in the thread of the controller."""

        def unless_closed() -> None:
            if not self._closed:
                call()

        if not self._closed:
            self._deliver(unless_closed)

    def close(self) -> None:
        """Let each thread end after what it is doing."""
        self._closed = True
        for waiting in self._lanes.values():
            waiting.put(None)

    def _lane(self, lane: Lane) -> queue.SimpleQueue[Any]:
        if lane not in self._lanes:
            self._lanes[lane] = queue.SimpleQueue()
            threading.Thread(
                target=_work_off,
                args=(self._lanes[lane],),
                name=f"lgssl-{lane}",
                daemon=True,
            ).start()
        return self._lanes[lane]


def _work_off(waiting: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (task := waiting.get()) is not None:
        task()
        # A finished task would keep its window alive until the next one comes.
        del task
