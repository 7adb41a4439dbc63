"""All model versions; any of them can answer again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QPushButton, QTreeWidget, QTreeWidgetItem

from lgssl_napari.panels.parts import column, fit_rows, text

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState, VersionRow

COLUMNS = ("Model", "Dice", "Masks", "Made")


class VersionsPanel:
    """The models of the project, newest first."""

    wanted = Signal(str)

    def __init__(self) -> None:
        self.list = QTreeWidget()
        self.list.setHeaderLabels(COLUMNS)
        self.list.setRootIsDecorated(False)
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.answer = QPushButton("Let this one answer")
        self.answer.setToolTip("Go back to this version, or forward; none is lost.")
        self.widget = column(text("Model versions", bold=True), self.list, self.answer)
        self._versions: tuple[VersionRow, ...] | None = None
        self.list.currentItemChanged.connect(lambda *_: self._enable())
        self.answer.clicked.connect(lambda: self.wanted.emit(self._current()))

    def show(self, state: PanelState) -> None:
        """Show the versions where they changed."""
        versions = state.project.versions if state.project else ()
        self.widget.setVisible(bool(versions))
        if versions is not self._versions:
            self._versions = versions
            self.list.clear()
            for version in versions:
                self.list.addTopLevelItem(_item(version))
            fit_rows(self.list, at_most=4)
        self._enable()

    def _current(self) -> str:
        item = self.list.currentItem()
        return item.data(0, Qt.ItemDataRole.UserRole) if item is not None else ""

    def _enable(self) -> None:
        answers = next((v.version for v in self._versions or () if v.answers), "")
        self.answer.setEnabled(self._current() not in ("", answers))


def _item(version: VersionRow) -> QTreeWidgetItem:
    dice = "–" if version.dice is None else f"{version.dice:.3f}"
    mark = " (answers)" if version.answers else ""
    made = version.created.replace("T", " ")[:16]
    item = QTreeWidgetItem(
        [f"{version.version}{mark}", dice, str(version.labelled), made]
    )
    item.setData(0, Qt.ItemDataRole.UserRole, version.version)
    item.setToolTip(0, f"{version.method}, {version.unlabelled} unlabelled images")
    return item
