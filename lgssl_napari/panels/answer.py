"""The model's answer, and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QSignalBlocker, Qt
from superqt import QLabeledDoubleSlider

from lgssl_napari.panels.keys import key_box, key_button
from lgssl_napari.panels.parts import column, row, say, text

if TYPE_CHECKING:
    from lgssl_napari.results import Answer
    from lgssl_napari.state import PanelState


class AnswerPanel:
    """Found or not, how sure, and the proposal."""

    accepted = Signal()
    shown_anyway = Signal()
    target_wanted = Signal(str)
    wording_kept = Signal()
    cut = Signal(float)
    heat_wanted = Signal(bool)

    def __init__(self) -> None:
        self.title = text(bold=True)
        self.detail = text()
        self.understanding = text()
        self.anyway = key_button(
            "Show the mask all the same",
            "anyway",
            "Cut where it is least unsure.",
        )
        self.keep = key_button(
            "Remember it", "wording", "Remember this wording for that target."
        )
        self.new = key_button(
            "New target", "target", "Make it a target of its own, and draw it."
        )
        self.slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0.02, 0.98)
        self.slider.setSingleStep(0.02)
        self.slider.setDecimals(2)
        self.slider.setValue(0.5)
        self.slider.setToolTip("Lower takes in more pixels, higher fewer.")
        self.heat = key_box("Heat map", "heat", "Show the probability.")
        self.accept = key_button(
            "Accept", "accept", "Take the proposal into the annotation."
        )
        self._slider_title = text("Cut the probability at")
        self._proposal = column(
            row(self._slider_title, self.heat, stretch_first=True),
            self.slider,
            self.accept,
        )
        self._wording = column(row(self.keep, self.new))
        self.widget = column(
            self.title,
            self.detail,
            self.understanding,
            self._wording,
            self.anyway,
            self._proposal,
        )
        self._answer: Answer | None = None
        self.accept.clicked.connect(lambda: self.accepted.emit())
        self.anyway.clicked.connect(lambda: self.shown_anyway.emit())
        self.keep.clicked.connect(lambda: self.wording_kept.emit())
        self.new.clicked.connect(
            lambda: self.target_wanted.emit(self._answer.prompt if self._answer else "")
        )
        self.slider.valueChanged.connect(lambda value: self.cut.emit(round(value, 2)))
        self.heat.toggled.connect(lambda on: self.heat_wanted.emit(bool(on)))

    def show(self, state: PanelState) -> None:
        """Show an answer, or nothing."""
        answer = state.answer
        self.widget.setVisible(answer is not None)
        if answer is None or answer is self._answer:
            self._answer = answer
            return
        self._answer = answer
        say(self.title, f"{'✔' if answer.present else '✘'}  {answer.title}")
        say(self.detail, answer.detail)
        say(self.understanding, answer.understanding)
        self.anyway.setVisible(not answer.shown)
        self._wording.setVisible(not answer.is_known)
        self.keep.setVisible(answer.target is not None)
        self._proposal.setVisible(answer.shown)
        with QSignalBlocker(self.slider):
            self.slider.setValue(answer.cut)
