"""What the first layers need, brought in before they are made and away from the window.

Pandas, scipy and half of scikit-image come with them: on the window's own thread the
first image held it up for half a second.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Labels

_UNITS = threading.Lock()


def know_units() -> None:
    """Have the units read that every layer has; nothing once they are.

    The registry reads its file when first asked, a quarter of a second, and not safely:
    a layer that another thread makes meanwhile is told that there are no pixels.
    """
    from napari.utils.transforms import Affine

    with _UNITS:
        Affine(affine_matrix=np.eye(3), ndim=2)


def warm_up() -> Labels:
    """Make a layer of each kind that nobody sees, and return the one of labels."""
    from napari.layers import Image, Labels

    know_units()
    with suppress(ImportError):
        # Each Labels layer has a dashed line, and vispy computes its dashes once.
        from vispy.visuals.line import dash_atlas

        dash_atlas.DashAtlas()
    layer = Labels(np.zeros((2, 2), np.uint8))
    layer.data_setitem((np.array([0]), np.array([0])), 1)
    Image(np.zeros((2, 2), np.uint8))
    return layer
