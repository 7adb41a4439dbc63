"""A prompt and its answer: the model, what it was understood as, and the preview."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lgssl_napari.annotating import Annotating, Proposal, nothing
from lgssl_napari.lanes import Lane
from lgssl_napari.models import Heard, LoadModel, ModelLike, hear, load_model
from lgssl_napari.snapshot import read_project
from lgssl_napari.state import Choice, Level, ProjectState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lgssl_napari.desk import Desk
    from lgssl_napari.saving import Saving
    from src_core.store import Project
    from src_core.types import Target


class Asking:
    """Asks the model that answers, and keeps its last answer.

    Parameters
    ----------
    desk : Desk
        Shared state.
    annotating : Annotating
        Gets what is accepted.
    saving : Saving
        Guards what is not saved.
    load : callable
        Loads a version of a project.
    """

    def __init__(
        self,
        desk: Desk,
        annotating: Annotating,
        saving: Saving,
        load: LoadModel = load_model,
    ) -> None:
        self._desk, self._annotating, self._saving = desk, annotating, saving
        self._load = load
        self._loaded: tuple[object, str, ModelLike] | None = None
        self._probability: NDArray[np.float32] | None = None
        self._ticket = 0

    def model(self, project: Project, version: str) -> ModelLike:
        """Return the version, loaded once; runs in the lane of the model."""
        if self._loaded is None or self._loaded[:2] != (project.path, version):
            self._loaded = (project.path, version, self._load(project, version))
        return self._loaded[2]

    # ------------------------------------------------------------------ asking
    def ask(self, prompt: str) -> None:
        """Find what the prompt says in the image at hand."""
        prompt = " ".join(prompt.split())
        self._desk.hush()
        state = self._desk.state
        if not prompt:
            self._desk.say("Type what to find, for example 'left lung'.")
            return
        if state.project is None or state.work.image is None:
            self._desk.say("Open an image first.", Level.WARNING)
            return
        named = state.project.target_named(prompt)
        at_hand = state.work.target
        if at_hand is None or (named is not None and named.id == at_hand.id):
            self._go_on(prompt, named)
        else:
            self._saving.leave(lambda: self._go_on(prompt, named))

    def follow(self) -> None:
        """Ask for the target at hand where a model answers and nobody has finished."""
        state = self._desk.state
        target = state.work.target
        if target is None or state.project is None or state.project.version is None:
            return
        if not state.work.status.is_truth and not self._annotating.unsaved():
            self.ask(target.wordings[0])

    def _go_on(self, prompt: str, named: Target | None) -> None:
        state, project = self._desk.state, self._desk.project
        if project is None or state.project is None:
            return
        version = state.project.version
        if version is None:
            self._without_model(prompt, named)
            return
        image, pixels = state.work.image, self._desk.pixels
        if image is None or pixels is None:
            return
        targets = state.project.targets
        self._ticket += 1
        ticket = self._ticket

        def work() -> Heard:
            model = self.model(project, version)
            return hear(model, image, pixels, prompt, targets)

        def done(heard: Heard) -> None:
            now = self._desk.state.work.image
            if ticket == self._ticket and now is not None and now.id == image.id:
                self._show(heard)

        self._desk.run(work, done, lane=Lane.MODEL, busy=f"Looking for '{prompt}'")

    def _without_model(self, prompt: str, named: Target | None) -> None:
        state = self._desk.state
        labelled, _ = state.project.counts if state.project else (0, 0)
        if named is None:
            self._desk.ask(
                f"There is no model yet, and '{prompt}' is new in this project. "
                "Make it a target and draw it?",
                Choice("Make it a target", lambda: self.new_target(prompt)),
                Choice("Cancel", nothing),
            )
            return
        learn = f"{labelled} images are labelled: press Retrain" if labelled else ""
        draw = "draw it in a few images and save them, then press Retrain"
        self._annotating.take_up(named)
        self._desk.say(f"There is no model yet; {learn or draw}.")

    def _show(self, heard: Heard) -> None:
        answer = heard.answer
        self._probability = heard.probability
        self._desk.update_work(looking_at=None)

        def preview() -> None:
            self._desk.update(answer=answer)
            if answer.present:
                self._draw(answer.cut)
            else:
                self._desk.canvas.clear_preview()

        if answer.target is not None:
            self._annotating.take_up(answer.target, preview)
        else:
            preview()

    def _draw(self, cut: float) -> None:
        answer, probability = self._desk.state.answer, self._probability
        if answer is None or probability is None:
            return
        mask = (probability > cut).astype(np.uint8)
        what = answer.target.name if answer.target else answer.prompt
        name = f"Proposal: {what} ({answer.version})"
        self._desk.canvas.set_preview(mask, name, probability)
        self._desk.update(
            answer=replace(answer, pixels=int(mask.sum()), shown=True, cut=cut)
        )

    # --------------------------------------------------------------- answering
    def show_anyway(self) -> None:
        """Show the mask of something that was not found."""
        if self._desk.state.answer is not None:
            self._draw(self._desk.state.answer.cut)

    def cut(self, threshold: float) -> None:
        """Cut the probability elsewhere than at one half."""
        answer = self._desk.state.answer
        if answer is not None and answer.shown and answer.cut != threshold:
            self._draw(threshold)

    def forget(self) -> None:
        """Drop the answer and its preview."""
        self._ticket += 1
        self._probability = None
        self._desk.canvas.clear_preview()
        if self._desk.state.answer is not None:
            self._desk.update(answer=None)

    def accept(self, mode: str = "") -> None:
        """Take the preview into the annotation.

        Parameters
        ----------
        mode : str
            ``"merge"``, ``"replace"`` or ``"keep"``; asked for if empty and something
            else is drawn already.
        """
        answer, probability = self._desk.state.answer, self._probability
        if answer is None or probability is None or not answer.shown:
            self._desk.say("There is no proposal to accept; type what to find.")
            return
        if answer.target is None:
            self._desk.ask(
                f"'{answer.prompt}' is no target of this project yet. Make it one?",
                Choice("Make it a target", lambda: self.new_target(answer.prompt)),
                Choice("Cancel", nothing),
            )
            return
        mask = (probability > answer.cut).astype(np.uint8)
        drawn = self._desk.canvas.annotation()
        if not mode and drawn.any() and not np.array_equal(drawn, mask):
            self._desk.ask(
                f"{int(drawn.sum()):,} pixels are drawn already for "
                f"'{answer.target.name}'. What becomes of them?",
                Choice("Merge", lambda: self.accept("merge")),
                Choice("Replace", lambda: self.accept("replace")),
                Choice("Keep mine", lambda: self.accept("keep")),
            )
            return
        if mode != "keep":
            proposal = Proposal(mask, answer.version, answer.prompt)
            self._annotating.accept(proposal, mode or "replace")
        self.forget()

    # ----------------------------------------------------------------- wordings
    def new_target(self, name: str) -> None:
        """Make a wording a target of its own, and the one at hand."""
        self._add_wording(name, name)

    def remember_wording(self) -> None:
        """Keep the wording that was typed as one of the target it was taken for."""
        answer = self._desk.state.answer
        if answer is not None and answer.target is not None:
            self._add_wording(answer.target.name, answer.prompt)

    def _add_wording(self, name: str, wording: str) -> None:
        project = self._desk.project
        if project is None:
            return

        def work() -> tuple[Target, ProjectState]:
            target = project.add_target(name, [wording], self._desk.who)
            return target, read_project(project)

        def done(outcome: tuple[Target, ProjectState]) -> None:
            target, state = outcome
            self._desk.update(project=state)
            answer = self._desk.state.answer
            if answer is not None and answer.prompt == wording:
                same = answer.target is not None and answer.target.id == target.id
                known = replace(
                    answer,
                    target=target,
                    nearest=wording,
                    similarity=1.0,
                    learned=answer.learned and same,
                )
                self._desk.update(answer=known)
            self._annotating.take_up(
                target,
                lambda: self._desk.say(f"'{wording}' now means '{target.name}'."),
            )

        if self._desk.state.work.target is None:  # what is drawn comes along
            self._desk.run(work, done)
        else:
            self._saving.leave(lambda: self._desk.run(work, done))
