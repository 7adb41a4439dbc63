"""What the parts of the controller share: state, project, canvas, and a way to work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from psygnal import Signal

from lgssl_napari.lanes import Lane, Runner
from lgssl_napari.results import JobState
from lgssl_napari.state import Choice, Level, Message, PanelState, Question, WorkState
from src_core.errors import LgsslError
from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lgssl_napari.canvas import Canvas
    from lgssl_napari.helper import HelperLike
    from src_core.store import Project

T = TypeVar("T")


def log_traceback(error: Exception) -> Path:
    """Write the traceback to the log file of the command line and return its path."""
    from src_core.cli.console import log_failure

    return log_failure(error)


@dataclass(frozen=True, slots=True)
class Busy:
    """Something under way: what the person sees of it, and how it is given up."""

    text: str
    lane: Lane
    stop: Choice | None = None


class Desk:
    """One panel's open project and everything that may change while it is used.

    Parameters
    ----------
    canvas : Canvas
        Where images and masks are drawn.
    runner : Runner
        Where blocking work runs.
    helper : HelperLike
        Where that of it runs which must not slow the window down.
    who : str
        The author of what is saved; the account's name if empty.
    log : callable
        Keeps the traceback of an error and returns where.

    Attributes
    ----------
    entering : bool
        Whether another project is being opened, and the one at hand soon closed.
    """

    changed = Signal(object)
    """A new :class:`PanelState`."""
    notified = Signal(object)
    """A new :class:`Message`; also in the state."""

    def __init__(
        self,
        canvas: Canvas,
        runner: Runner,
        helper: HelperLike,
        who: str = "",
        log: Callable[[Exception], Path] = log_traceback,
    ) -> None:
        self.canvas, self.runner, self.helper = canvas, runner, helper
        self.state = PanelState(who=who)
        self.project: Project | None = None
        self.pixels: NDArray[np.generic] | None = None
        self._log = log
        self.entering = False
        self._busy: dict[int, Busy] = {}
        self._started = 0
        self._epoch = 0

    @property
    def who(self) -> str:
        """The author of what is saved; the account's name if empty."""
        return self.state.who

    # ------------------------------------------------------------------- state
    def update(self, **changes: Any) -> None:
        """Replace fields of the state and tell whoever shows it."""
        self.state = replace(self.state, **changes)
        self.changed.emit(self.state)

    def update_work(self, **changes: Any) -> None:
        """Replace fields of the work at hand."""
        self.update(work=replace(self.state.work, **changes))

    def update_project(self, **changes: Any) -> None:
        """Replace fields of the open project's state."""
        if self.state.project is not None:
            self.update(project=replace(self.state.project, **changes))

    def mark(self, image: str, target: str, status: MaskStatus) -> None:
        """Change one mask's status in the state, and its image's line in the list."""
        project = self.state.project
        if project is None:
            return
        statuses = dict(project.statuses)
        statuses[image, target] = status
        here = [statuses.get((image, t.id)) for t in project.targets]
        finished = sum(s is not None and s.is_truth for s in here)
        flagged = MaskStatus.FLAGGED in here
        rows = tuple(
            replace(row, finished=finished, flagged=flagged) if row.id == image else row
            for row in project.images
        )
        self.update_project(statuses=MappingProxyType(statuses), images=rows)

    def opened(self, project: Project | None) -> None:
        """Make a project the open one; what still runs for another is not heard."""
        self._epoch += 1
        self._busy.clear()
        self.project, self.pixels = project, None
        self.update(
            project=None,
            work=WorkState(scribbling=replace(self.state.work.scribbling, kind=0)),
            answer=None,
            job=JobState(),
            question=None,
            judgement=None,
            comparing="",
            guide=None,
            doubted=None,
            looking="",
            busy="",
            stop=None,
        )

    # ------------------------------------------------------------------- words
    def say(
        self, text: str, level: Level = Level.INFO, remedy: Choice | None = None
    ) -> None:
        """Tell the person something."""
        message = Message(level, text, remedy)
        self.update(message=message)
        self.notified.emit(message)

    def hush(self) -> None:
        """Drop a message that only informed: something new begins."""
        said = self.state.message
        if said is not None and said.level is Level.INFO:
            self.update(message=None)

    def ask(self, text: str, *choices: Choice, about_mask: bool = False) -> None:
        """Ask the person something; an open question is replaced."""
        self.update(question=Question(text, choices, about_mask))

    def drop_question_of_mask(self) -> None:
        """Take back what was asked about the mask at hand: another is shown."""
        if self.state.question is not None and self.state.question.about_mask:
            self.update(question=None)

    def choose(self, choice: Choice) -> None:
        """Do what the person chose; the question is answered first."""
        if self.state.question is not None and choice in self.state.question.choices:
            self.update(question=None)
        elif self.state.message is not None and choice == self.state.message.remedy:
            self.update(message=None)
        choice.act()

    def fail(self, error: Exception, remedy: Choice | None = None) -> None:
        """Tell the person of an error in a sentence; the traceback goes to the log."""
        path = self._log(error)
        if isinstance(error, LgsslError):
            self.say(str(error), Level.ERROR, remedy)
            return
        self.say(
            f"Something went wrong inside the program ({type(error).__name__}). "
            f"Nothing saved is lost; the details are in '{path}'.",
            Level.ERROR,
            remedy,
        )

    # -------------------------------------------------------------------- work
    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        *,
        lane: Lane = Lane.STORE,
        busy: str = "",
        failed: Callable[[Exception], None] | None = None,
        stop: Callable[[], None] | None = None,
    ) -> None:
        """Run blocking work; its result is dropped if another project was opened.

        Parameters
        ----------
        work, done : callable
            `done` gets what `work` returned, where the controller lives.
        lane : Lane
            Work in one lane keeps its order.
        busy : str
            What the person sees meanwhile.
        failed : callable
            Gets an error instead of :meth:`fail`.
        stop : callable
            Gives the work up where the person wants that; called from the controller.
        """
        epoch = self._epoch
        self._started += 1
        token = self._started
        if busy:
            choice = Choice("Stop", stop) if stop else None
            self._busy[token] = Busy(busy, lane, choice)
            self._show_busy()

        def ends() -> bool:
            if epoch == self._epoch and token in self._busy:
                del self._busy[token]
                self._show_busy()
            return epoch == self._epoch

        def arrived(result: T) -> None:
            if ends():
                try:
                    done(result)
                except Exception as error:
                    self.fail(error)

        def broke(error: Exception) -> None:
            if ends():
                (failed or self.fail)(error)

        self.runner.run(lane, work, arrived, broke)

    def _show_busy(self) -> None:
        """Say what was begun last of what is under way, first of what can be stopped.

        Else a short work would take the way to stop a long one off the screen.
        """
        under_way = list(self._busy.values())
        stoppable = [work for work in under_way if work.stop is not None]
        shown = (stoppable or under_way)[-1:]
        self.update(
            busy=shown[0].text if shown else "", stop=shown[0].stop if shown else None
        )

    def tell(self, busy: str, lane: Lane = Lane.MODEL) -> None:
        """Say how far the work under way in a lane has got; from any thread."""
        epoch = self._epoch

        def show() -> None:
            working = (t for t, work in self._busy.items() if work.lane is lane)
            token = next(working, None)
            if epoch == self._epoch and token is not None:
                self._busy[token] = replace(self._busy[token], text=busy)
                self._show_busy()

        self.runner.post(show)
