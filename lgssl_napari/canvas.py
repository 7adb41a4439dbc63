"""The seam between the controller and whatever draws: napari, or a fake in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from psygnal import SignalInstance

    from lgssl_napari.state import Picture

    Mask = NDArray[np.uint8]  # 0 and 1 over the image's spatial shape


class Canvas(Protocol):
    """Draws one image, one mask that can be edited, and one that cannot.

    Attributes
    ----------
    edited : SignalInstance
        Emitted without arguments when the person changed the annotation by hand.
    """

    @property
    def edited(self) -> SignalInstance:
        """Emitted when the person changed the annotation by hand."""
        ...

    def show_image(self, picture: Picture, mask: Mask, name: str, colour: int) -> None:
        """Replace image and annotation; the preview becomes empty.

        Parameters
        ----------
        picture : Picture
            The image.
        mask, name, colour
            The annotation, as for :meth:`set_annotation`.
        """
        ...

    def set_annotation(self, mask: Mask, name: str, colour: int) -> None:
        """Replace the annotation as something new that cannot be undone.

        Parameters
        ----------
        mask : ndarray
            0 and 1 over the image's spatial shape.
        name : str
            Of the target; ``""`` while nobody has said what is drawn.
        colour : int
            Position of the target among the project's, which picks its colour.
        """
        ...

    def edit_annotation(self, mask: Mask) -> None:
        """Change the annotation as one step that the person can undo."""
        ...

    def annotation(self) -> Mask:
        """Return a copy of the annotation: 0 and 1 over the image's spatial shape."""
        ...

    def set_preview(
        self, mask: Mask, name: str, probability: NDArray[np.float32] | None = None
    ) -> None:
        """Show a mask that cannot be edited, and what it was cut from."""
        ...

    def clear_preview(self) -> None:
        """Show no preview and no probability."""
        ...

    def show_probability(self, visible: bool) -> None:
        """Show or hide the heat map of the preview's probability."""
        ...

    def clear(self) -> None:
        """Remove everything that was drawn here; other layers stay."""
        ...
