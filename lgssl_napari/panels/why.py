"""Why this image: where to look in it, and whether it is wanted at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QLineEdit

from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import column, folded, row, say, text

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState


class WhyPanel:
    """Where opinions part; skip with a reason, or pin."""

    where_wanted = Signal(bool)
    skipped = Signal(str)
    pinned = Signal(str)

    def __init__(self) -> None:
        self.where = key_button(
            "Where to look",
            "where",
            "Show where the model's opinions part: a correction teaches most there.",
            checkable=True,
        )
        self.sentence = text()
        self.note = QLineEdit()
        self.note.setPlaceholderText("Why, in a few words")
        self.skip = key_button(
            "Skip", "skip", "Never offer this image again; the reason is kept."
        )
        self.pin = key_button(
            "Pin", "pin", "Offer this image before all others until it is finished."
        )
        self.widget = column(
            self.where,
            self.sentence,
            folded("Skip or pin", column(self.note, row(self.skip, self.pin))),
        )
        self.where.clicked.connect(lambda on: self.where_wanted.emit(bool(on)))
        self.note.returnPressed.connect(self.skip_now)
        self.skip.clicked.connect(lambda: self.skip_now())
        self.pin.clicked.connect(lambda: self.pin_now())

    def skip_now(self) -> None:
        """Skip with what stands in the note."""
        self.skipped.emit(self.note.text())

    def pin_now(self) -> None:
        """Pin with what stands in the note."""
        self.pinned.emit(self.note.text())
        self.note.clear()

    def show(self, state: PanelState) -> None:
        """Show where to look, and allow what is possible."""
        project, work = state.project, state.work
        has_model = project is not None and project.version is not None
        can_ask = has_model and work.image is not None and work.target is not None
        self.where.setEnabled(can_ask)
        self.where.setChecked(bool(work.where))
        say(self.sentence, work.where)
        may_wish = work.image is not None and not (project and project.read_only)
        self.skip.setEnabled(may_wish)
        self.pin.setEnabled(may_wish)
