"""The live curves of a training: Dice on the validation images, and the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel

from lgssl_napari.panels.parts import column, text
from lgssl_napari.plot import Drawing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lgssl_napari.results import JobState

WIDTH, HEIGHT = 312, 160


class Curve:
    """Two small plots, one above the other, over the seconds of training.

    It asks for a picture and shows it when it comes; while one is being drawn newer
    points wait.
    """

    wanted = Signal(Drawing)

    def __init__(self) -> None:
        self._waiting = text("The curves appear with the first look at the validation.")
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for part in (self._waiting, self.picture):
            part.setVisible(False)
        self.widget = column(self._waiting, self.picture)
        self._drawn: Drawing | None = None
        self._newest: Drawing | None = None
        self._colours = ("#262930", "#f0f1f2")
        self._drawing = False

    def paint(self, background: str, foreground: str) -> None:
        """Take on the colours of the window's theme."""
        self._colours = (background, foreground)
        if self._newest is not None:
            self._want(self._newest.dice, self._newest.losses)

    def show(self, job: JobState) -> None:
        """Ask for a picture of the points that are new."""
        has_points = bool(job.dice or job.losses)
        self.picture.setVisible(has_points)
        self._waiting.setVisible(job.running and not has_points)
        if has_points:
            self._want(job.dice, job.losses)

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

    def _want(
        self,
        dice: tuple[tuple[float, float], ...],
        losses: tuple[tuple[float, float], ...],
    ) -> None:
        scale = float(self.picture.devicePixelRatioF())
        self._newest = Drawing(dice, losses, WIDTH, HEIGHT, scale, *self._colours)
        self._ask()

    def _ask(self) -> None:
        newest = self._newest
        if self._drawing or newest is None or newest == self._drawn:
            return
        self._drawing, self._drawn = True, newest
        self.wanted.emit(newest)
