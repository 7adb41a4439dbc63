"""The prompt line: known wordings are completed as one types, Enter asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QStringListModel, Qt
from qtpy.QtWidgets import QCompleter, QLineEdit, QPushButton

from lgssl_napari.panels.keys import KEYS
from lgssl_napari.panels.parts import column, row, say, spaced, text
from src_core.imaging.space import side_words

if TYPE_CHECKING:
    from qtpy.QtGui import QPalette

    from lgssl_napari.state import PanelState
    from src_core.types import Target


ASK = f"Type it in your own words and press Enter. Key: {KEYS['ask']}."


class PromptPanel:
    """What to find."""

    asked = Signal(str)

    def __init__(self) -> None:
        self.line = QLineEdit()
        self.line.setPlaceholderText(f"What to find [{KEYS['ask']}]")
        self.line.setToolTip(ASK)
        self.line.setClearButtonEnabled(True)
        self._known = QStringListModel()
        completer = QCompleter(self._known, self.line)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.popup().clicked.connect(lambda _: self._ask())
        self.line.setCompleter(completer)
        spaced(completer.popup())
        self.find = QPushButton("Find [Enter]")
        self.sides = text()
        self.widget = column(row(self.line, self.find, stretch_first=True), self.sides)
        self._targets: tuple[Target, ...] = ()
        self._at_hand = ""
        self.line.returnPressed.connect(self._ask)
        self.find.clicked.connect(lambda: self._ask())

    def show(self, state: PanelState) -> None:
        """Offer the project's wordings, and the target at hand where it changed."""
        targets = state.project.targets if state.project else ()
        if targets is not self._targets:
            self._targets = targets
            names = [target.name for target in targets]
            others = [w for target in targets for w in target.wordings]
            self._known.setStringList(list(dict.fromkeys(names + others)))
        self._tell_sides(state)
        self._follow(state)

    def paint(self, palette: QPalette) -> None:
        """Take on the theme: the list of completions is a window of its own."""
        self.line.completer().popup().setPalette(palette)

    def focus(self) -> None:
        """Let the person type."""
        self.line.setFocus()
        self.line.selectAll()

    def _tell_sides(self, state: PanelState) -> None:
        """Say whose left and right the open image shows: who types them must know."""
        image = state.work.image
        sentence = side_words(image.orientation) if image else ""
        say(self.sides, f"{sentence.partition(':')[0].rstrip('.')}." if image else "")
        self.sides.setToolTip(sentence)
        self.line.setToolTip(f"{ASK} {sentence}".rstrip())

    def _follow(self, state: PanelState) -> None:
        """Say which target is at hand, unless its own wording is there already."""
        target = state.work.target
        asked = state.answer.prompt if state.answer else ""
        name = asked or (target.name if target else "")
        if name != self._at_hand:
            self._at_hand = name
            if name and not self.line.hasFocus():
                self.line.setText(name)

    def _ask(self) -> None:
        words = self.line.text()
        self.line.completer().popup().hide()
        # The keys of the panel work again, instead of being typed.
        self.line.clearFocus()
        self.asked.emit(words)
