"""How long the window's event loop stands still, and where it stood."""

from __future__ import annotations

import faulthandler
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

SUSPECT = 0.04


class Watchdog:
    """Measures by a timer of 2 ms.

    Two figures a step: the longest time on the clock, and the longest time that the
    window's own thread computed. On a machine whose cores are all training the first
    holds the waiting for a core, too.

    Parameters
    ----------
    asks_where : bool
        Also look, from another thread, at what the window does when it stands still;
        costs it some milliseconds itself.
    """

    def __init__(self, *, asks_where: bool = False) -> None:
        from qtpy.QtCore import QTimer

        self._timer = QTimer()
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        self._last = (time.perf_counter(), time.thread_time())
        self._longest = [0.0, 0.0]
        self._window = threading.get_ident()
        self._step = ""
        self.stalls: dict[str, dict[str, float]] = {}
        self.places: dict[str, Counter[str]] = {}
        if asks_where:
            threading.Thread(target=self._look, daemon=True).start()

    @property
    def measuring(self) -> bool:
        """Whether a step is being measured now."""
        return bool(self._step)

    def _tick(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        for place in (0, 1):
            gap = 1000 * (now[place] - self._last[place])
            self._longest[place] = max(self._longest[place], gap)
        self._last = now

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure one step; a step that comes again keeps its longest."""
        self._tick()
        self._longest, self._step = [0.0, 0.0], name
        yield
        self._tick()
        before = self.stalls.get(name, {"clock_ms": 0.0, "computing_ms": 0.0})
        self.stalls[name] = {
            key: max(before[key], round(value, 1))
            for key, value in zip(before, self._longest, strict=True)
        }
        self._step = ""

    def _look(self) -> None:
        # By faulthandler, which holds on to nothing: a frame kept by this thread would
        # let the window's pictures be destroyed here, and Qt does not survive that.
        with tempfile.TemporaryFile("w+") as file:
            while True:
                time.sleep(0.01)
                if time.perf_counter() - self._last[0] < SUSPECT or not self._step:
                    continue
                file.seek(0)
                file.truncate()
                faulthandler.dump_traceback(file, all_threads=True)
                file.seek(0)
                places = self.places.setdefault(self._step, Counter())
                places[self._of_window(file.read())] += 1

    def _of_window(self, dump: str) -> str:
        """Return the innermost calls of the window's thread from a dump of all."""
        for part in dump.split("\n\n"):
            if f"0x{self._window:016x}" in part:
                lines = [line.strip() for line in part.splitlines()[1:8]]
                return " < ".join(line.rsplit("site-packages/")[-1] for line in lines)
        return "?"
