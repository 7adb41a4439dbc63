"""Retraining in a worker process, the promotion of what it gave, and the way back."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from lgssl_napari.events import EVENTS, Event, outcome_of
from lgssl_napari.lanes import Lane
from lgssl_napari.remedies import remedy_for
from lgssl_napari.results import JobState, Outcome
from lgssl_napari.snapshot import read_versions
from lgssl_napari.state import Choice, Level, VersionRow
from src_core.errors import JobError, JobLostError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lgssl_napari.desk import Desk
    from src_core.store import Project


class JobLike(Protocol):
    """What is used of a :class:`src_core.jobs.Job`."""

    def stop(self) -> None:
        """Ask it to end with the best it has."""
        ...

    def result(self) -> Any:
        """Wait for what it returns."""
        ...


class EngineLike(Protocol):
    """What is used of a :class:`src_core.engine.Engine`."""

    def submit(
        self,
        work: Callable[..., Any],
        *arguments: Any,
        on_event: Callable[[Event], None] | None = None,
    ) -> JobLike:
        """Start a job."""
        ...

    def close(self) -> None:
        """End the local worker."""
        ...


def local_engine() -> EngineLike:
    """Return an engine that starts a worker process when first needed."""
    from src_core.engine import Engine

    return Engine()


class Training:
    """One training at a time.

    Parameters
    ----------
    desk : Desk
        Shared state.
    answered : callable
        Called when another version answers from now on.
    ended : callable
        Called with the version that a training gave, promoted or not.
    start_engine : callable
        Makes an engine.
    make_room : callable
        Ends what else the worker does, before it trains.
    """

    def __init__(
        self,
        desk: Desk,
        answered: Callable[[], None],
        ended: Callable[[str], None],
        start_engine: Callable[[], EngineLike] = local_engine,
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._desk, self._answered, self._ended = desk, answered, ended
        self._start_engine, self._make_room = start_engine, make_room
        self._guard = threading.Lock()
        self._engine: EngineLike | None = None
        self._job: JobLike | None = None
        self._stop_asked = False
        self._position: int | None = None
        self._lost = 0

    def retrain(self, asked: dict[str, Any], position: int | None = None) -> None:
        """Train in a worker process.

        Parameters
        ----------
        asked : dict
            Fields of :class:`src_core.rounds.RoundRequest`, plain values.
        position : int, optional
            The ledger position to train at; what is saved now if not given. The same
            wish at the same position goes on from the last checkpoint.
        """
        desk, project = self._desk, self._desk.project
        if desk.state.job.running:
            desk.say("A training is running already.")
            return
        if desk.entering:
            desk.say(
                "Another project is being opened; press Retrain once it is there.",
                Level.WARNING,
            )
            return
        if project is None or desk.state.project is None:
            desk.say("Open a project first.", Level.WARNING)
            return
        if project.read_only:
            desk.say("The project is open for reading only.", Level.WARNING)
            return
        labelled, unlabelled = desk.state.project.counts
        if not labelled:
            desk.say(
                "There is nothing to learn from yet: draw a target in a few images and "
                "save them, then press Retrain.",
                Level.WARNING,
            )
            return
        self._stop_asked = False
        desk.hush()
        desk.update(
            job=JobState(
                running=True,
                phase="starting the worker",
                counts=(labelled, unlabelled),
            )
        )
        before = desk.state.project.versions

        def done(outcome: tuple[Outcome, tuple[VersionRow, ...]]) -> None:
            self._finish(*outcome)

        def failed(error: Exception) -> None:
            self._broke(error, asked)

        desk.run(
            lambda: self._work(project, asked, position, before),
            done,
            lane=Lane.TRAIN,
            failed=failed,
        )

    def stop(self) -> None:
        """End the training with the best it has so far; returns at once."""
        if not self._desk.state.job.running:
            return
        self._stop_asked = True
        self._desk.update(job=replace(self._desk.state.job, stopping=True))
        job = self._job
        if job is not None:
            self._desk.run(job.stop, lambda _: None)

    def let_answer(self, version: str) -> None:
        """Let a version answer from now on; the others stay."""
        desk, project = self._desk, self._desk.project
        if project is None:
            return

        def work() -> tuple[VersionRow, ...]:
            from src_core.rounds import promote

            promote(
                project, version, who=desk.who or project.who, reason="chosen by hand"
            )
            return read_versions(project)

        def done(versions: tuple[VersionRow, ...]) -> None:
            desk.update_project(versions=versions)
            desk.say(f"Model {version} answers from now on.")
            self._answered()

        desk.run(work, done, lane=Lane.MODEL, busy=f"Changing to model {version}")

    def engine(self) -> EngineLike:
        """Return the engine, started when first needed; from any thread."""
        with self._guard:
            if self._engine is None:
                self._engine = self._start_engine()
            return self._engine

    def lose_engine(self) -> None:
        """Drop an engine whose worker died or hangs: the next one is new."""
        engine, self._engine = self._engine, None
        if engine is not None:
            self._desk.run(engine.close, lambda _: None, lane=Lane.TRAIN)

    def close(self) -> None:
        """End the worker process; a training under way keeps its checkpoint."""
        engine, self._engine, self._job = self._engine, None, None
        if engine is not None:
            engine.close()

    # -------------------------------------------------------------- in the lane
    def _work(
        self,
        project: Project,
        asked: dict[str, Any],
        position: int | None,
        before: tuple[VersionRow, ...],
    ) -> tuple[Outcome, tuple[VersionRow, ...]]:
        from src_core.rounds import RoundRequest, ensure_validation, promote_result
        from src_core.worker import train_job

        who = self._desk.who or project.who
        request = RoundRequest.model_validate(asked)
        if position is None:
            ensure_validation(project, who)
            position = project.position
        self._position = position
        self._make_room()
        self._job = self.engine().submit(
            train_job,
            str(project.path),
            position,
            request.model_dump_json(),
            on_event=lambda event: self._desk.runner.post(
                lambda: self._heard(project, event)
            ),
        )
        if self._stop_asked:
            self._job.stop()
        try:
            result: dict[str, Any] = self._job.result()
        finally:
            self._job = None
        result = promote_result(project, result, who=who)
        versions = read_versions(project)
        names = {target.id: target.name for target in project.targets()}
        return outcome_of(result, before, versions, names), versions

    # ------------------------------------------------------------------- events
    def _heard(self, project: Project, event: Event) -> None:
        job = self._desk.state.job
        if not job.running or project is not self._desk.project:
            return
        take_in = EVENTS.get(event["kind"])
        if take_in is not None:
            self._desk.update(job=take_in(job, event))

    def _finish(self, outcome: Outcome, versions: tuple[VersionRow, ...]) -> None:
        desk, self._lost = self._desk, 0
        job = replace(
            desk.state.job, running=False, stopping=False, done=1.0, outcome=outcome
        )
        desk.update(job=replace(job, phase="", seconds_left=0.0))
        desk.update_project(versions=versions)
        desk.say(
            f"Model {outcome.version}: {outcome.sentence}",
            Level.INFO if outcome.promoted else Level.WARNING,
        )
        if outcome.promoted:
            self._answered()
        self._ended(outcome.version)

    def _broke(self, error: Exception, asked: dict[str, Any]) -> None:
        desk = self._desk
        desk.update(
            job=replace(desk.state.job, running=False, stopping=False, phase="")
        )
        if isinstance(error, JobError):
            self.lose_engine()
        desk.fail(error, self._remedy(error, asked))

    def _remedy(self, error: Exception, asked: dict[str, Any]) -> Choice | None:
        self._lost = self._lost + 1 if isinstance(error, JobLostError) else 0
        # A worker that dies twice in a row most likely asks for too much memory.
        too_large = OutOfMemoryError() if self._lost > 1 else error
        remedy = remedy_for(too_large)
        if remedy is None:
            return None
        again = remedy.change(asked)
        position = self._position if remedy.resumes else None
        return Choice(remedy.label, lambda: self.retrain(again, position))
