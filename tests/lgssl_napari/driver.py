"""A person at the real window: clicks, keys and strokes through Qt's own events."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchdog import Watchdog

if TYPE_CHECKING:
    from lgssl_napari.panel import SegmentByText

SCREEN = (1366, 768)


class Driver:
    """A person at the window.

    Parameters
    ----------
    panel : SegmentByText
        The panel in its window.
    out : Path
        Where pictures go.
    asks_where : bool
        Whether the watchdog looks at what the window does when it stands still.

    Attributes
    ----------
    words : tuple of str
        What is asked for while a training runs; all targets if empty.
    """

    def __init__(
        self, panel: SegmentByText, out: Path, *, asks_where: bool = False
    ) -> None:
        from qtpy.QtWidgets import QApplication

        self.panel, self.out = panel, out
        self.app: Any = QApplication.instance()
        self.watch = Watchdog(asks_where=asks_where)
        self.words: tuple[str, ...] = ()

    @property
    def state(self) -> Any:
        return self.panel.controller.state

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.001)

    def until(self, check: Callable[[], Any], seconds: float = 600.0) -> None:
        end = time.monotonic() + seconds
        while not check():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.state.message} {self.state.busy}")
            self.app.processEvents()
            time.sleep(0.001)
        self.pause(0.2)

    def idle(self) -> None:
        self.pause(0.1)
        self.until(lambda: not self.state.busy)

    def shot(self, name: str) -> None:
        """Take a picture of the screen, between two steps and never in one."""
        from PIL import Image

        # The picture is encoded in the window's own thread, which takes 0.2 s.
        assert not self.watch.measuring, f"the picture {name} would be measured, too"
        self.pause(0.4)
        path = self.out / f"{name}.png"
        self.app.primaryScreen().grabWindow(0).save(str(path))
        Image.open(path).convert("RGB").save(path, optimize=True)

    def click(self, button: Any) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def type(self, words: str, *, ask: bool = True) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        line = self.panel.prompt.line
        line.setFocus()
        line.selectAll()
        for letter in words:
            QTest.keyClick(line, letter)
            self.pause(0.03)
        if ask:
            QTest.keyClick(line, Qt.Key.Key_Return)

    def key(self, key: str, *, shift: bool = False) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        held = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier(0)
        window = self.panel.window()
        QTest.keyClick(window, getattr(Qt.Key, f"Key_{key.upper()}"), held)
        self.pause(0.1)

    def stroke(self, points: list[tuple[float, float]]) -> None:
        """Drag the mouse over the canvas; points as shares of its width and height."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QWidget

        central = self.panel.window().centralWidget()
        canvas = next(
            child
            for child in central.findChildren(QWidget)
            if "CanvasBackend" in type(child).__name__
        )
        spots = [
            QPoint(round(x * canvas.width()), round(y * canvas.height()))
            for x, y in points
        ]
        QTest.mouseMove(canvas, spots[0])
        self.pause(0.05)
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=spots[0])
        for spot in spots[1:]:
            QTest.mouseMove(canvas, spot)
            self.pause(0.03)
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=spots[-1])
        self.pause(0.1)

    def tab(self, name: str) -> None:
        from lgssl_napari.panel import PAGES

        self.panel.tabs.setCurrentIndex(PAGES.index(name))
        self.pause(0.2)
        self.idle()

    def retrain(self, minutes: float, picture: str, step: str) -> dict[str, Any]:
        """Press Retrain and wait, with a picture on the way."""
        panel = self.panel
        self.tab("Train")
        panel.train.minutes.value = minutes
        with self.watch.step(step):
            self.click(panel.train.retrain)
            self.until(lambda: half_done(self.state.job), 60 * minutes + 300)
        self.shot(picture)
        if self.state.project.version and self.state.job.running:
            size = max(self.state.work.image.spatial_shape)
            for words in self.words or [t.name for t in self.state.project.targets]:
                with self.watch.step(f"a prompt during the {step}, {size} pixels"):
                    panel.controller.forget()
                    self.type(words)
                    self.until(lambda: asked(self, words))  # noqa: B023
            self.tab("Train")
        with self.watch.step(f"{step}, to its end"):
            self.until(lambda: not self.state.job.running, 60 * minutes + 300)
            self.idle()
        outcome = self.state.job.outcome
        if outcome is None:
            raise SystemExit(f"The training failed: {self.state.message}")
        return {"version": outcome.version, "old": outcome.old, "new": outcome.new}


def asked(drive: Driver, words: str) -> bool:
    """Return whether the answer to a prompt is there."""
    answer = drive.state.answer
    return answer is not None and answer.prompt == words


def half_done(job: Any) -> bool:
    """Return whether a training is far enough to be shown, or over."""
    return job.done > 0.55 or not job.running


def open_driver(out: Path, *, asks_where: bool) -> tuple[Driver, str]:
    """Open a window of the smallest size, with settings of its own; name the folder."""
    out.mkdir(parents=True, exist_ok=True)
    home = tempfile.mkdtemp(prefix="lgssl-drive-")
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        os.environ[name] = home

    from lgssl_napari.app import open_window

    _, panel = open_window()
    window = panel.window()
    window.setGeometry(0, 0, *SCREEN)
    window.activateWindow()
    return Driver(panel, out, asks_where=asks_where), home


def close(drive: Driver, home: str, told: dict[str, Any]) -> None:
    """Print what was found, and leave without the question about unsaved strokes."""
    told = {**told, "stalls": drive.watch.stalls}
    if drive.watch.places:
        told["places"] = {
            step: places.most_common(6) for step, places in drive.watch.places.items()
        }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    sys.stdout.flush()
    drive.panel.controller.close()
    shutil.rmtree(home, ignore_errors=True)
    os._exit(0)
