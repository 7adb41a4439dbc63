"""From any thread to the window's own: a queued Qt signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from collections.abc import Callable


class Courier(QObject):  # type: ignore[misc]
    """Makes calls in the thread that it was made in, in the order they were given.

    Parameters
    ----------
    parent : QObject, optional
        Ends with it.
    """

    _called = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._called.connect(self._make, Qt.ConnectionType.QueuedConnection)
        self._open = True

    def deliver(self, call: Callable[[], None]) -> None:
        """Make a call soon; from any thread. After `close` calls are dropped."""
        if self._open:
            self._called.emit(call)

    def close(self) -> None:
        """Drop what is still on its way."""
        self._open = False

    def _make(self, call: Callable[[], None]) -> None:
        if self._open:
            call()
