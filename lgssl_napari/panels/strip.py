"""The strip at the bottom: what happens, what went wrong, what must be decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QFrame, QProgressBar, QPushButton, QVBoxLayout, QWidget

from lgssl_napari.panels.parts import GAP, column, row, say, text
from lgssl_napari.state import Choice, Level

if TYPE_CHECKING:
    from lgssl_napari.state import Message, PanelState, Question

MARKS = {Level.INFO: "", Level.WARNING: "⚠  ", Level.ERROR: "✘  "}
SIDE_BY_SIDE = 34
"""Characters on the choices that fit into one row."""


class Strip:
    """One question or one message at a time, and what is under way."""

    chosen = Signal(object)

    def __init__(self) -> None:
        self.words = text()
        self.busy_words = text()
        self.busy_bar = QProgressBar()
        self.busy_bar.setRange(0, 0)
        self.busy_bar.setTextVisible(False)
        self.busy_bar.setFixedHeight(6)
        self.stop = QPushButton("Stop")
        self.stop.setToolTip(
            "Give up what is under way; nothing that is saved changes."
        )
        self.stop.clicked.connect(lambda: self.chosen.emit(self._stop))
        self._stop: Choice | None = None
        self.buttons: list[QPushButton] = []
        self._choices = QVBoxLayout()
        self._choices.setSpacing(GAP)
        self.widget = QFrame()
        self.widget.setFrameShape(QFrame.Shape.StyledPanel)
        layout = QVBoxLayout(self.widget)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        busy = row(self.busy_words, self.stop, stretch_first=True)
        layout.addWidget(column(busy, self.busy_bar))
        layout.addWidget(self.words)
        layout.addLayout(self._choices)
        self._shown: Question | Message | None = None

    def show(self, state: PanelState) -> None:
        """Show what is under way, and the question or else the message."""
        say(self.busy_words, f"{state.busy}…" if state.busy else "")
        self.busy_bar.setVisible(bool(state.busy))
        self._stop = state.stop
        self.stop.setVisible(state.stop is not None)
        shown = state.question or state.message
        if shown is not self._shown:
            self._shown = shown
            self._speak(state.question, state.message)
        self.widget.setVisible(bool(state.busy) or shown is not None)

    def _speak(self, question: Question | None, message: Message | None) -> None:
        choices: tuple[Choice, ...] = ()
        if question is not None:
            say(self.words, f"?  {question.text}")
            choices = question.choices
        elif message is not None:
            say(self.words, MARKS[message.level] + message.text)
            choices = (message.remedy,) if message.remedy else ()
        else:
            say(self.words, "")
        self._offer(choices)

    def _offer(self, choices: tuple[Choice, ...]) -> None:
        while (item := self._choices.takeAt(0)) is not None:
            item.widget().deleteLater()
        self.buttons = [self._button(choice) for choice in choices]
        if not self.buttons:
            return
        wide = sum(len(choice.label) for choice in choices) > SIDE_BY_SIDE
        rows: list[QWidget] = (
            [column(button) for button in self.buttons]
            if wide
            else [column(row(*self.buttons))]
        )
        for part in rows:
            self._choices.addWidget(part)

    def _button(self, choice: Choice) -> QPushButton:
        button = QPushButton(choice.label)
        button.clicked.connect(lambda: self.chosen.emit(choice))
        return button
