"""The one controller: every verb of the panel, and the state that it shows.

It knows neither Qt nor napari. What can block runs through the runner; what is drawn
goes to the canvas; panels call the verbs and show :class:`PanelState`.

::

    controller = Controller(canvas, runner)
    controller.changed.connect(panel.show)      # a new PanelState
    controller.open_project(Path("heart"))
    controller.ask("right ventricle cavity")
    controller.accept()
    controller.save()
    controller.retrain(minutes=5)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lgssl_napari.annotating import nothing
from lgssl_napari.answers_aside import AnswersAside
from lgssl_napari.desk import Desk, log_traceback
from lgssl_napari.helper import HelperProcess
from lgssl_napari.lanes import Lane
from lgssl_napari.leaving import Leaving
from lgssl_napari.parts import Parts
from lgssl_napari.recent import Recent
from lgssl_napari.training import EngineLike, local_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from psygnal import SignalInstance

    from lgssl_napari.canvas import Canvas
    from lgssl_napari.helper import HelperLike
    from lgssl_napari.lanes import Runner
    from lgssl_napari.models import Answers
    from lgssl_napari.state import Choice, PanelState
    from lgssl_napari.tour import Tour


class Controller:
    """Decides what happens; the seams can be given, for tests and for other windows.

    Parameters
    ----------
    canvas : Canvas
        Draws.
    runner : Runner
        Works without blocking.
    who : str
        The author of what is saved; the account's name if empty.
    recent : Recent, optional
        Remembers what was opened.
    helper : HelperLike, optional
        Works in a process of its own.
    answers : Answers, optional
        Asks the models.
    start_engine : callable
        Makes the engine that trains.
    tour_file : Path, optional
        Remembers that the tour was seen.
    log : callable
        Keeps tracebacks.
    warmed : callable
        Called once, when what drawing needs is imported.
    """

    def __init__(
        self,
        canvas: Canvas,
        runner: Runner,
        who: str = "",
        recent: Recent | None = None,
        helper: HelperLike | None = None,
        answers: Answers | None = None,
        start_engine: Callable[[], EngineLike] = local_engine,
        tour_file: Path | None = None,
        log: Callable[[Exception], Path] = log_traceback,
        warmed: Callable[[], None] = nothing,
    ) -> None:
        helper = helper or HelperProcess()
        answers = answers or AnswersAside(helper)
        desk = Desk(canvas, runner, helper, who, log)
        self._desk = desk
        self._parts = Parts(desk, answers, start_engine, recent or Recent(), tour_file)
        self._leaving = Leaving(desk, self._parts)
        self._warmed = warmed

    @property
    def state(self) -> PanelState:
        """What there is to show now."""
        return self._desk.state

    @property
    def changed(self) -> SignalInstance:
        """Emitted with each new :class:`PanelState`."""
        return self._desk.changed

    @property
    def notified(self) -> SignalInstance:
        """Emitted with each new message."""
        return self._desk.notified

    @property
    def tour(self) -> Tour:
        """The five steps for newcomers."""
        return self._parts.tour

    # ----------------------------------------------------------------- projects
    def start(self) -> None:
        """Read what the empty panel shows."""
        self._parts.projects.list_recent()
        self._parts.tour.offer()
        # Not by the desk, which forgets it when a project is opened meanwhile. What
        # cannot be imported now is imported, or missed, when it is needed.
        self._desk.runner.run(
            Lane.PLOT,
            self._desk.canvas.warm_up,
            lambda _: self._warmed(),
            lambda _: self._warmed(),
        )

    def elsewhere(
        self,
        done: Callable[[Any], None],
        missed: Callable[[], None],
        function: Callable[..., Any],
        *given: Any,
    ) -> None:
        """Let a panel have a picture made in the helper; without one it goes on."""
        self._desk.run(
            lambda: self._desk.helper.call(function, *given),
            done,
            lane=Lane.PLOT,
            failed=lambda _: missed(),
        )

    def name_author(self, who: str) -> None:
        """Say who works here, where an account is shared."""
        self._desk.update(who=" ".join(who.split()))

    def open_project(self, path: Path) -> None:
        """Open a project."""
        self._leaving.project(lambda: self._parts.projects.open(path))

    def new_project(self, path: Path) -> None:
        """Make a project in a new or an empty folder."""
        self._leaving.project(lambda: self._parts.projects.make(path))

    def open_folder(self, path: Path) -> None:
        """Open a folder: a project, an empty one, or one of pictures."""
        self._leaving.project(lambda: self._parts.projects.open_folder(path))

    def try_sample(self, path: Path | None = None) -> None:
        """Open the sample project."""
        self._leaving.project(lambda: self._parts.projects.try_sample(path))

    def add_files(self, paths: Iterable[Path]) -> None:
        """Take pictures, folders or import tables in."""
        given = tuple(paths)
        if given:
            self._parts.projects.add(given)

    def close_project(self) -> None:
        """Go back to the start page."""
        self._leaving.project(self._parts.projects.close)

    # -------------------------------------------------------------------- images
    def show_image(self, image: str) -> None:
        """Open an image of the project."""
        at_hand = self.state.work.image
        if at_hand is None or at_hand.id != image:
            self._leaving.to(image)

    def step(self, by: int) -> None:
        """Open the image that is `by` places further in the list."""
        self._leaving.by(by)

    def next_image(self) -> None:
        """Open the image to label next, and say why that one."""
        self._leaving.for_next()

    # ------------------------------------------------------------------- guiding
    def show_where(self, visible: bool) -> None:
        """Show where in the image a correction would teach most, or hide it."""
        guiding = self._parts.guiding
        (guiding.show_where if visible else guiding.hide_where)()

    def skip(self, reason: str) -> None:
        """Never offer the image at hand again, and open the next."""
        self._parts.guiding.skip(reason, self.next_image)

    def pin(self, reason: str = "") -> None:
        """Offer the image at hand before all others until it is finished."""
        self._parts.guiding.pin(reason)

    def plan(self) -> None:
        """Read what more labels will bring, and what stands out in the pool."""
        self._parts.guiding.read()

    def doubt(self) -> None:
        """List the finished masks that the model doubts."""
        self._parts.guiding.doubt()

    def open_for(self, image: str, target: str = "") -> None:
        """Open an image for a target, by default for the one at hand."""
        self._leaving.to(image, target)

    def idle(self) -> None:
        """Let the worker look at the pool where it has nothing better to do."""
        self._parts.looking.begin()

    # -------------------------------------------------------------------- asking
    def ask(self, prompt: str) -> None:
        """Find what the prompt says."""
        self._parts.judging.leave()
        self._parts.asking.ask(prompt)

    def show_anyway(self) -> None:
        """Show the mask of something that was not found."""
        self._parts.asking.show_anyway()

    def cut(self, threshold: float) -> None:
        """Cut the probability at another threshold."""
        self._parts.asking.cut(threshold)

    def show_probability(self, visible: bool) -> None:
        """Show or hide the heat map."""
        self._desk.canvas.show_probability(visible)

    def new_target(self, name: str) -> None:
        """Make a wording a target of its own."""
        self._parts.asking.new_target(name)

    def remember_wording(self) -> None:
        """Keep the wording that was typed with the target it was taken for."""
        self._parts.asking.remember_wording()

    def accept(self, mode: str = "") -> None:
        """Take the preview into the annotation: merge, replace, keep; or ask."""
        self._parts.asking.accept(mode)

    def forget(self) -> None:
        """Drop the answer."""
        self._parts.asking.forget()

    # ---------------------------------------------------------------- annotating
    def edit(self, name: str) -> None:
        """Apply a correction of :data:`lgssl_napari.edits.EDITS`."""
        if self.state.work.image is not None:
            self._parts.annotating.edit(name)

    def scribble(self, kind: int) -> None:
        """Draw strokes inside or outside, or paint again."""
        self._parts.judging.leave()
        self._parts.refining.scribble(kind)

    def refine(self) -> None:
        """Find the outline anew from the strokes."""
        self._parts.refining.refine()

    def clear_strokes(self) -> None:
        """Forget the strokes; the mask stays."""
        self._parts.refining.forget()

    def refine_by(self, method: str, whole: bool, at_each_stroke: bool) -> None:
        """Choose how strokes are used."""
        self._parts.refining.choose(method, whole, at_each_stroke)

    def choose_window(self, window: str) -> None:
        """Show CT in a window where the target at hand is looked for."""
        self._parts.windowing.choose(window)

    def show_neighbours(self, visible: bool) -> None:
        """Show the saved masks of the other targets, or hide them."""
        self._parts.neighbours.show(visible)

    def save(self) -> None:
        """Save the mask as done."""
        self._parts.saving.save(self._leaving.after_save)

    def mark_empty(self) -> None:
        """Save that the target is not there."""
        self._parts.saving.mark_empty(self._leaving.after_save)

    def flag(self, note: str = "") -> None:
        """Save the mask for review."""
        self._parts.saving.flag(note, self._leaving.after_save)

    @property
    def unsaved(self) -> bool:
        """Whether the canvas holds what is not saved."""
        return self._parts.annotating.unsaved()

    def open_next(self, after_save: bool) -> None:
        """Choose whether the next image opens each time one was saved."""
        self._leaving.opens_next = after_save

    def save_then(self, then: Callable[[], None]) -> None:
        """Save, then do something, such as closing the window."""
        self._parts.saving.save(then)

    # ------------------------------------------------------------------- history
    def look_at(self, revision: int) -> None:
        """Show a revision in the preview."""
        self._parts.judging.leave()
        self._parts.past.look_at(revision)

    def restore(self, revision: int) -> None:
        """Let a revision stand again."""
        self._parts.past.restore(revision)

    def sign_off(self) -> None:
        """Sign the mask at hand off, as a second person."""
        self._parts.past.sign_off()

    # ------------------------------------------------------------------- judging
    def judge(self, version: str = "") -> None:
        """Read what a version changed, by default the newest."""
        self._parts.judging.judge(version)

    def compare(self, image: str, target: str) -> None:
        """Show old mask, new mask and truth side by side."""
        self._parts.judging.compare(image, target)

    def leave_comparison(self) -> None:
        """Go back to what was open."""
        self._parts.judging.leave()

    # ------------------------------------------------------------------ training
    def retrain(
        self,
        minutes: float | None = None,
        device: str = "auto",
        fresh: bool = False,
        **asked: Any,
    ) -> None:
        """Train in the background on what is saved.

        Parameters
        ----------
        minutes : float, optional
            How long.
        device : str
            ``"auto"``, ``"cpu"`` or ``"cuda"``.
        fresh : bool
            Start from nothing, not from the version that answers.
        **asked
            Other fields of :class:`src_core.rounds.RoundRequest`.
        """
        request = {"minutes": minutes, "device": device, "fresh": fresh, **asked}
        self._parts.training.retrain(request)
        if self.unsaved and self.state.job.running:
            self._desk.say("Training on what is saved; the open changes are not in it.")

    def stop_training(self) -> None:
        """End the training with the best it has."""
        self._parts.training.stop()

    def roll_back(self, version: str) -> None:
        """Let another version answer."""
        self._parts.training.let_answer(version)

    # --------------------------------------------------------------------- words
    def choose(self, choice: Choice) -> None:
        """Do what the person chose of a question, or the remedy of a message."""
        self._desk.choose(choice)

    def fail(self, error: Exception) -> None:
        """Tell the person of an error in a sentence."""
        self._desk.fail(error)

    def close(self) -> None:
        """End the worker, close the project, take no more work."""
        self._desk.runner.close()
        self._parts.training.close()
        self._desk.helper.close()
        project, self._desk.project = self._desk.project, None
        if project is not None:
            project.close()
