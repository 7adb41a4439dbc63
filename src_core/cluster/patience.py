"""A connection that breaks is told of, and taken up again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from src_core.cluster.trouble import Unreachable
from src_core.errors import JobLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from src_core.cluster.link import Server

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0


class Patience:
    """Does things with a server, again and again while it is out of reach.

    Parameters
    ----------
    server : Server
        Which, and for how long it may be away.
    tell : callable
        Called with a sentence for a person.
    what : str
        What goes on there without us, such as ``"The training"``.
    again : str
        How one finds it again, such as ``"train there again"``.

    Attributes
    ----------
    handed_in : bool
        Whether there is anything that goes on there.
    """

    def __init__(
        self, server: Server, tell: Callable[[str], None], what: str, again: str
    ) -> None:
        self._server, self._tell = server, tell
        self._what, self._again = what, again
        self._let_go = threading.Event()
        self._lost: float | None = None
        self.handed_in = False

    def let_go(self) -> None:
        """Try no more; who waits is told so."""
        self._let_go.set()

    def do(self, step: Callable[[], T]) -> T:
        """Do a step until it is done.

        Raises
        ------
        JobLostError
            If the server stays out of reach, or nobody waits any more.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                found = step()
            except Unreachable as error:
                self._gone(error)
                self._let_go.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self.back()
                return found

    def back(self) -> None:
        """Say that the server answers again, if it was said that it does not."""
        if self._lost is not None:
            self._lost = None
            self._tell(f"'{self._server.address}' answers again.")

    def _gone(self, error: Unreachable) -> None:
        now, address = time.monotonic(), self._server.address
        if self._let_go.is_set():
            raise JobLostError(
                f"{self._what} goes on at '{address}'; {self._again} to follow it."
            ) from error
        if self._lost is None:
            self._lost = now
            goes_on = " What runs there goes on." if self.handed_in else ""
            self._tell(f"{error}{goes_on} Trying again.")
        if now - self._lost > self._server.patience:
            raise JobLostError(
                f"'{address}' has been out of reach for {(now - self._lost) / 60:.0f} "
                f"minutes. Nothing is lost: {self._again}, and it goes on where it "
                "stands."
            ) from error
