"""Small arrangements of plain Qt widgets that several panels use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStyledItemDelegate,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

if TYPE_CHECKING:
    from qtpy.QtCore import QModelIndex, QSize
    from qtpy.QtWidgets import (
        QAbstractItemView,
        QLayout,
        QStyleOptionViewItem,
        QTreeWidget,
    )

GAP = 6
ROOM = 5
"""Pixels between the lines of a list: napari's style leaves none."""


class Lines(QStyledItemDelegate):  # type: ignore[misc]
    """Lines of a list with some room between them, for the eye and for the mouse."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return how large a line's cell is."""
        size = super().sizeHint(option, index)
        size.setHeight(max(size.height(), option.fontMetrics.height()) + ROOM)
        return size


def spaced(view: QAbstractItemView) -> None:
    """Give the lines of a list some room; of long names both ends can be read."""
    view.setItemDelegate(Lines(view))
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)


def column(*parts: QWidget | QLayout, stretch: bool = False) -> QWidget:
    """Put parts one below the other."""
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    for part in parts:
        if isinstance(part, QWidget):
            layout.addWidget(part)
        else:
            layout.addLayout(part)
    if stretch:
        layout.addStretch(1)
    return box


def row(*parts: QWidget, stretch_first: bool = False) -> QHBoxLayout:
    """Put parts side by side, equally wide unless the first takes the room."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP)
    for place, part in enumerate(parts):
        layout.addWidget(part, int(place == 0) if stretch_first else 1)
    return layout


def text(words: str = "", *, bold: bool = False) -> QLabel:
    """Return a label that wraps, and whose text can be selected."""
    label = QLabel(words)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    # By itself a label that wraps asks for the height it would have if it were narrow.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setMinimumHeight(label.fontMetrics().height())
    if bold:
        font = label.font()
        font.setBold(True)
        label.setFont(font)
    return label


def say(label: QLabel, words: str) -> None:
    """Show words, or take no room where there are none."""
    if label.text() != words:
        label.setText(words)
    label.setVisible(bool(words))


def folded(title: str, content: QWidget, *, open_: bool = False) -> QCollapsible:
    """Return a section that can be folded away."""
    section = QCollapsible(title, expandedIcon="▾", collapsedIcon="▸")
    section.setDuration(0)
    section.toggled.connect(lambda _open: make_room(section))
    section.addWidget(content)
    section.content().layout().setContentsMargins(0, 0, 0, 0)
    section.layout().setContentsMargins(0, 0, 0, 0)
    (section.expand if open_ else section.collapse)(animate=False)
    return section


def make_room(widget: QWidget) -> None:
    """Let what scrolls grow at once with a widget in it.

    Qt passes a new height on from parent to parent, a turn of its event loop each.
    Until it arrives all else is squeezed, and with a slow picture between two turns
    one can watch it.
    """
    inner: QWidget | None = widget
    while inner is not None and not isinstance(inner, QScrollArea):
        if (layout := inner.layout()) is not None:
            layout.invalidate()
            layout.activate()
        inner = inner.parentWidget()
    if inner is not None:
        QApplication.sendEvent(inner, QEvent(QEvent.Type.LayoutRequest))


def scrolling(content: QWidget) -> QScrollArea:
    """Let content be higher than the window; it is never wider."""
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def fit_rows(tree: QTreeWidget, at_most: int = 8) -> None:
    """Make a list as high as its rows, up to some; with more it scrolls."""
    tree.ensurePolished()  # before it is first shown the style is not known yet
    tree.header().ensurePolished()
    rows = min(tree.topLevelItemCount(), at_most)
    frame = 2 * tree.frameWidth()
    header = tree.header().sizeHint().height()
    tree.setFixedHeight(header + rows * max(tree.sizeHintForRow(0), 1) + frame)


def fit_width(area: QScrollArea) -> None:
    """Make room for the content and its scroll bar, once styles and fonts are known."""
    bar = area.verticalScrollBar().sizeHint().width()
    area.setMinimumWidth(area.widget().minimumSizeHint().width() + bar + 2)
