"""The mask at hand: how far it is, corrections, and saving it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLineEdit, QWidget

from lgssl_napari.edits import EDITS
from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import GAP, column, folded, row, say, text

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState


class MaskPanel:
    """Correct and save."""

    edit_wanted = Signal(str)
    save_wanted = Signal()
    empty_wanted = Signal()
    flag_wanted = Signal(str)
    next_wanted = Signal()
    next_after_save = Signal(bool)

    def __init__(self) -> None:
        self.title = text(bold=True)
        self.status = text()
        self.edits = {
            name: key_button(edit.label, name, edit.tip) for name, edit in EDITS.items()
        }
        tools = text(
            "napari's own tools: paint P, erase E, fill F, polygon 3, undo Ctrl+Z; "
            "square brackets change the brush."
        )
        self.corrections = folded("Correct", column(tools, self._grid()))
        self.save = key_button("Save", "save", "Save the mask as done.")
        self.empty = key_button(
            "Not there", "empty", "Save that you looked and it is not in the image."
        )
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note for a reviewer")
        self.flag = key_button(
            "Flag", "flag", "Save it for somebody else to look at; not learned from."
        )
        self.next = key_button(
            "Next image", "next", "Open the image from which the model learns most."
        )
        self.follow = QCheckBox("after saving")
        self.follow.setToolTip("Open the next image each time one was saved.")
        self.follow.setChecked(True)
        self.widget = column(
            self.title,
            self.status,
            self.corrections,
            row(self.save, self.empty),
            row(self.note, self.flag, stretch_first=True),
            row(self.next, self.follow, stretch_first=True),
        )
        for name, button in self.edits.items():
            button.clicked.connect(
                lambda _=False, name=name: self.edit_wanted.emit(name)
            )
        self.save.clicked.connect(lambda: self.save_wanted.emit())
        self.empty.clicked.connect(lambda: self.empty_wanted.emit())
        self.flag.clicked.connect(lambda: self.flag_now())
        self.note.returnPressed.connect(self.flag_now)
        self.next.clicked.connect(lambda: self.next_wanted.emit())
        self.follow.toggled.connect(lambda on: self.next_after_save.emit(bool(on)))

    def flag_now(self) -> None:
        """Flag with what stands in the note."""
        self.flag_wanted.emit(self.note.text())
        self.note.clear()

    def show(self, state: PanelState) -> None:
        """Show how far the mask at hand is."""
        work, project = state.work, state.project
        self.widget.setEnabled(work.image is not None)
        is_volume = work.image is not None and "z" in work.image.axes
        self.edits["between"].setVisible(is_volume)
        target = work.target
        say(self.title, f"Annotation: {target.name}" if target else "Annotation")
        self.status.setVisible(work.image is not None)
        if work.dirty:
            say(self.status, "● Unsaved changes")
        elif target is None:
            say(self.status, "Type above what you want to find or draw.")
        else:
            say(self.status, f"Saved: {work.status}" if work.revision else "Unlabelled")
        can_save = work.image is not None and not (project and project.read_only)
        for button in (self.save, self.empty, self.flag):
            button.setEnabled(can_save)

    def _grid(self) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GAP)
        for place, (name, button) in enumerate(self.edits.items()):
            # The one for volumes takes a row of its own, which a flat image hides.
            wide = name == "between"
            grid.addWidget(button, place // 2, 0 if wide else place % 2, 1, 1 + wide)
        return box
