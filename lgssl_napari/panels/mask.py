"""The mask at hand: how far it is, corrections, and saving it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, Container
from psygnal import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QWidget

from lgssl_napari.edits import EDITS
from lgssl_napari.panels.keys import key_box, key_button
from lgssl_napari.panels.parts import GAP, column, folded, row, say, text
from lgssl_napari.panels.review import ReviewPanel
from lgssl_napari.panels.strokes import StrokesPanel
from src_core.imaging.windows import PRESETS, preset_for

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState
    from src_core.types import Target

WINDOW = (
    "What is black and white where this target is looked for, by you and by the model. "
    "A model goes on with the window that it was trained with."
)


class MaskPanel:
    """Correct and save."""

    edit_wanted = Signal(str)
    save_wanted = Signal()
    empty_wanted = Signal()
    others_wanted = Signal(bool)
    window_chosen = Signal(str)
    next_wanted = Signal()
    next_after_save = Signal(bool)

    def __init__(self) -> None:
        self.title = text(bold=True)
        self.status = text()
        self.window = ComboBox(label="CT window", tooltip=WINDOW, choices=[("", "")])
        self._windows_for: Target | None = None
        self._window_row = Container(widgets=[self.window])
        self._window_row.native.layout().setContentsMargins(0, 0, 0, 0)
        self.edits = {
            name: key_button(edit.label, name, edit.tip) for name, edit in EDITS.items()
        }
        tools = text(
            "napari's own tools: paint P, erase E, fill F, polygon 3, undo Ctrl+Z; "
            "square brackets change the brush."
        )
        self.others = key_box(
            "Show the other targets' masks", "others", "Only to look at."
        )
        self.corrections = folded("Correct", column(tools, self._grid(), self.others))
        self.strokes = StrokesPanel()
        self.review = ReviewPanel()
        self.save = key_button("Save", "save", "Save the mask as done.")
        self.empty = key_button(
            "Not there", "empty", "Save that you looked and it is not in the image."
        )
        self.next = key_button(
            "Next image", "next", "Open the image from which the model learns most."
        )
        self.follow = QCheckBox("after saving")
        self.follow.setToolTip("Open the next image each time one was saved.")
        self.follow.setChecked(True)
        self.widget = column(
            self.title,
            self.status,
            self._window_row.native,
            self.corrections,
            self.strokes.widget,
            self.review.widget,
            row(self.save, self.empty),
            row(self.next, self.follow, stretch_first=True),
        )
        for name, button in self.edits.items():
            button.clicked.connect(
                lambda _=False, name=name: self.edit_wanted.emit(name)
            )
        self.save.clicked.connect(lambda: self.save_wanted.emit())
        self.empty.clicked.connect(lambda: self.empty_wanted.emit())
        self.others.toggled.connect(lambda on: self.others_wanted.emit(bool(on)))
        self.window.changed.connect(self._choose_window)
        self.next.clicked.connect(lambda: self.next_wanted.emit())
        self.follow.toggled.connect(lambda on: self.next_after_save.emit(bool(on)))

    def show(self, state: PanelState) -> None:
        """Show how far the mask at hand is."""
        work, project = state.work, state.project
        self.widget.setEnabled(work.image is not None)
        is_volume = work.image is not None and "z" in work.image.axes
        self.edits["between"].setVisible(is_volume)
        target = work.target
        say(self.title, f"Annotation: {target.name}" if target else "Annotation")
        self.status.setVisible(work.image is not None)
        if work.dirty:
            say(self.status, "● Unsaved changes")
        elif target is None:
            say(self.status, "Type above what you want to find or draw.")
        else:
            signed = f", signed off by {work.reviewer}" if work.reviewer else ""
            words = f"Saved: {work.status}{signed}" if work.revision else "Unlabelled"
            say(self.status, words)
        can_save = work.image is not None and not (project and project.read_only)
        for button in (self.save, self.empty):
            button.setEnabled(can_save)
        is_ct = work.image is not None and work.image.modality == "CT"
        self._window_row.native.setVisible(is_ct and target is not None)
        self.window.enabled = can_save
        if is_ct and target is not None and target is not self._windows_for:
            self._windows_for = target
            self._offer_windows(target)
        self.strokes.show(state)
        self.review.show(state)

    def _offer_windows(self, target: Target) -> None:
        by_words = preset_for(" ".join((target.name, *target.wordings[:1])))
        with self.window.changed.blocked():
            self.window.choices = [
                (f"By its name: {by_words}", ""),
                *((preset.capitalize(), preset) for preset in PRESETS),
            ]
            self.window.value = target.window

    def _choose_window(self, window: str) -> None:
        self.window_chosen.emit(window)

    def _grid(self) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GAP)
        for place, (name, button) in enumerate(self.edits.items()):
            # The one for volumes takes a row of its own, which a flat image hides.
            wide = name == "between"
            grid.addWidget(button, place // 2, 0 if wide else place % 2, 1, 1 + wide)
        return box
