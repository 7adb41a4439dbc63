"""Every shortcut of the panel in one table; each is printed on its button.

None is one of napari's own, of any layer type: a test compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QCheckBox, QPushButton

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QAbstractButton, QWidget

KEYS: dict[str, str] = {
    "add": "Shift+I",
    "close": "F4",
    "ask": "Q",
    "accept": "K",
    "anyway": "Shift+H",
    "wording": "Shift+Q",
    "target": "Shift+N",
    "heat": "H",
    "inside": "8",
    "outside": "9",
    "refine": "U",
    "clear": "Shift+U",
    "others": "Shift+O",
    "fill": "Shift+F",
    "smooth": "Shift+M",
    "largest": "Shift+G",
    "between": "Shift+B",
    "save": "W",
    "empty": "0",
    "flag": "G",
    "sign": "Shift+S",
    "next": "N",
    "where": "Shift+W",
    "skip": "Shift+Y",
    "pin": "Shift+J",
    "before": "PgUp",
    "after": "PgDown",
    "retrain": "Shift+R",
    "stop": "Shift+X",
    "results": "J",
    "beside": "Shift+C",
    "back": "Shift+D",
    "answers": "Shift+T",
    "doubts": "Shift+E",
    "look": "Shift+K",
    "restore": "Shift+Z",
}


def named(text: str, verb: str) -> str:
    """Return a label with the key of its verb.

    >>> named("Save", "save")
    'Save [W]'
    """
    return f"{text} [{KEYS[verb]}]"


def bind(parent: QWidget, verb: str, call: Callable[[], None]) -> QShortcut:
    """Let the verb's key work wherever the focus is in the parent's window.

    A shortcut of the window and not a key binding of the viewer: those only work while
    the canvas has the focus. Letters typed into a text field stay text, because the
    field claims them first.
    """
    shortcut = QShortcut(QKeySequence(KEYS[verb]), parent)
    shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
    shortcut.activated.connect(call)
    return shortcut


def press(button: QAbstractButton) -> Callable[[], None]:
    """Return a call that clicks a button while it can be seen and clicked."""

    def click() -> None:
        if button.isVisible() and button.isEnabled():
            button.click()

    return click


def key_button(
    text: str, verb: str, tip: str, *, checkable: bool = False
) -> QPushButton:
    """Return a button with its key printed on it."""
    button = QPushButton(named(text, verb))
    button.setToolTip(f"{tip} Key: {KEYS[verb]}.")
    button.setCheckable(checkable)
    return button


def key_box(text: str, verb: str, tip: str) -> QCheckBox:
    """Return a box to tick with its key printed on it."""
    box = QCheckBox(named(text, verb))
    box.setToolTip(f"{tip} Key: {KEYS[verb]}.")
    return box
