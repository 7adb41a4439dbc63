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

from lgssl_napari.annotating import Annotating, nothing
from lgssl_napari.asking import Asking
from lgssl_napari.choosing import Choosing
from lgssl_napari.desk import Desk, log_traceback
from lgssl_napari.guiding import Guiding
from lgssl_napari.helper import HelperProcess
from lgssl_napari.judging import Judging
from lgssl_napari.lanes import Lane
from lgssl_napari.looking import Looking
from lgssl_napari.models import AnswersAside
from lgssl_napari.neighbours import Neighbours
from lgssl_napari.past import Past
from lgssl_napari.projects import Projects
from lgssl_napari.recent import Recent
from lgssl_napari.recovery import Recovery
from lgssl_napari.refining import Refining
from lgssl_napari.saving import Saving
from lgssl_napari.state import Choice, Level, PanelState
from lgssl_napari.tour import Tour
from lgssl_napari.training import EngineLike, Training, local_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from psygnal import SignalInstance

    from lgssl_napari.canvas import Canvas
    from lgssl_napari.helper import HelperLike
    from lgssl_napari.lanes import Runner
    from lgssl_napari.models import Answers


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
        self._annotating = Annotating(desk)
        self._saving = Saving(desk, self._annotating)
        self._recovery = Recovery(desk, self._annotating)
        self._past = Past(desk, self._annotating, self._saving)
        self._asking = Asking(desk, self._annotating, self._saving, answers)
        self._refining = Refining(desk, self._annotating, self._asking)
        self._neighbours = Neighbours(desk, self._annotating)
        self._choosing = Choosing(desk, self._annotating, self._asking, answers)
        self._judging = Judging(desk, answers)
        self._guiding = Guiding(desk, self._annotating, self._choosing, answers)
        self._looking = Looking(
            desk,
            lambda: self._training.engine(),
            lambda: self._training.lose_engine(),
        )
        self._training = Training(
            desk,
            self._new_model,
            self._judging.judge,
            start_engine,
            self._looking.stop,
        )
        self._projects = Projects(desk, self._opened, recent or Recent())
        self._tour = Tour(desk, tour_file)
        self._opens_next = True
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

    # ----------------------------------------------------------------- projects
    def start(self) -> None:
        """Read what the empty panel shows."""
        self._projects.list_recent()
        self._tour.offer()
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

    # --------------------------------------------------------------------- tour
    def begin_tour(self) -> None:
        """Show the first of five steps."""
        self._tour.begin()

    def next_step(self) -> None:
        """Show the next step of the tour."""
        self._tour.next()

    def end_tour(self) -> None:
        """End the tour for good."""
        self._tour.leave()

    def open_project(self, path: Path) -> None:
        """Open a project."""
        self._switch(lambda: self._projects.open(path))

    def new_project(self, path: Path) -> None:
        """Make a project in a new or an empty folder."""
        self._switch(lambda: self._projects.make(path))

    def open_folder(self, path: Path) -> None:
        """Open a folder: a project, an empty one, or one of pictures."""
        self._switch(lambda: self._projects.open_folder(path))

    def try_sample(self, path: Path | None = None) -> None:
        """Open the sample project."""
        self._switch(lambda: self._projects.try_sample(path))

    def add_files(self, paths: Iterable[Path]) -> None:
        """Take pictures, folders or import tables in."""
        given = tuple(paths)
        if given:
            self._projects.add(given)

    def close_project(self) -> None:
        """Go back to the start page."""
        self._switch(self._projects.close)

    # -------------------------------------------------------------------- images
    def show_image(self, image: str) -> None:
        """Open an image of the project."""
        at_hand = self.state.work.image
        if at_hand is None or at_hand.id != image:
            self._leave_image(
                lambda: self._annotating.open(image, then=self._asking.follow)
            )

    def step(self, by: int) -> None:
        """Open the image that is `by` places further in the list."""
        self._leave_image(lambda: self._choosing.step(by))

    def next_image(self) -> None:
        """Open the image to label next, and say why that one."""
        self._leave_image(self._choosing.next)

    # ------------------------------------------------------------------- guiding
    def show_where(self, visible: bool) -> None:
        """Show where in the image a correction would teach most, or hide it."""
        (self._guiding.show_where if visible else self._guiding.hide_where)()

    def skip(self, reason: str) -> None:
        """Never offer the image at hand again, and open the next."""
        self._guiding.skip(reason, self.next_image)

    def pin(self, reason: str = "") -> None:
        """Offer the image at hand before all others until it is finished."""
        self._guiding.pin(reason)

    def plan(self) -> None:
        """Read what more labels will bring, and what stands out in the pool."""
        self._guiding.read()

    def doubt(self) -> None:
        """List the finished masks that the model doubts."""
        self._guiding.doubt()

    def open_for(self, image: str, target: str = "") -> None:
        """Open an image for a target, by default for the one at hand."""
        self._leave_image(
            lambda: self._annotating.open(image, target, then=self._asking.follow)
        )

    def idle(self) -> None:
        """Let the worker look at the pool where it has nothing better to do."""
        self._looking.begin()

    # -------------------------------------------------------------------- asking
    def ask(self, prompt: str) -> None:
        """Find what the prompt says."""
        self._judging.leave()
        self._asking.ask(prompt)

    def show_anyway(self) -> None:
        """Show the mask of something that was not found."""
        self._asking.show_anyway()

    def cut(self, threshold: float) -> None:
        """Cut the probability at another threshold."""
        self._asking.cut(threshold)

    def show_probability(self, visible: bool) -> None:
        """Show or hide the heat map."""
        self._desk.canvas.show_probability(visible)

    def new_target(self, name: str) -> None:
        """Make a wording a target of its own."""
        self._asking.new_target(name)

    def remember_wording(self) -> None:
        """Keep the wording that was typed with the target it was taken for."""
        self._asking.remember_wording()

    def accept(self, mode: str = "") -> None:
        """Take the preview into the annotation: merge, replace, keep; or ask."""
        self._asking.accept(mode)

    def forget(self) -> None:
        """Drop the answer."""
        self._asking.forget()

    # ---------------------------------------------------------------- annotating
    def edit(self, name: str) -> None:
        """Apply a correction of :data:`lgssl_napari.edits.EDITS`."""
        if self.state.work.image is not None:
            self._annotating.edit(name)

    def scribble(self, kind: int) -> None:
        """Draw strokes inside or outside, or paint again."""
        self._judging.leave()
        self._refining.scribble(kind)

    def refine(self) -> None:
        """Find the outline anew from the strokes."""
        self._refining.refine()

    def clear_strokes(self) -> None:
        """Forget the strokes; the mask stays."""
        self._refining.forget()

    def refine_by(self, method: str, whole: bool, at_each_stroke: bool) -> None:
        """Choose how strokes are used."""
        self._refining.choose(method, whole, at_each_stroke)

    def show_neighbours(self, visible: bool) -> None:
        """Show the saved masks of the other targets, or hide them."""
        self._neighbours.show(visible)

    def save(self) -> None:
        """Save the mask as done."""
        self._saving.save(self._after_save)

    def mark_empty(self) -> None:
        """Save that the target is not there."""
        self._saving.mark_empty(self._after_save)

    def flag(self, note: str = "") -> None:
        """Save the mask for review."""
        self._saving.flag(note, self._after_save)

    @property
    def unsaved(self) -> bool:
        """Whether the canvas holds what is not saved."""
        return self._annotating.unsaved()

    def open_next(self, after_save: bool) -> None:
        """Choose whether the next image opens each time one was saved."""
        self._opens_next = after_save

    def save_then(self, then: Callable[[], None]) -> None:
        """Save, then do something, such as closing the window."""
        self._saving.save(then)

    # ------------------------------------------------------------------- history
    def look_at(self, revision: int) -> None:
        """Show a revision in the preview."""
        self._judging.leave()
        self._past.look_at(revision)

    def restore(self, revision: int) -> None:
        """Let a revision stand again."""
        self._past.restore(revision)

    def sign_off(self) -> None:
        """Sign the mask at hand off, as a second person."""
        self._past.sign_off()

    # ------------------------------------------------------------------- judging
    def judge(self, version: str = "") -> None:
        """Read what a version changed, by default the newest."""
        self._judging.judge(version)

    def compare(self, image: str, target: str) -> None:
        """Show old mask, new mask and truth side by side."""
        self._judging.compare(image, target)

    def leave_comparison(self) -> None:
        """Go back to what was open."""
        self._judging.leave()

    # ------------------------------------------------------------------ training
    def retrain(
        self,
        minutes: float | None = None,
        *,
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
        self._training.retrain(request)
        if self.unsaved and self.state.job.running:
            self._desk.say("Training on what is saved; the open changes are not in it.")

    def retrain_for(self, minutes: float, device: str, fresh: bool) -> None:
        """Train as the form says."""
        self.retrain(minutes, device=device, fresh=fresh)

    def stop_training(self) -> None:
        """End the training with the best it has."""
        self._training.stop()

    def roll_back(self, version: str) -> None:
        """Let another version answer."""
        self._training.let_answer(version)

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
        self._training.close()
        self._desk.helper.close()
        project, self._desk.project = self._desk.project, None
        if project is not None:
            project.close()

    # ------------------------------------------------------------------ plumbing
    def _switch(self, then: Callable[[], None]) -> None:
        if self.state.job.running:
            self._desk.say(
                "A training is running in this project; stop it or wait until it ends, "
                "then open another.",
                Level.WARNING,
            )
            return
        self._saving.leave(then)

    def _leave_image(self, then: Callable[[], None]) -> None:
        self._judging.leave()

        def left() -> None:
            self._asking.forget()
            then()

        self._saving.leave(left)

    def _after_save(self) -> None:
        if self._opens_next:
            self.next_image()

    def _new_model(self) -> None:
        self._choosing.reset()
        self._asking.forget()
        self._asking.follow()

    def _opened(self) -> None:
        self._choosing.reset()
        self._choosing.begin()
        self._recovery.look()
        self._asking.warm()
