"""Work and its results in the order of the real window, one step at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any


class QueuedRunner:
    """Lanes that work when they are told to; what they bring waits to be delivered.

    Unlike in `NowRunner` a person can do something between a work, its result, and
    what is made of it.
    """

    def __init__(self) -> None:
        self.lanes: dict[str, deque[Callable[[], None]]] = {}
        self.deliveries: deque[Callable[[], None]] = deque()

    def run(self, lane: str, work: Any, done: Any, failed: Any) -> None:
        def task() -> None:
            try:
                result = work()
            except Exception as error:
                self.post(lambda error=error: failed(error))  # type: ignore[misc]
            else:
                self.post(lambda: done(result))

        self.lanes.setdefault(str(lane), deque()).append(task)

    def post(self, call: Callable[[], None]) -> None:
        self.deliveries.append(call)

    def close(self) -> None:
        self.lanes.clear()
        self.deliveries.clear()

    def deliver(self) -> None:
        """Let the window take in what has come."""
        while self.deliveries:
            self.deliveries.popleft()()

    def work(self, lane: str) -> bool:
        """Do the first piece of work of a lane; its result is not delivered yet."""
        waiting = self.lanes.get(lane)
        if not waiting:
            return False
        waiting.popleft()()
        return True

    def settle(self, *lanes: str) -> None:
        """Work and deliver until nothing is left, in some lanes or in all of them."""
        moved = True
        while moved or self.deliveries:
            self.deliver()
            moved = sum(self.work(lane) for lane in lanes or tuple(self.lanes)) > 0
