"""Places in an image, named as a person sees it and counted as it is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from src_core.acquire.regions import Region, where_to_look
from src_core.imaging.turn import on_screen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def places(heat: NDArray[np.float32], orientation: str, count: int = 3) -> list[Region]:
    """Return where to look, best first.

    Parameters
    ----------
    heat : ndarray
        (H, W) or (Z, H, W), 0 or more, along the image's stored axes.
    orientation : str
        Letters of those axes, ``""`` where they are unknown.
    count : int
        At most so many.
    """
    upright = on_screen(orientation)
    flips = [have != want for have, want in zip(orientation, upright, strict=True)]
    rows, columns = flips[-2:] or (False, False)
    turned = heat[..., :: -1 if rows else 1, :: -1 if columns else 1]
    height, width = heat.shape[-2:]
    return [
        replace(
            region,
            rows=_flipped(region.rows, height) if rows else region.rows,
            columns=_flipped(region.columns, width) if columns else region.columns,
        )
        for region in where_to_look(turned, count)
    ]


def _flipped(ends: tuple[int, int], length: int) -> tuple[int, int]:
    first, behind = ends
    return length - behind, length - first
