"""Asks before the window closes over work that is not saved or still running."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

if TYPE_CHECKING:
    from lgssl_napari.controller import Controller

SAVE, LEAVE, STAY = "Save and close", "Close", "Stay"
Ask = Callable[[QWidget, str, tuple[str, ...]], str]


def ask_in_a_box(window: QWidget, words: str, choices: tuple[str, ...]) -> str:
    """Ask and return the choice; closing the box is the last one."""
    box = QMessageBox(window)
    box.setWindowTitle("Segment by text")
    box.setText(words)
    buttons = {box.addButton(c, QMessageBox.ButtonRole.ActionRole): c for c in choices}
    last = list(buttons)[-1]
    box.setEscapeButton(last)
    box.setDefaultButton(last)
    box.exec()
    return buttons.get(box.clickedButton(), choices[-1])


class CloseGuard(QObject):  # type: ignore[misc]
    """Watches a window for being closed.

    Parameters
    ----------
    window : QWidget
        The main window.
    controller : Controller
        Knows what would be lost.
    ask : callable
        Asks the person.
    """

    def __init__(
        self, window: QWidget, controller: Controller, ask: Ask = ask_in_a_box
    ) -> None:
        super().__init__(window)
        # Weakly: the window owns this filter, and must not be kept alive by it.
        self._controller = weakref.ref(controller)
        self.ask = ask
        self._sure = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hold a closing up until the person has chosen."""
        controller = self._controller()
        if event.type() != QEvent.Type.Close or self._sure or controller is None:
            return False
        words = at_stake(controller)
        if not words:
            return False
        can_save = controller.unsaved and controller.state.work.target is not None
        choices = (SAVE, LEAVE, STAY) if can_save else (LEAVE, STAY)
        choice = self.ask(self.parent(), words, choices)
        if choice == LEAVE:
            return False
        event.ignore()
        if choice == SAVE:
            controller.save_then(self._close)
        return True

    def _close(self) -> None:
        self._sure = True
        self.parent().close()


def at_stake(controller: Controller) -> str:
    """Return what would be lost with the window, ``""`` for nothing."""
    parts = []
    work = controller.state.work
    if controller.unsaved:
        what = work.target.name if work.target else "what you drew"
        where = work.image.name if work.image else ""
        parts.append(f"'{what}' in '{where}' is not saved.")
    if controller.state.job.running:
        parts.append(
            "A training is running and ends with the window; its last checkpoint is "
            "kept."
        )
    return " ".join(parts)
