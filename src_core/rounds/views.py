"""An image as the views that a model is shown of it: slices, and tiles of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.rounds.tallying import Spot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from src_core.predict import Predictor
    from src_core.store import Project
    from src_core.types import Image


def planes_of(
    project: Project, image: Image
) -> Iterator[tuple[int, NDArray[np.generic], str]]:
    """Yield number, pixels and axes of each 2-D picture; a volume is never held whole.

    The number is the slice's along z, or -1 of a picture.
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
    project: Project, predictor: Predictor, image: Image
) -> Iterator[tuple[Spot, Tensor]]:
    """Yield each view (1, 3, S, S) with where it lies in the image."""
    for z, pixels, axes in planes_of(project, image):
        picture, views = predictor.views(pixels, axes)
        for window, box, view in zip(
            picture.windows, picture.boxes, views, strict=True
        ):
            rows, columns = window
            yield Spot(z, box, rows.start, columns.start, *picture.shape), view
