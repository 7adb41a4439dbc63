"""The seam between the controller and whatever draws: napari, or a fake in tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from psygnal import SignalInstance

    from lgssl_napari.state import Picture
    from src_core.types import Image

    Mask = NDArray[np.uint8]  # 0 and 1 over the image's spatial shape


@dataclass(frozen=True, slots=True)
class Pane:
    """One mask beside others: what stands above it, and its 0 and 1."""

    title: str
    mask: Mask


class Canvas(Protocol):
    """Draws one image, one mask that can be edited, and others that cannot.

    Attributes
    ----------
    edited, stroked : SignalInstance
        Emitted without arguments when the person changed the annotation by hand, and
        when a stroke was drawn.
    """

    @property
    def edited(self) -> SignalInstance:
        """Emitted when the person changed the annotation by hand."""
        ...

    @property
    def stroked(self) -> SignalInstance:
        """Emitted when the person drew a stroke."""
        ...

    @property
    def drawing(self) -> SignalInstance:
        """Emitted at each piece of a stroke on the annotation, before it is done."""
        ...

    @property
    def held(self) -> bool:
        """Whether the person is drawing a stroke now."""
        ...

    @property
    def released(self) -> SignalInstance:
        """Emitted when the stroke is done, before it is in the annotation."""
        ...

    def warm_up(self) -> None:
        """Import what drawing needs; may be called from any thread."""
        ...

    def prepare(self, image: Image) -> None:
        """Make one thing that drawing an image will need, while it is being read."""
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

    def show_window(self, window: str) -> None:
        """Show CT in a window; images of another kind stay as they are.

        Parameters
        ----------
        window : str
            A preset of :data:`src_core.imaging.windows.PRESETS`.
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
        """Change the annotation as one step that the person can undo.

        Parameters
        ----------
        mask : ndarray
            0 and 1 over the image's spatial shape.
        """
        ...

    def annotation(self) -> Mask:
        """Return a copy of the annotation: 0 and 1 over the image's spatial shape."""
        ...

    def set_preview(
        self, mask: Mask, name: str, probability: NDArray[np.float32] | None = None
    ) -> None:
        """Show a mask that cannot be edited, and what it was cut from.

        Parameters
        ----------
        mask : ndarray
            0 and 1 over the image's spatial shape.
        name : str
            What it shows.
        probability : ndarray, optional
            In [0, 1], of the same shape.
        """
        ...

    def clear_preview(self) -> None:
        """Show no preview and no probability."""
        ...

    def show_probability(self, visible: bool) -> None:
        """Show or hide the heat map of the preview's probability."""
        ...

    def show_disagreement(
        self, heat: NDArray[np.float32] | None, plane: int | None = None
    ) -> None:
        """Show where a model's opinions part, or hide it.

        Parameters
        ----------
        heat : ndarray or None
            Over the image's spatial shape, 0 or more; None hides it.
        plane : int or None
            Of a volume, the plane to turn to.
        """
        ...

    def prepare_strokes(self) -> None:
        """Make the layer of strokes, still hidden, where it is missing."""
        ...

    def draw_strokes(self, kind: int) -> None:
        """Let the person draw strokes.

        Parameters
        ----------
        kind : int
            :data:`lgssl_napari.refine.INSIDE`, ``OUTSIDE``, or 0 to draw on the
            annotation again.
        """
        ...

    def strokes(self) -> Mask:
        """Return a copy of the strokes, over the image's spatial shape.

        :data:`lgssl_napari.refine.INSIDE`, ``OUTSIDE``, 0 elsewhere.
        """
        ...

    def clear_strokes(self) -> None:
        """Forget the strokes; the annotation is drawn on again."""
        ...

    def plane(self) -> int | None:
        """Return which plane of a volume is visible; None for a flat image."""
        ...

    def set_neighbours(self, labels: Mask, names: Sequence[tuple[str, int]]) -> None:
        """Show the masks of other targets, which cannot be edited.

        Parameters
        ----------
        labels : ndarray
            0, or the number of a target, over the image's spatial shape.
        names : sequence of (str, int)
            Name and place among the project's targets of number 1, 2, and so on; none
            hides them.
        """
        ...

    def prepare_panes(self, image: Image) -> None:
        """Make one thing that panes of an image will need, while they are computed."""
        ...

    def show_panes(self, picture: Picture, panes: Sequence[Pane]) -> None:
        """Show several masks of an image side by side, instead of what is open."""
        ...

    def name_panes(self, panes: Sequence[Pane]) -> None:
        """Write above each pane what it is; nothing where none are shown."""
        ...

    def hide_panes(self) -> None:
        """Put back what was open."""
        ...

    def clear(self) -> None:
        """Remove everything that was drawn here; other layers stay."""
        ...
