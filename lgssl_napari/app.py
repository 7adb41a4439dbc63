"""The window with the panel docked, as ``lgssl app`` and ``lgssl demo`` open it."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from lgssl_napari.panel import SegmentByText

TITLE = "Segment by text"


def open_window(project: Path | None = None) -> tuple[Viewer, SegmentByText]:
    """Open a napari window with the panel, and a project if given.

    Parameters
    ----------
    project : Path, optional
        The folder of a project.

    Returns
    -------
    Viewer
        The window.
    SegmentByText
        The panel docked in it.
    """
    import napari

    from lgssl_napari.panel import SegmentByText

    viewer = napari.Viewer(title=TITLE, show_welcome_screen=False)
    # This program ends with its window: what is imported by now is never garbage, and
    # to look through it again and again held the brush up for 130 ms each time.
    panel = SegmentByText(viewer, warmed=gc.freeze)
    viewer.window.add_dock_widget(panel, name=TITLE, area="right")
    if project is not None:
        verbs, folder = panel.controller, Path(project)
        # A mistyped path must not become a new project.
        (verbs.open_folder if folder.exists() else verbs.open_project)(folder)
    return viewer, panel


def launch(project: Path | None = None) -> None:
    """Open the window and stay until it is closed."""
    import napari

    open_window(project)
    napari.run()
