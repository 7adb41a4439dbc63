"""The empty panel: open, try, or go on where one left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QListWidget, QListWidgetItem, QPushButton

from lgssl_napari.panels.parts import column, text

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState


class StartPanel:
    """What to do when no project is open."""

    folder_chosen = Signal(Path)
    project_chosen = Signal(Path)
    sample_wanted = Signal()
    tour_wanted = Signal()

    def __init__(self) -> None:
        self.open = QPushButton("Open a folder…")
        self.open.setToolTip(
            "A project, an empty folder to begin one in, or a folder of pictures."
        )
        self.sample = QPushButton("Try it with sample data")
        self.sample.setToolTip("88 drawn chest films and stained slides; no download.")
        self.tour = QPushButton("Show me around")
        self.tour.setToolTip("Five short steps.")
        self.recent_title = text("Recent projects", bold=True)
        self.recent = QListWidget()
        self.recent.setMaximumHeight(150)
        self.widget = column(
            text("Segment by text", bold=True),
            text("Type what to find, correct the mask, retrain with one click."),
            self.open,
            self.sample,
            self.recent_title,
            self.recent,
            text("Files and folders can be dropped on this panel, too."),
            self.tour,
            stretch=True,
        )
        self.open.clicked.connect(lambda: self.choose())
        self.sample.clicked.connect(lambda: self.sample_wanted.emit())
        self.tour.clicked.connect(lambda: self.tour_wanted.emit())
        self.recent.itemActivated.connect(self._reopen)
        self.recent.itemClicked.connect(self._reopen)

    def show(self, state: PanelState) -> None:
        """Show the projects opened last; wait while one is being opened."""
        known = tuple(
            self.recent.item(place).data(Qt.ItemDataRole.UserRole)
            for place in range(self.recent.count())
        )
        if known != state.recent:
            self.recent.clear()
            for path in state.recent:
                item = QListWidgetItem(f"{path.name}    {path.parent}")
                item.setData(Qt.ItemDataRole.UserRole, path)
                item.setToolTip(str(path))
                self.recent.addItem(item)
        for part in (self.recent, self.recent_title):
            part.setVisible(bool(state.recent))
        self.tour.setVisible(not state.tour)
        for part in (self.open, self.sample, self.recent):
            part.setEnabled(not state.busy)

    def choose(self) -> None:
        """Ask for a folder."""
        chosen = QFileDialog.getExistingDirectory(self.widget, "Open a folder")
        if chosen:
            self.folder_chosen.emit(Path(chosen))

    def _reopen(self, item: QListWidgetItem) -> None:
        self.project_chosen.emit(item.data(Qt.ItemDataRole.UserRole))
