"""Every revision of the image at hand: who, when, from what; look, and bring back."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import column, row, say, spaced, text

if TYPE_CHECKING:
    from psygnal import SignalInstance

    from lgssl_napari.state import PanelState
    from src_core.types import Revision

COLUMNS = ("No.", "When", "Who", "What")


class HistoryPanel:
    """The past of one image."""

    look_wanted = Signal(int)
    restore_wanted = Signal(int)

    def __init__(self) -> None:
        self.title = text(bold=True)
        self.list = QTreeWidget()
        self.list.setHeaderLabels(COLUMNS)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        spaced(self.list)
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.detail = text()
        self.look = key_button(
            "Look at it", "look", "Show that mask in the preview; nothing changes."
        )
        self.restore = key_button(
            "Bring it back", "restore", "Let that mask stand again, as a new revision."
        )
        self.widget = column(
            self.title, self.list, self.detail, row(self.look, self.restore)
        )
        self._revisions: tuple[Revision, ...] = ()
        self.list.currentItemChanged.connect(lambda *_: self._describe())
        self.list.itemClicked.connect(lambda *_: self._emit(self.look_wanted))
        self.list.itemActivated.connect(lambda *_: self._emit(self.look_wanted))
        self.look.clicked.connect(lambda: self._emit(self.look_wanted))
        self.restore.clicked.connect(lambda: self._emit(self.restore_wanted))
        self._describe()

    def show(self, state: PanelState) -> None:
        """Show the history where it changed."""
        image = state.work.image
        say(self.title, image.name if image else "No image is open")
        if state.work.history is self._revisions:
            return
        self._revisions = state.work.history
        names = (
            {target.id: target.name for target in state.project.targets}
            if state.project
            else {}
        )
        self.list.clear()
        for revision in self._revisions:
            item = QTreeWidgetItem(
                [
                    str(revision.number),
                    when(revision),
                    revision.who,
                    what(revision, names),
                ]
            )
            item.setData(0, Qt.ItemDataRole.UserRole, revision.number)
            self.list.addTopLevelItem(item)
        self._describe()

    def _current(self) -> Revision | None:
        item = self.list.currentItem()
        if item is None:
            return None
        number = item.data(0, Qt.ItemDataRole.UserRole)
        return next((r for r in self._revisions if r.number == number), None)

    def _describe(self) -> None:
        revision = self._current()
        of_mask = revision is not None and revision.status is not None
        self.look.setEnabled(of_mask)
        self.restore.setEnabled(of_mask)
        say(self.detail, detail(revision) if revision else "")

    def _emit(self, signal: SignalInstance) -> None:
        revision = self._current()
        if revision is not None and revision.status is not None:
            signal.emit(revision.number)


def when(revision: Revision) -> str:
    """Return the time where the person is."""
    moment = datetime.datetime.fromisoformat(revision.when).astimezone()
    return f"{moment:%d %b %H:%M}"


def what(revision: Revision, names: dict[str, str]) -> str:
    """Return what a revision did, in a few words."""
    if revision.target is None or revision.status is None:
        return revision.what
    name = names.get(revision.target, revision.target)
    if revision.what == "sign-off":
        return f"{name}: signed off"
    return f"{name}: {revision.status}"


def detail(revision: Revision) -> str:
    """Return where a revision came from, and what was written about it."""
    source = revision.source
    parts = [f"Source: {source.kind}"]
    if source.model:
        parts.append(f"from model {source.model} for '{source.prompt}'")
    if revision.seconds_spent:
        parts.append(f"{revision.seconds_spent:.0f} s of work")
    if revision.note:
        parts.append(f"note: {revision.note}")
    return ", ".join(parts) + "."
