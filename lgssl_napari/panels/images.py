"""Which image is open, why, and all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QComboBox, QLineEdit, QListView, QPushButton
from superqt import QElidingLabel

from lgssl_napari.panels.keys import KEYS
from lgssl_napari.panels.listing import KINDS, ImageList
from lgssl_napari.panels.parts import column, folded, row, say, spaced, text

if TYPE_CHECKING:
    from qtpy.QtCore import QModelIndex

    from lgssl_napari.state import PanelState


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
        self.kind = QComboBox()
        self.kind.addItems(list(KINDS))
        self.kind.setToolTip("Which images are listed.")
        self.model = ImageList()
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setUniformItemSizes(True)  # ten thousand lines without measuring each
        spaced(self.list)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setFixedHeight(150)
        self.all = folded(
            "All images",
            column(row(self.filter, self.kind, stretch_first=True), self.list),
        )
        self.widget = column(
            self.name,
            row(self.place, self.before, self.after, stretch_first=True),
            self.reason,
            self.all,
        )
        self.before.clicked.connect(lambda: self.stepped.emit(-1))
        self.after.clicked.connect(lambda: self.stepped.emit(1))
        self.filter.textChanged.connect(lambda part: self.model.filter(part=part))
        self.kind.currentTextChanged.connect(lambda kind: self.model.filter(kind=kind))
        self.list.clicked.connect(self._open)
        self.list.activated.connect(self._open)

    def show(self, state: PanelState) -> None:
        """Show the image at hand, and the list where it changed."""
        project, work = state.project, state.work
        if project is None:
            return
        self.name.setText(work.image.name if work.image else "No image is open")
        self.name.setToolTip(work.image.caption if work.image else "")
        count = max(project.count, len(project.images))
        known = work.image is not None and work.position >= 0
        say(self.place, f"{work.position + 1} of {count}" if known else f"of {count}")
        say(self.reason, f"Why this one: {work.reason}." if work.reason else "")
        self.model.fill(project.images, len(project.targets))
        self.all.setText(f"All images ({count})")
        if known:
            self.list.setCurrentIndex(self.model.place(work.position))
        self.before.setEnabled(work.position > 0)
        self.after.setEnabled(0 <= work.position < len(project.images) - 1)

    def _open(self, index: QModelIndex) -> None:
        self.chosen.emit(self.model.image(index.row()))
