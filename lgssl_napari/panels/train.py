"""Retrain: how long, how far, and whether it helped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox
from psygnal import Signal
from qtpy.QtWidgets import QProgressBar

from lgssl_napari.panels.curve import TrainingCurves
from lgssl_napari.panels.keys import key_button
from lgssl_napari.panels.parts import column, folded, row, say, text

if TYPE_CHECKING:
    from lgssl_napari.results import JobState, Outcome
    from lgssl_napari.state import PanelState

DEVICES = ("auto", "cpu", "cuda")


class TrainPanel:
    """One training at a time."""

    retrain_wanted = Signal(float, str, bool)
    stop_wanted = Signal()
    results_wanted = Signal()

    def __init__(self) -> None:
        self.minutes = FloatSpinBox(
            value=2.0, min=0.1, max=600, step=0.5, label="Minutes"
        )
        self.minutes.tooltip = (
            "A short round learns from your masks alone; in a longer one the images "
            "without masks teach, too."
        )
        self.device = ComboBox(choices=DEVICES, label="Computed on")
        self.fresh = CheckBox(value=False, text="Start from nothing", label="")
        self.fresh.tooltip = "Not from the model that answers now."
        self.form = Container(widgets=[self.minutes])
        self.options = Container(widgets=[self.device, self.fresh])
        for part in (self.form, self.options):
            part.native.layout().setContentsMargins(0, 0, 0, 0)
        self.retrain = key_button(
            "Retrain", "retrain", "Learn from what is saved, and from all other images."
        )
        self.stop = key_button("Stop", "stop", "End with the best model so far.")
        self.counts = text()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.phase = text()
        self.note = text()
        self.curve = TrainingCurves()
        self.result = text(bold=True)
        self.sentence = text()
        self.results = key_button(
            "Did it help?", "results", "What the model changed, image by image."
        )
        self.widget = column(
            self.form.native,
            row(self.retrain, self.stop),
            folded("Options", self.options.native),
            self.counts,
            self.bar,
            self.phase,
            self.note,
            self.curve.widget,
            self.result,
            self.sentence,
            self.results,
        )
        self.results.clicked.connect(lambda: self.results_wanted.emit())
        self.retrain.clicked.connect(lambda: self.retrain_now())
        self.stop.clicked.connect(lambda: self.stop_wanted.emit())

    def retrain_now(self) -> None:
        """Ask for a training as the form says."""
        self.retrain_wanted.emit(
            float(self.minutes.value), str(self.device.value), bool(self.fresh.value)
        )

    def show(self, state: PanelState) -> None:
        """Show how far the training is, and how the last one ended."""
        job = state.job
        can_train = state.project is not None and not state.project.read_only
        self.retrain.setEnabled(can_train and not job.running)
        self.stop.setEnabled(job.running and not job.stopping)
        self.form.enabled = self.options.enabled = not job.running
        labelled, unlabelled = state.project.counts if state.project else (0, 0)
        if job.running:
            labelled, unlabelled = job.counts
        say(
            self.counts,
            f"{labelled} labelled and {unlabelled} unlabelled images.",
        )
        self.bar.setVisible(job.running)
        self.bar.setValue(round(1000 * job.done))
        self.bar.setFormat(progress_words(job))
        say(self.phase, phase_words(job))
        say(self.note, job.note)
        has_models = state.project is not None and bool(state.project.versions)
        self.results.setVisible(has_models and not job.running)
        self.curve.show(job)
        self._conclude(job.outcome)

    def _conclude(self, outcome: Outcome | None) -> None:
        say(self.result, result_words(outcome) if outcome else "")
        say(self.sentence, outcome.sentence if outcome else "")


def progress_words(job: JobState) -> str:
    """Return what stands on the bar."""
    if job.stopping:
        return "stopping…"
    if not job.seconds_left:
        return f"{job.done:.0%}"
    minutes, seconds = divmod(round(job.seconds_left), 60)
    return f"{job.done:.0%}, {minutes}:{seconds:02d} left"


def phase_words(job: JobState) -> str:
    """Return what the worker does, and where."""
    if not job.running:
        return ""
    step = f"step {job.step}" if job.step else ""
    memory = f"memory {job.memory}" if job.memory else ""
    parts = (job.phase, step, job.device, memory)
    return " · ".join(part for part in parts if part)


def result_words(outcome: Outcome) -> str:
    """Return old and new Dice in a line."""
    mark = "✔" if outcome.promoted else "✘"
    name = f"{mark}  Model {outcome.version}"
    if outcome.new is None:
        return f"{name}: no validation image to compare on"
    if outcome.old is None:
        return f"{name}: Dice {outcome.new:.3f}, the first model"
    return f"{name}: Dice {outcome.old:.3f} → {outcome.new:.3f}"
