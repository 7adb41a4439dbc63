"""Every shortcut of the panel in one table; each is printed on its button.

None is one of napari's own, of any layer type: a test compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QPushButton

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

KEYS: dict[str, str] = {
    "ask": "Q",
    "accept": "K",
    "heat": "H",
    "save": "W",
    "empty": "0",
    "flag": "G",
    "next": "N",
    "before": "PgUp",
    "after": "PgDown",
    "fill": "Shift+F",
    "smooth": "Shift+M",
    "largest": "Shift+G",
    "between": "Shift+B",
    "retrain": "Shift+R",
    "stop": "Shift+X",
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


def key_button(text: str, verb: str, tip: str) -> QPushButton:
    """Return a button with its key printed on it."""
    button = QPushButton(named(text, verb))
    button.setToolTip(f"{tip} Key: {KEYS[verb]}.")
    return button
