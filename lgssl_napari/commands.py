"""What napari's menus and its command palette call; each opens the panel if need be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from lgssl_napari.panel import SegmentByText


def panel_of(viewer: Viewer) -> SegmentByText:
    """Return the panel docked in a window, docked now if there is none.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window.
    """
    from lgssl_napari.app import TITLE
    from lgssl_napari.panel import SegmentByText

    for docked in viewer.window.dock_widgets.values():
        if isinstance(docked, SegmentByText):
            return docked
    panel = SegmentByText(viewer)
    viewer.window.add_dock_widget(panel, name=TITLE, area="right")
    return panel


def open_project(viewer: Viewer) -> None:
    """Ask for a folder and open it."""
    panel_of(viewer).start.choose()


def try_sample(viewer: Viewer) -> None:
    """Open the sample project."""
    panel_of(viewer).controller.try_sample()


def add_files(viewer: Viewer) -> None:
    """Ask for files and take them in."""
    panel_of(viewer).header.choose()


def close_project(viewer: Viewer) -> None:
    """Go back to the start page."""
    panel_of(viewer).controller.close_project()


def take_layers(viewer: Viewer) -> None:
    """Take the files of the selected image layers into the project."""
    from src_core.errors import UserError

    verbs = panel_of(viewer).controller
    chosen = list(viewer.layers.selection)
    paths = dict.fromkeys(
        Path(layer.source.path) for layer in chosen if layer.source.path
    )
    if paths:
        verbs.add_files(paths)
        return
    verbs.fail(
        UserError(
            "No selected layer was read from a file; save it first, then add the file."
            if chosen
            else "Select the image layers that are to be taken into the project."
        )
    )


def ask(viewer: Viewer) -> None:
    """Put the cursor where one types what to find."""
    panel_of(viewer).type_prompt()


def save(viewer: Viewer) -> None:
    """Save the mask at hand as done."""
    panel_of(viewer).controller.save()


def next_image(viewer: Viewer) -> None:
    """Open the image from which the model learns most."""
    panel_of(viewer).controller.next_image()


def retrain(viewer: Viewer) -> None:
    """Train in the background as the form says."""
    panel_of(viewer).train.retrain_now()


def show_results(viewer: Viewer) -> None:
    """Show what the newest model changed."""
    panel_of(viewer).show_results()


def find_doubts(viewer: Viewer) -> None:
    """List the finished masks that the model doubts."""
    panel_of(viewer).find_doubts()


def show_tour(viewer: Viewer) -> None:
    """Show the five steps."""
    panel_of(viewer).controller.tour.begin()
