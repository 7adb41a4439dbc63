"""The card of the tour: one step at a time, with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QFrame, QPushButton, QVBoxLayout

from lgssl_napari.panels.parts import GAP, column, row, say, text
from lgssl_napari.tour import STEPS

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState


class TourPanel:
    """Shows the step at hand; it goes on by itself when the step was done."""

    skipped = Signal()
    ended = Signal()

    def __init__(self) -> None:
        self.title = text(bold=True)
        self.words = text()
        self.next = QPushButton("Next step")
        self.end = QPushButton("End the tour")
        self.widget = QFrame()
        self.widget.setFrameShape(QFrame.Shape.StyledPanel)
        layout = QVBoxLayout(self.widget)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.addWidget(column(self.title, self.words, row(self.next, self.end)))
        self.next.clicked.connect(lambda: self.skipped.emit())
        self.end.clicked.connect(lambda: self.ended.emit())

    def show(self, state: PanelState) -> None:
        """Show the step, or nothing."""
        self.widget.setVisible(bool(state.tour))
        if state.tour:
            step = STEPS[state.tour - 1]
            say(self.title, f"Step {state.tour} of {len(STEPS)}: {step.title}")
            say(self.words, step.text)
            self.next.setVisible(state.tour < len(STEPS))
