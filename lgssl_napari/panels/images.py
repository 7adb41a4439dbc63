"""Which image is open, why, and all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QModelIndex, QSortFilterProxyModel, QStringListModel, Qt
from qtpy.QtWidgets import QLineEdit, QListView, QPushButton
from superqt import QElidingLabel

from lgssl_napari.panels.keys import KEYS
from lgssl_napari.panels.parts import column, folded, row, say, text

if TYPE_CHECKING:
    from lgssl_napari.state import ImageRow, PanelState


class ImagePanel:
    """The open image and the list to choose another from."""

    chosen = Signal(str)
    stepped = Signal(int)

    def __init__(self) -> None:
        self.name = QElidingLabel()
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        self.place = text()
        self.reason = text()
        self.before = QPushButton(f"◀ {KEYS['before']}")
        self.after = QPushButton(f"{KEYS['after']} ▶")
        self.before.setToolTip("The image before in the list.")
        self.after.setToolTip("The image after in the list.")
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Part of a name")
        self.filter.setClearButtonEnabled(True)
        self._model = QStringListModel()
        self._shown = QSortFilterProxyModel()
        self._shown.setSourceModel(self._model)
        self._shown.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.list = QListView()
        self.list.setModel(self._shown)
        self.list.setUniformItemSizes(True)  # ten thousand lines without measuring each
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setFixedHeight(140)
        self.all = folded("All images", column(self.filter, self.list))
        self.widget = column(
            self.name,
            row(self.place, self.before, self.after, stretch_first=True),
            self.reason,
            self.all,
        )
        self._rows: tuple[ImageRow, ...] = ()
        self._targets = 0
        self.before.clicked.connect(lambda: self.stepped.emit(-1))
        self.after.clicked.connect(lambda: self.stepped.emit(1))
        self.filter.textChanged.connect(self._shown.setFilterFixedString)
        self.list.clicked.connect(self._open)
        self.list.activated.connect(self._open)

    def show(self, state: PanelState) -> None:
        """Show the image at hand, and the list where it changed."""
        project, work = state.project, state.work
        if project is None:
            return
        self.name.setText(work.image.name if work.image else "No image is open")
        self.name.setToolTip(work.image.caption if work.image else "")
        count = len(project.images)
        say(self.place, f"{work.position + 1} of {count}" if work.image else " ")
        say(self.reason, f"Why this one: {work.reason}." if work.reason else "")
        self._fill(project.images, len(project.targets))
        if work.position >= 0:
            here = self._shown.mapFromSource(self._model.index(work.position))
            self.list.setCurrentIndex(here)
        self.before.setEnabled(work.position > 0)
        self.after.setEnabled(0 <= work.position < count - 1)

    def _fill(self, rows: tuple[ImageRow, ...], targets: int) -> None:
        if rows is self._rows and targets == self._targets:
            return
        same = len(rows) == len(self._rows) and targets == self._targets
        if same:
            for place, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
                if old is not new:
                    self._model.setData(self._model.index(place), line(new, targets))
        else:
            self._model.setStringList([line(row, targets) for row in rows])
            self.all.setText(f"All images ({len(rows)})")
        self._rows, self._targets = rows, targets

    def _open(self, index: QModelIndex) -> None:
        place = self._shown.mapToSource(index).row()
        self.chosen.emit(self._rows[place].id)


def line(image: ImageRow, targets: int) -> str:
    """Return an image's line: how much of it is finished, its name, what it is for."""
    finished = "●" if image.finished >= targets > 0 else "◐" if image.finished else "○"
    mark = "⚑" if image.flagged else finished
    split = "" if image.split == "train" else f"   ({image.split})"
    return f"{mark}  {image.name}{split}"
