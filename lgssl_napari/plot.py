"""Curves as a picture, drawn by matplotlib away from the window.

Drawing takes 50 to 300 ms on a machine that is busy training, and in the window's
process the window would stand still that long.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = tuple[tuple[float, float], ...]

DICE, LOSS, MINUTES = "#56b4e9", "#d55e00", "#cc79a7"
DPI = 96


@dataclass(frozen=True, slots=True)
class Line:
    """One curve, with axes of its own.

    Attributes
    ----------
    label, shade : str
        What stands beside it; its colour.
    points : tuple of (float, float)
        Growing along the first.
    unit : bool
        Whether it lies between 0 and 1 whatever the points are.
    dots : bool
        Whether each point is marked.
    expected : tuple of (float, float)
        Another curve, drawn dashed: what the points are expected to do.
    band : tuple of (float, float, float)
        Its interval: along, low, high.
    """

    label: str
    shade: str
    points: Points
    unit: bool = False
    dots: bool = False
    expected: Points = ()
    band: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw.

    Attributes
    ----------
    lines : tuple of Line
        One below the other.
    along : str
        What the points run along.
    width, height : int
        Of the picture, in the window's pixels.
    scale : float
        Pixels of the screen in one of those.
    background, foreground : str
        Colours of the window's theme.
    """

    lines: tuple[Line, ...]
    along: str
    width: int
    height: int
    scale: float
    background: str
    foreground: str


class Plotter:
    """Draws again and again into one figure; used from one thread at a time.

    Parameters
    ----------
    rows : int
        How many curves lie one below the other.
    """

    def __init__(self, rows: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure: Any = Figure(layout="constrained")
        FigureCanvasAgg(self._figure)
        self._axes = self._figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        self._curves = [axes.plot([], [], linewidth=1.4)[0] for axes in self._axes]
        self._expected = [axes.plot([], [], "--", lw=1)[0] for axes in self._axes]
        self._bands: list[Any] = []

    def draw(self, drawing: Drawing) -> NDArray[np.uint8]:
        """Return a drawing as a picture.

        Returns
        -------
        ndarray
            (height, width, 4) uint8, RGBA, times the scale.
        """
        self._figure.set_dpi(DPI * drawing.scale)
        self._figure.set_size_inches(drawing.width / DPI, drawing.height / DPI)
        self._figure.set_facecolor(drawing.background)
        for band in self._bands:
            band.remove()
        self._bands.clear()
        for axes, curve, expected, line in zip(
            self._axes, self._curves, self._expected, drawing.lines, strict=True
        ):
            curve.set_data(*_columns(line.points))
            curve.set(color=line.shade, marker="o" if line.dots else "", markersize=3)
            # What is expected goes through the points: no line between these as well.
            curve.set_linestyle("none" if line.expected else "-")
            expected.set_data(*_columns(line.expected))
            expected.set_color(line.shade)
            if line.band:
                shade = axes.fill_between(
                    *zip(*line.band, strict=True), color=line.shade, alpha=0.2, lw=0
                )
                self._bands.append(shade)
            # The drawing before may have set limits of its own.
            axes.autoscale()
            axes.relim()
            axes.autoscale_view()
            if line.unit:
                axes.set_ylim(0, 1)
            _paint(axes, line.label, drawing)
        last = self._axes[-1]
        last.set_xlabel(drawing.along, fontsize=8, color=drawing.foreground)
        by_round = drawing.along == "round"
        counted = drawing.along != "seconds"
        last.xaxis.get_major_locator().set_params(integer=counted)
        if by_round:
            ends = [line.points[-1][0] for line in drawing.lines if line.points]
            last.set_xlim(0.5, max(ends, default=1.0) + 0.5)
            last.set_ylim(bottom=0.0)
        self._figure.canvas.draw()
        return np.array(self._figure.canvas.buffer_rgba())


def _columns(points: Points) -> Any:
    return zip(*points, strict=True) if points else ((), ())


def _paint(axes: Any, label: str, drawing: Drawing) -> None:
    foreground = drawing.foreground
    axes.set_facecolor(drawing.background)
    axes.set_ylabel(label, color=foreground, fontsize=8)
    axes.tick_params(colors=foreground, labelsize=7, length=2)
    axes.grid(alpha=0.25, linewidth=0.5)
    for side, spine in axes.spines.items():
        spine.set(color=foreground, linewidth=0.6)
        spine.set_visible(side in ("left", "bottom"))


@cache
def _plotter(rows: int) -> Plotter:
    return Plotter(rows)


def drawn(drawing: Drawing) -> NDArray[np.uint8]:
    """Return a drawing as a picture; for the helper process.

    As :meth:`Plotter.draw` gives it.
    """
    return _plotter(len(drawing.lines)).draw(drawing)
