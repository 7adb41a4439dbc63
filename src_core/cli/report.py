"""A picture of what the model found: image, truth, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src_core.metrics import dice

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One question: a picture, the words, the truth and two answers.

    Attributes
    ----------
    pixels : ndarray
        With `axes` ``"yx"`` or ``"cyx"``.
    axes : str
    prompt : str
    truth, before : ndarray
        (H, W) of 0 and 1.
    after : ndarray or None
        The later answer.
    """

    pixels: NDArray[np.generic]
    axes: str
    prompt: str
    truth: Mask
    before: Mask
    after: Mask | None


def write_report(path: Path, rows: Sequence[ReportRow]) -> Path:
    """Draw the rows into one PNG and return its path.

    The outline of the truth is green, what the model found is filled orange.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 2.3 * len(rows) + 0.4), dpi=100, layout="constrained")
    axes = figure.subplots(len(rows), 4, squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        after = row.before if row.after is None else row.after
        _draw(line[0], row, None, f"“{row.prompt}”")
        _draw(line[1], row, row.truth, "truth")
        _draw(
            line[2], row, row.before, f"before: Dice {dice(row.before, row.truth):.2f}"
        )
        _draw(line[3], row, after, f"after: Dice {dice(after, row.truth):.2f}")
    figure.savefig(path)
    return path


def write_heat(
    path: Path, pixels: NDArray[np.generic], axes: str, heat: NDArray[np.float32]
) -> Path:
    """Draw a 2-D picture with a heat map over it into a PNG, and return its path.

    Parameters
    ----------
    path : Path
        Of the PNG.
    pixels : ndarray
        With `axes` ``"yx"`` or ``"cyx"``.
    axes : str
        As above.
    heat : ndarray
        (H, W), 0 to 1.
    """
    from matplotlib.figure import Figure

    colour = axes == "cyx" and len(pixels) == 3
    plane = pixels[0] if axes == "cyx" and not colour else pixels
    figure = Figure(figsize=(5, 5 * heat.shape[0] / heat.shape[1]), dpi=120)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.imshow(
        np.moveaxis(plane, 0, -1) if colour else plane, cmap=None if colour else "gray"
    )
    strength = heat / max(float(heat.max()), 1e-6)
    axis.imshow(strength, cmap="inferno", alpha=0.7 * strength)
    axis.set_axis_off()
    figure.savefig(path)
    return path


def _draw(axis: Any, row: ReportRow, mask: Mask | None, title: str) -> None:
    colour = row.axes == "cyx"
    picture = np.moveaxis(row.pixels, 0, -1) if colour else row.pixels
    axis.imshow(picture, cmap=None if colour else "gray")
    if mask is not None:
        filled = np.zeros((*mask.shape, 4))
        filled[mask > 0] = (1.0, 0.55, 0.0, 0.45)
        axis.imshow(filled)
        if row.truth.any():
            axis.contour(row.truth, [0.5], colors=["#2ca02c"], linewidths=1.2)
    axis.set_title(title, fontsize=9)
    axis.set_axis_off()
