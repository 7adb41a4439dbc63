"""When to stop, what to look at again, and what the pool is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from lgssl_napari.panels.curve import Curves
from lgssl_napari.panels.judge import ID, fill, table
from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import column, say, text
from lgssl_napari.plot import DICE, Line

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTreeWidget, QTreeWidgetItem

    from lgssl_napari.guide import Guide, Named
    from lgssl_napari.state import PanelState

ROWS = 6


class PlanPanel:
    """The learning curve, masks in doubt, near-duplicates, groups by look."""

    doubts_wanted = Signal()
    chosen = Signal(str, str)

    def __init__(self) -> None:
        self.sentence = text()
        self.curves = Curves()
        self.doubts = key_button(
            "Find masks that the model doubts",
            "doubts",
            "Done masks on which it is sure of another opinion.",
        )
        self.none = text("The model agrees with every finished mask.")
        self.doubted, self.alike, self.groups = (
            table("Image", words, stretch=1)
            for words in ("What is doubted", "Is nearly the same as", "Group")
        )
        self.alike_title = text("Nearly the same picture", bold=True)
        self.groups_title = text("The pictures by their looks", bold=True)
        self.looking = text()
        self.widget = column(
            text("Is it worth going on?", bold=True),
            self.sentence,
            self.curves.widget,
            text("Possible errors", bold=True),
            self.doubts,
            self.none,
            self.doubted,
            self.alike_title,
            self.alike,
            self.groups_title,
            self.groups,
            self.looking,
        )
        self._guide: Guide | None = None
        self._doubted: tuple[Named, ...] | None = None
        self._list(self.doubted, ())
        self._tell(None)
        self.doubts.clicked.connect(lambda: self.doubts_wanted.emit())
        for tree in (self.doubted, self.alike, self.groups):
            tree.itemClicked.connect(lambda item, _: self._open(item))
            tree.itemActivated.connect(lambda item, _: self._open(item))

    def show(self, state: PanelState) -> None:
        """Show what is new."""
        if state.guide is not self._guide:
            self._guide = state.guide
            self._tell(state.guide)
        if state.doubted is not self._doubted:
            self._doubted = state.doubted
            self._list(self.doubted, state.doubted or ())
        self.none.setVisible(state.doubted == ())
        has_model = state.project is not None and state.project.version is not None
        self.doubts.setEnabled(has_model)
        say(self.looking, state.looking)

    def _tell(self, guide: Guide | None) -> None:
        say(self.sentence, guide.sentence if guide else "")
        points = guide.points if guide else ()
        self.curves.widget.setVisible(bool(points))
        if guide is not None and points:
            self.curves.draw((learning_line(guide),), "images labelled")
        for title, tree, found in (
            (self.alike_title, self.alike, guide.alike if guide else ()),
            (self.groups_title, self.groups, guide.groups if guide else ()),
        ):
            title.setVisible(bool(found))
            self._list(tree, found)

    @staticmethod
    def _list(tree: QTreeWidget, found: tuple[Named, ...]) -> None:
        tree.setVisible(bool(found))
        lines = [((one.image, one.target), (one.name, one.words)) for one in found]
        fill(tree, lines, at_most=ROWS)

    def _open(self, item: QTreeWidgetItem) -> None:
        self.chosen.emit(*item.data(0, ID))


def learning_line(guide: Guide) -> Line:
    """Return the learning curve: measured, expected, and the interval."""
    return Line(
        "Dice",
        DICE,
        tuple(sorted(guide.points)),
        unit=True,
        dots=True,
        expected=tuple((n, mean) for n, mean, _, _ in guide.curve),
        band=tuple((n, low, high) for n, _, low, high in guide.curve),
    )
