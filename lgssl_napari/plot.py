"""The curves of a training as a picture, drawn by matplotlib away from the window.

Drawing takes 50 to 300 ms on a machine that is busy training, and in the window's
thread the window would stand still that long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = tuple[tuple[float, float], ...]

DICE, LOSS = "#56b4e9", "#d55e00"
DPI = 96


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw.

    Attributes
    ----------
    dice, losses : tuple of (float, float)
        Seconds and value.
    width, height : int
        Of the picture, in the window's pixels.
    scale : float
        Pixels of the screen in one of those.
    background, foreground : str
        Colours of the window's theme.
    """

    dice: Points
    losses: Points
    width: int
    height: int
    scale: float
    background: str
    foreground: str


class Plotter:
    """Draws again and again into one figure; used from one thread at a time."""

    def __init__(self) -> None:
        self._figure: Any = None

    def draw(self, drawing: Drawing) -> NDArray[np.uint8]:
        """Return a drawing as a picture.

        Returns
        -------
        ndarray
            (height, width, 4) uint8, RGBA, times the scale.
        """
        if self._figure is None:
            self._make()
        self._figure.set_dpi(DPI * drawing.scale)
        self._figure.set_size_inches(drawing.width / DPI, drawing.height / DPI)
        self._paint(drawing.background, drawing.foreground)
        for axes, curve, points in zip(
            self._axes, self._curves, (drawing.dice, drawing.losses), strict=True
        ):
            curve.set_data(*zip(*points, strict=True) if points else ((), ()))
            axes.relim()
            axes.autoscale_view()
        self._axes[0].set_ylim(0, 1)
        self._figure.canvas.draw()
        return np.array(self._figure.canvas.buffer_rgba())

    def _make(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure = Figure(layout="constrained")
        FigureCanvasAgg(self._figure)
        self._axes = self._figure.subplots(2, 1, sharex=True)
        self._curves = [
            axes.plot([], [], color=shade, marker=mark, markersize=3, linewidth=1.4)[0]
            for axes, shade, mark in zip(self._axes, (DICE, LOSS), "o ", strict=True)
        ]
        self._axes[1].set_xlabel("seconds", fontsize=8)

    def _paint(self, background: str, foreground: str) -> None:
        self._figure.set_facecolor(background)
        for axes, name in zip(self._axes, ("Dice", "loss"), strict=True):
            axes.set_facecolor(background)
            axes.set_ylabel(name, color=foreground, fontsize=8)
            axes.xaxis.label.set_color(foreground)
            axes.tick_params(colors=foreground, labelsize=7, length=2)
            axes.grid(alpha=0.25, linewidth=0.5)
            for side, spine in axes.spines.items():
                spine.set(color=foreground, linewidth=0.6)
                spine.set_visible(side in ("left", "bottom"))
