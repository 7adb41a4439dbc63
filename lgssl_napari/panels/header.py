"""Which project is open, and its way in and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QFileDialog
from superqt import QElidingLabel

from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import column, row

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState


class Header:
    """The project's name, and two things to do with all of it."""

    files_chosen = Signal(object)
    close_wanted = Signal()

    def __init__(self) -> None:
        self.name = QElidingLabel()
        self.add = key_button(
            "Add…",
            "add",
            "Take in pictures, or a table (.csv) of pictures, masks and targets.",
        )
        self.close = key_button(
            "Close", "close", "Close the project; the start page comes back."
        )
        self.widget = column(row(self.name, self.add, self.close, stretch_first=True))
        self.add.clicked.connect(lambda: self.choose())
        self.close.clicked.connect(lambda: self.close_wanted.emit())

    def show(self, state: PanelState) -> None:
        """Show the project's name, and the version that answers."""
        project = state.project
        if project is None:
            return
        model = f"model {project.version}" if project.version else "no model yet"
        locked = ", read-only" if project.read_only else ""
        self.name.setText(f"{project.name} ({model}{locked})")
        self.name.setToolTip(str(project.path))
        self.add.setEnabled(not project.read_only)

    def choose(self) -> None:
        """Ask for files."""
        chosen, _ = QFileDialog.getOpenFileNames(self.widget, "Add files")
        if chosen:
            self.files_chosen.emit([Path(name) for name in chosen])
