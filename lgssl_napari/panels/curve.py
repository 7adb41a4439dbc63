"""Curves in the panel: pictures that are drawn elsewhere and shown when they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel

from lgssl_napari.panels.parts import column, text
from lgssl_napari.plot import DICE, LOSS, Drawing, Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lgssl_napari.results import JobState

WIDTH, HEIGHT = 312, 160


class Curves:
    """Small plots, one above the other.

    It asks for a picture and shows it when it comes; while one is being drawn newer
    points wait.
    """

    wanted = Signal(Drawing)

    def __init__(self) -> None:
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.widget = self.picture
        self._drawn: Drawing | None = None
        self._newest: Drawing | None = None
        self._colours = ("#262930", "#f0f1f2")
        self._drawing = False

    def paint(self, background: str, foreground: str) -> None:
        """Take on the colours of the window's theme."""
        self._colours = (background, foreground)
        if self._newest is not None:
            self.draw(self._newest.lines, self._newest.along)

    def draw(self, lines: tuple[Line, ...], along: str) -> None:
        """Ask for a picture of these lines."""
        scale = float(self.picture.devicePixelRatioF())
        self._newest = Drawing(lines, along, WIDTH, HEIGHT, scale, *self._colours)
        self._ask()

    def take(self, pixels: NDArray[np.uint8]) -> None:
        """Show the picture that was asked for, (height, width, 4) RGBA."""
        height, width = pixels.shape[:2]
        image = QImage(
            pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888
        )
        shown = QPixmap.fromImage(image)
        shown.setDevicePixelRatio(self._drawn.scale if self._drawn else 1.0)
        self.picture.setPixmap(shown)
        self._drawing = False
        self._ask()

    def miss(self) -> None:
        """Note that a picture could not be made; the next one is asked for anew."""
        self._drawing = False

    def _ask(self) -> None:
        newest = self._newest
        if self._drawing or newest is None or newest == self._drawn:
            return
        self._drawing, self._drawn = True, newest
        self.wanted.emit(newest)


class TrainingCurves:
    """Dice on the validation images and the loss, over the seconds of training."""

    def __init__(self) -> None:
        self.curves = Curves()
        self._waiting = text("The curves appear with the first look at the validation.")
        for part in (self._waiting, self.curves.widget):
            part.setVisible(False)
        self.widget = column(self._waiting, self.curves.widget)

    def show(self, job: JobState) -> None:
        """Ask for a picture of the points that are new."""
        has_points = bool(job.dice or job.losses)
        self.curves.widget.setVisible(has_points)
        self._waiting.setVisible(job.running and not has_points)
        if has_points:
            lines = (
                Line("Dice", DICE, job.dice, unit=True, dots=True),
                Line("loss", LOSS, job.losses),
            )
            self.curves.draw(lines, "seconds")
