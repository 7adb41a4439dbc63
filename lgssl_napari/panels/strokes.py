"""Strokes inside and outside, and what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox, Container
from psygnal import Signal

from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import column, folded, row, text
from lgssl_napari.refine import INSIDE, OUTSIDE, REFINERS

if TYPE_CHECKING:
    from lgssl_napari.state import PanelState


class StrokesPanel:
    """Draw a little, get the outline."""

    scribbled = Signal(int)
    refined = Signal()
    cleared = Signal()
    chosen = Signal(str, bool, bool)

    def __init__(self) -> None:
        self.inside = key_button(
            "Inside", "inside", "Draw strokes on what belongs to it.", checkable=True
        )
        self.outside = key_button(
            "Outside", "outside", "Draw strokes on what does not.", checkable=True
        )
        self.method = ComboBox(
            choices=[(refiner.label, name) for name, refiner in REFINERS.items()],
            label="Outline by",
            tooltip=" ".join(f"{r.label}: {r.tip}" for r in REFINERS.values()),
        )
        self.whole = CheckBox(
            value=False, text="In the whole volume, not this slice alone", label=""
        )
        self.each = CheckBox(value=True, text="At each stroke", label="")
        self.form = Container(widgets=[self.method, self.each, self.whole])
        self.form.native.layout().setContentsMargins(0, 0, 0, 0)
        self.refine = key_button(
            "Refine", "refine", "Find the outline anew from the strokes."
        )
        self.clear = key_button("Clear", "clear", "Forget the strokes; the mask stays.")
        self.widget = folded(
            "Refine with strokes",
            column(
                text("Draw over what is wrong: the outline is found anew around it."),
                row(self.inside, self.outside),
                self.form.native,
                row(self.refine, self.clear),
            ),
        )
        self._kind = 0
        self.inside.clicked.connect(lambda: self.scribbled.emit(INSIDE))
        self.outside.clicked.connect(lambda: self.scribbled.emit(OUTSIDE))
        self.refine.clicked.connect(lambda: self.refined.emit())
        self.clear.clicked.connect(lambda: self.cleared.emit())
        self.form.changed.connect(lambda _: self._choose())

    def show(self, state: PanelState) -> None:
        """Show which strokes are drawn."""
        work = state.work
        self.inside.setChecked(work.scribbling.kind == INSIDE)
        self.outside.setChecked(work.scribbling.kind == OUTSIDE)
        is_volume = work.image is not None and "z" in work.image.axes
        if self.whole.visible != is_volume:
            self.whole.visible = is_volume
        # By a key one may begin while it is folded; folded again, it stays so.
        if work.scribbling.kind and not self._kind and not self.widget.isExpanded():
            self.widget.expand(animate=False)
        self._kind = work.scribbling.kind

    def _choose(self) -> None:
        self.chosen.emit(
            str(self.method.value), bool(self.whole.value), bool(self.each.value)
        )
