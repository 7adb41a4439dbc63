"""The list of images as Qt wants it: words are made for the lines that are seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, Qt

from lgssl_napari.state import ImageRow

Kind = Callable[[ImageRow, int], bool]

KINDS: dict[str, Kind] = {
    "All": lambda row, targets: True,
    "To do": lambda row, targets: row.finished < max(targets, 1),
    "Finished": lambda row, targets: row.finished >= max(targets, 1),
    "Flagged for review": lambda row, targets: row.flagged,
}
"""What can be listed: of an image's line and the number of targets."""


class ImageList(QAbstractListModel):  # type: ignore[misc]
    """Ten thousand images cost no more than the lines on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[ImageRow, ...] = ()
        self._targets = 0
        self._part, self._kind = "", "All"
        self._shown: list[int] = []

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many images are listed."""
        return len(self._shown)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return one line's words."""
        if role != Qt.ItemDataRole.DisplayRole or not index.isValid():
            return None
        return line(self._rows[self._shown[index.row()]], self._targets)

    def fill(self, rows: tuple[ImageRow, ...], targets: int) -> None:
        """List these images; nothing is done where they are the same."""
        if rows is self._rows and targets == self._targets:
            return
        self._rows, self._targets = rows, targets
        self._select()

    def filter(self, part: str | None = None, kind: str | None = None) -> None:
        """List only names with a part, or one of :data:`KINDS`."""
        self._part = self._part if part is None else part.casefold()
        self._kind = self._kind if kind is None else kind
        self._select()

    def image(self, place: int) -> str:
        """Return the id of a listed image."""
        return self._rows[self._shown[place]].id

    def place(self, position: int) -> QModelIndex:
        """Return where the image at a position of the whole list is listed."""
        try:
            return self.index(self._shown.index(position))
        except ValueError:
            return QModelIndex()

    def lines(self) -> list[str]:
        """Return the words of all lines."""
        return [line(self._rows[place], self._targets) for place in self._shown]

    def _select(self) -> None:
        fits, part = KINDS[self._kind], self._part
        shown = [
            place
            for place, row in enumerate(self._rows)
            if fits(row, self._targets) and (not part or part in row.name.casefold())
        ]
        if shown == self._shown:
            if shown:
                self.dataChanged.emit(self.index(0), self.index(len(shown) - 1))
            return
        self.beginResetModel()
        self._shown = shown
        self.endResetModel()


def line(image: ImageRow, targets: int) -> str:
    """Return an image's line: how much of it is finished, its name, what it is for."""
    finished = "●" if image.finished >= targets > 0 else "◐" if image.finished else "○"
    mark = "⚑" if image.flagged else finished
    split = "" if image.split == "train" else f"   ({image.split})"
    return f"{mark}  {image.name}{split}"
