"""Whether a person holds a mouse button on napari's canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.viewer import Viewer


class Holding:
    """Follows the button, whichever layer is active and whatever tool is in hand.

    The viewer tells and not a layer: napari gives the end of a stroke to the layer that
    is active then, which a key may have changed.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The open window.
    released : callable
        Called when the button is let go, before napari has finished the stroke.

    Attributes
    ----------
    now : bool
        Whether it is held.
    """

    def __init__(self, viewer: Viewer, released: Callable[[], None]) -> None:
        self._released = released
        self.now = False
        viewer.mouse_drag_callbacks.append(self._follow)

    def _follow(self, _: Viewer, event: Any) -> Iterator[None]:
        self.now = True
        yield
        while event.type == "mouse_move":
            yield
        self.now = False
        self._released()
