"""A prompt and its answer: the model, what it was understood as, and the preview."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lgssl_napari.annotating import Annotating, Proposal, nothing
from lgssl_napari.lanes import Lane
from lgssl_napari.state import Choice, Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lgssl_napari.desk import Desk
    from lgssl_napari.models import Answers, Heard
    from lgssl_napari.opening import Opening
    from lgssl_napari.saving import Saving
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
    opening : Opening
        Shows the mask of what was asked for.
    answers : Answers
        Asks the models.
    """

    def __init__(
        self,
        desk: Desk,
        annotating: Annotating,
        saving: Saving,
        opening: Opening,
        answers: Answers,
    ) -> None:
        self._desk, self._annotating, self._saving = desk, annotating, saving
        self._opening, self._answers = opening, answers
        self._probability: NDArray[np.float32] | None = None
        self._ticket, self._asked = 0, ""

    def warm(self) -> None:
        """Load the model that answers before it is asked for the first time."""
        project, shown = self._desk.project, self._desk.state.project
        version = shown.version if shown else None
        if project is not None and version is not None:
            self._desk.run(
                lambda: self._answers.warm(project, version),
                lambda _: None,
                lane=Lane.MODEL,
            )

    # ------------------------------------------------------------------ asking
    def ask(self, prompt: str) -> None:
        """Find what the prompt says in the image at hand, or in the one that comes."""
        self._opening.once_there(lambda: self._ask(prompt))

    def _ask(self, prompt: str) -> None:
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
        image = state.work.image
        if image is None:
            return
        self._ticket += 1
        ticket, self._asked = self._ticket, prompt

        def done(heard: Heard) -> None:
            now = self._desk.state.work.image
            if ticket == self._ticket:
                self._asked = ""
            if ticket == self._ticket and now is not None and now.id == image.id:
                self._show(heard)

        def failed(error: Exception) -> None:
            if ticket == self._ticket:  # else it was given up
                self._asked = ""
                self._desk.fail(error, Choice("Ask again", lambda: self.ask(prompt)))

        looking = f"Looking for '{prompt}'"

        def told(slices: int, total: int) -> None:
            if total > 1:
                self._desk.tell(f"{looking}: slice {slices} of {total}")

        def stop() -> None:
            self._ticket += 1
            self._asked = ""
            self._answers.stop()
            self._desk.say("Stopped looking; nothing was changed.")

        self._desk.run(
            lambda: self._answers.hear(project, version, image.id, prompt, told),
            done,
            lane=Lane.MODEL,
            busy=looking,
            failed=failed,
            stop=stop if "z" in image.axes else None,
        )

    def _without_model(self, prompt: str, named: Target | None) -> None:
        state = self._desk.state
        labelled, _ = state.project.counts if state.project else (0, 0)
        if named is None:
            self._desk.ask(
                f"There is no model yet, and '{prompt}' is new in this project. "
                "Make it a target and draw it?",
                Choice("Make it a target", lambda: self.new_target(prompt)),
                Choice("Cancel", nothing),
                about_mask=True,
            )
            return
        learn = f"{labelled} images are labelled: press Retrain" if labelled else ""
        draw = "draw it in a few images and save them, then press Retrain"
        self._opening.take_up(named)
        self._desk.say(f"There is no model yet; {learn or draw}.")

    def _show(self, heard: Heard) -> None:
        answer, ticket = heard.answer, self._ticket
        self._desk.update_work(looking_at=None)

        def preview() -> None:
            if ticket != self._ticket:
                return
            self._probability = heard.probability
            self._desk.update(answer=answer)
            if answer.present:
                self._draw(answer.cut)
            else:
                self._desk.canvas.clear_preview()

        if answer.target is not None:
            self._opening.take_up(answer.target, preview)
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

    def probability_of(self, target: Target | None) -> NDArray[np.float32] | None:
        """Return the probability behind the preview, or behind what was accepted.

        Over the image's spatial shape; None where there is neither.
        """
        answer, accepted = self._desk.state.answer, self._annotating.proposal
        asked = answer.target if answer is not None else None
        if asked is not None and target is not None and asked.id == target.id:
            return self._probability
        return accepted.probability if accepted is not None else None

    # --------------------------------------------------------------- answering
    def show_anyway(self) -> None:
        """Show the mask of something that was not found."""
        if self._desk.state.answer is not None:
            self._draw(self._desk.state.answer.honest_cut)

    def cut(self, threshold: float) -> None:
        """Cut the probability elsewhere than at one half."""
        answer = self._desk.state.answer
        if answer is not None and answer.shown and answer.cut != threshold:
            self._draw(threshold)

    def forget(self) -> None:
        """Drop the answer and its preview."""
        self._ticket += 1
        self._probability, self._asked = None, ""
        self._desk.canvas.clear_preview()
        if self._desk.state.answer is not None:
            self._desk.update(answer=None)

    def ask_anew(self) -> None:
        """Ask another model what was asked last, if that is still to be answered."""
        asked = self._asked
        self.forget()
        if asked:
            self.ask(asked)
        else:
            self.follow()

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
                about_mask=True,
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
                about_mask=True,
            )
            return
        if mode != "keep":
            proposal = Proposal(mask, answer.version, answer.prompt, probability)
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

        def work() -> tuple[Target, tuple[Target, ...]]:
            target = project.add_target(name, [wording], self._desk.who)
            return target, tuple(project.targets())

        def done(outcome: tuple[Target, tuple[Target, ...]]) -> None:
            target, targets = outcome
            self._desk.update_project(targets=targets)
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
            self._opening.take_up(
                target,
                lambda: self._desk.say(f"'{wording}' now means '{target.name}'."),
            )

        if self._desk.state.work.target is None:  # what is drawn comes along
            self._desk.run(work, done)
        else:
            self._saving.leave(lambda: self._desk.run(work, done))
