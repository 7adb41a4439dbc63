"""Did it help? Versions, what each changed, and what the rounds cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from lgssl_napari.panels.curve import Curves
from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import column, fit_rows, row, say, spaced, text
from lgssl_napari.plot import DICE, MINUTES, Line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lgssl_napari.results import Judgement
    from lgssl_napari.state import PanelState, VersionRow
    from src_core.rounds import RoundEffort

ID = Qt.ItemDataRole.UserRole


class JudgePanel:
    """Old against new, and round against round."""

    version_wanted = Signal(str)
    judged = Signal(str)
    beside_wanted = Signal(str, str)
    left = Signal()

    def __init__(self) -> None:
        self.empty = text("No model yet: what a training changed is shown here.")
        self.versions = table("Model", "Dice", "Masks", "Made", stretch=3)
        self.answers = key_button(
            "Let this one answer", "answers", "Go back to it, or forward; none is lost."
        )
        self.title = text(bold=True)
        self.sentence = text()
        self.targets = table("Target", "Before", "Now")
        self.changed_title = text("Changed most", bold=True)
        self.changed = table("Image", "Target", "Before", "Now")
        self.beside = key_button(
            "Side by side", "beside", "Show old mask, new mask and truth in the canvas."
        )
        self.back = key_button("Back to work", "back", "Show again what was open.")
        self.comparing = text()
        self.rounds_title = text("What the rounds cost you", bold=True)
        self.rounds = table("Round", "Images", "Minutes", "Proposals")
        self.rounds.setToolTip(
            "Minutes: spent on an image. Proposals: Dice between the model's masks and "
            "what you made of them."
        )
        self.curves = Curves()
        self.widget = column(
            self.empty,
            self.versions,
            self.answers,
            self.title,
            self.sentence,
            self.targets,
            self.changed_title,
            self.changed,
            row(self.beside, self.back),
            self.comparing,
            self.rounds_title,
            self.rounds,
            self.curves.widget,
        )
        self._versions: tuple[VersionRow, ...] | None = None
        self._judgement: Judgement | None = None
        self.versions.currentItemChanged.connect(lambda *_: self._choose())
        self.answers.clicked.connect(lambda: self.version_wanted.emit(self._version()))
        self.changed.itemClicked.connect(lambda *_: self._beside())
        self.changed.itemActivated.connect(lambda *_: self._beside())
        self.beside.clicked.connect(lambda: self._beside())
        self.back.clicked.connect(lambda: self.left.emit())

    def show(self, state: PanelState) -> None:
        """Show versions and judgement where they changed."""
        versions = state.project.versions if state.project else ()
        self.empty.setVisible(not versions)
        for part in (self.versions, self.answers):
            part.setVisible(bool(versions))
        if versions is not self._versions:
            self._versions = versions
            fill(self.versions, [version_line(v) for v in versions], at_most=4)
        if state.judgement is not self._judgement:
            self._judgement = state.judgement
            self._tell(state.judgement)
        say(self.comparing, state.comparing)
        self.back.setEnabled(bool(state.comparing))
        self._enable()

    def _tell(self, found: Judgement | None) -> None:
        parts = (self.targets, self.changed_title, self.changed, self.beside, self.back)
        for part in parts:
            part.setVisible(found is not None and bool(found.changed))
        say(self.title, judged_title(found) if found else "")
        say(self.sentence, judged_sentence(found) if found else "")
        efforts = found.efforts if found else ()
        for part in (self.rounds_title, self.rounds, self.curves.widget):
            part.setVisible(any(effort.masks for effort in efforts))
        if found is None:
            return
        fill(
            self.targets,
            [((), (name, dice(old), dice(new))) for name, old, new in found.per_target],
            at_most=6,
        )
        fill(
            self.changed,
            [
                ((c.image, c.target), (c.image, c.name, dice(c.old), dice(c.new)))
                for c in found.changed
            ],
            at_most=5,
        )
        fill(self.rounds, [((), effort_line(effort)) for effort in efforts], at_most=5)
        self.curves.draw(effort_lines(efforts), "round")

    def _choose(self) -> None:
        self._enable()
        version = self._version()
        shown = self._judgement.version if self._judgement else ""
        if version and version != shown:
            self.judged.emit(version)

    def _version(self) -> str:
        item = self.versions.currentItem()
        return item.data(0, ID) if item is not None else ""

    def _beside(self) -> None:
        item = self.changed.currentItem() or self.changed.topLevelItem(0)
        if item is not None:
            self.beside_wanted.emit(*item.data(0, ID))

    def _enable(self) -> None:
        answers = next((v.version for v in self._versions or () if v.answers), "")
        self.answers.setEnabled(self._version() not in ("", answers))


def table(*titles: str, stretch: int = 0) -> QTreeWidget:
    """Return a plain list with columns, one of which takes the room that is left."""
    tree = QTreeWidget()
    tree.setHeaderLabels(titles)
    tree.setRootIsDecorated(False)
    tree.setUniformRowHeights(True)
    spaced(tree)
    header = tree.header()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)
    header.setStretchLastSection(False)
    tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return tree


def fill(
    tree: QTreeWidget,
    lines: Sequence[tuple[object, Sequence[str]]],
    at_most: int,
) -> None:
    """Replace a list's lines; each has what it stands for, and its words."""
    tree.clear()
    for meaning, words in lines:
        item = QTreeWidgetItem(list(words))
        item.setData(0, ID, meaning)
        for place, word in enumerate(words):
            item.setToolTip(place, word)
        tree.addTopLevelItem(item)
    fit_rows(tree, at_most)


def dice(value: float | None) -> str:
    """Return a Dice in words."""
    return "–" if value is None else f"{value:.3f}"


def version_line(version: VersionRow) -> tuple[str, tuple[str, ...]]:
    """Return a version's line: its name, Dice, labelled images, when it was made."""
    mark = " (answers)" if version.answers else ""
    made = version.created.replace("T", " ")[:16]
    words = (
        f"{version.version}{mark}",
        dice(version.dice),
        str(version.labelled),
        made,
    )
    return version.version, words


def judged_title(found: Judgement) -> str:
    """Return what is compared with what."""
    if not found.against:
        return f"Model {found.version}: the first"
    return f"Model {found.version} against {found.against}"


def judged_sentence(found: Judgement) -> str:
    """Return what the gate said."""
    if not found.sentence:
        return "It was made before comparisons were kept; train again to have one."
    if not found.changed:
        return found.sentence
    return f"{found.sentence} Click an image to see old, new and truth."


def effort_line(effort: RoundEffort) -> tuple[str, ...]:
    """Return a round's line."""
    model = f" ({effort.model})" if effort.model else ""
    minutes = f"{effort.minutes_an_image:.1f}" if effort.images else "–"
    return f"{effort.number}{model}", str(effort.images), minutes, dice(effort.dice)


def effort_lines(efforts: Sequence[RoundEffort]) -> tuple[Line, ...]:
    """Return the curves of the rounds: quality of the proposals, and time."""
    proposals = tuple((float(e.number), e.dice) for e in efforts if e.dice is not None)
    minutes = tuple((float(e.number), e.minutes_an_image) for e in efforts if e.images)
    return (
        Line("proposals", DICE, proposals, unit=True, dots=True),
        Line("minutes", MINUTES, minutes, dots=True),
    )
