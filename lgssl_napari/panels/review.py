"""Asking somebody else to look, and being that somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QLineEdit

from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import column, folded, row

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState


class ReviewPanel:
    """A note and a flag; a name and a signature."""

    flagged = Signal(str)
    signed = Signal()
    named = Signal(str)

    def __init__(self) -> None:
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note for a reviewer")
        self.flag = key_button(
            "Flag", "flag", "Save it for somebody else to look at; not learned from."
        )
        self.who = QLineEdit()
        self.who.setPlaceholderText("Your name, if not the account's")
        self.who.setToolTip("Goes into the history with what you save and sign off.")
        self.sign = key_button(
            "Sign off", "sign", "Agree with a finished mask that somebody else made."
        )
        self.widget = folded(
            "Review",
            column(
                row(self.note, self.flag, stretch_first=True),
                row(self.who, self.sign, stretch_first=True),
            ),
        )
        self.flag.clicked.connect(lambda: self.flag_now())
        self.note.returnPressed.connect(self.flag_now)
        self.who.editingFinished.connect(lambda: self.named.emit(self.who.text()))
        self.sign.clicked.connect(lambda: self.sign_now())

    def flag_now(self) -> None:
        """Flag with what stands in the note."""
        self.flagged.emit(self.note.text())
        self.note.clear()

    def sign_now(self) -> None:
        """Sign off under the name that stands there."""
        self.named.emit(self.who.text())
        self.signed.emit()

    def show(self, state: PanelState) -> None:
        """Show whose work this is, and allow what is possible."""
        if not self.who.hasFocus() and self.who.text() != state.who:
            self.who.setText(state.who)
        project, work = state.project, state.work
        can_save = work.image is not None and not (project and project.read_only)
        self.flag.setEnabled(can_save)
        self.sign.setEnabled(can_save and work.status.is_truth and not work.reviewer)
