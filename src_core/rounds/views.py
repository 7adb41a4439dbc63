"""An image as the views that a model is shown of it: slices, and tiles of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.imaging.turn import on_screen
from src_core.rounds.tallying import Spot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from src_core.imaging.turn import Turn
    from src_core.predict import Predictor
    from src_core.store import Project
    from src_core.types import Image


def planes_of(
    project: Project, image: Image
) -> Iterator[tuple[int, NDArray[np.generic], str]]:
    """Yield number, pixels and axes of each 2-D picture; a volume is never held whole.

    The number is the slice's along z, or -1 of a picture; pixels are (H, W), or
    (C, H, W), as the axes say.
    """
    pixels = project.pixels(image)
    if "z" not in image.axes:
        yield -1, np.asarray(pixels[...]), image.axes
        return
    depth, axes = image.axes.index("z"), image.axes.replace("z", "")
    for z in range(image.shape[depth]):
        where: list[Any] = [slice(None)] * len(image.shape)
        where[depth] = z
        yield z, np.asarray(pixels[tuple(where)]), axes


def views_of(
    project: Project, predictor: Predictor, image: Image, prompts: Sequence[str]
) -> Iterator[tuple[Spot, NDArray[np.bool_], Tensor]]:
    """Yield each view (1, 3, S, S), where it lies, and who is asked about in it.

    Each picture stands upright, as in prediction, and is shown once for each window
    that prompts are looked for with: (K,) says which prompts these are.
    """
    shown = predictor.look_at(project.pixels(image), image.axes, image)
    windows = [shown.window_for(prompt) for prompt in prompts]
    for n in range(len(shown)):
        for window in dict.fromkeys(windows):
            asked = np.array([own == window for own in windows])
            picture, views = predictor.views(shown.picture(n, window))
            number = n if "z" in image.axes else -1
            for (rows, columns), box, view in zip(
                picture.windows, picture.boxes, views, strict=True
            ):
                start = rows.start, columns.start
                yield Spot(number, box, *start, *picture.shape), asked, view


def as_on_screen(
    turn: Turn, image: Image, z: float, y: float, x: float
) -> tuple[float, float, float]:
    """Bring a place in a shown picture to where a person finds it in a window.

    Parameters
    ----------
    turn : Turn
        How the picture was shown.
    image : Image
        It.
    z : float
        Number of the shown picture, or -1 of a flat one.
    y, x : float
        Shares of the picture's height and width.

    Returns
    -------
    (float, float, float)
        Number of the stored slice, and shares of it when it stands upright.
    """
    if not turn.stored:
        return z, y, x
    flat = z < 0
    depth = 1 if flat else image.spatial_shape[turn.slices]
    place = (y, x) if flat else ((z + 0.5) / depth, y, x)
    at = turn.stored_at(place)
    upright = on_screen(turn.stored)
    rows, columns = (
        share if have == letter else 1.0 - share
        for share, have, letter in list(zip(at, turn.stored, upright, strict=True))[-2:]
    )
    slices = -1.0 if flat else float(int(at[0] * image.spatial_shape[0]))
    return slices, rows, columns
