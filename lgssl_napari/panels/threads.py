"""From any thread to the window's own: a queued Qt signal, and a short timer."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 0.008
"""Seconds of calls that are made before the window gets its turn."""
TURN = 5
"""Milliseconds of that turn. A timer that is due again at once comes before mouse and
brush, however often it is told to wait for them."""


class Courier(QObject):  # type: ignore[misc]
    """Makes calls in the thread that it was made in, in the order they were given.

    Qt delivers everything that waits before it looks at the mouse again: ten calls of
    20 ms each would hold the window up for 200. A timer gives mouse and brush their
    turn in between.

    Parameters
    ----------
    parent : QObject, optional
        Ends with it.
    """

    _called = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._make)
        self._called.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self._open = True

    def deliver(self, call: Callable[[], None]) -> None:
        """Make a call soon; from any thread. After `close` calls are dropped."""
        if self._open:
            self._called.emit(call)

    def close(self) -> None:
        """Drop what is still on its way."""
        self._open = False
        self._waiting.clear()

    def _take(self, call: Callable[[], None]) -> None:
        if self._open:
            self._waiting.append(call)
            if not self._timer.isActive():
                # What posted it has just had the window for itself.
                self._timer.start(TURN)

    def _make(self) -> None:
        began = time.perf_counter()
        try:
            while self._waiting and time.perf_counter() - began < AT_ONCE:
                # Before the call: an error in it must not have it made again.
                self._waiting.popleft()()
        finally:
            if self._waiting:
                self._timer.start(TURN)
