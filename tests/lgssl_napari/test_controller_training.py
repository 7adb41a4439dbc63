"""Retraining: what is sent to the worker, what is heard, and how it ends."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lgssl_napari.events import POINTS, progress
from lgssl_napari.results import JobState
from lgssl_napari.state import Level
from queued import QueuedRunner
from src_core.errors import (
    JobError,
    JobLostError,
    NoEncoderError,
    OutOfMemoryError,
    UserError,
)
from src_core.rounds import held_out_groups
from src_core.types import MaskStatus

VERDICT = {
    "promoted": True,
    "reason": "Promoted: Dice 0.600 before, 0.800 now.",
    "old": 0.6,
    "new": 0.8,
    "low": 0.1,
    "high": 0.3,
}


def progress_event(**changes):
    event = {
        "kind": "progress",
        "phase": "labelled images",
        "step": 7,
        "done": 0.25,
        "seconds": 10.0,
        "seconds_left": 30.0,
        "losses": {"loss": 1.5, "presence": 0.5},
        "looks": [[5, 8.0, 0.4, 0.5]],
    }
    return event | changes


class FakeJob:
    def __init__(self, engine) -> None:
        self._engine = engine
        self.stopped = 0

    def stop(self) -> None:
        self.stopped += 1

    def result(self):
        for event in self._engine.events:
            self._engine.on_event(event)
        self._engine.during()
        if self._engine.error is not None:
            raise self._engine.error
        return self._engine.finish()


class LookJob:
    """A look at the pool that is done at once."""

    def stop(self) -> None: ...

    def result(self):
        return {"looks": [3, 3], "survey": [3, 3]}


class FakeEngine:
    """Tells its events and writes a model, all at once."""

    def __init__(self, bench, add_model) -> None:
        self.bench, self.add_model = bench, add_model
        self.events: list[dict] = []
        self.error: Exception | None = None
        self.verdict = dict(VERDICT)
        self.stopped = False
        self.during = lambda: None
        self.requests: list[tuple[str, int, dict]] = []
        self.jobs: list[FakeJob] = []
        self.started = self.closed = self.looked = 0

    def __call__(self):
        self.started += 1
        return self

    def submit(self, work, *arguments, on_event):
        if work.__name__ == "look_job":
            self.looked += 1
            return LookJob()
        path, position, request = arguments
        self.requests.append((path, position, json.loads(request)))
        self.on_event = on_event
        self.jobs.append(FakeJob(self))
        return self.jobs[-1]

    def close(self) -> None:
        self.closed += 1

    def finish(self):
        version = f"v{len(self.requests) + 1}"
        dice = {"left-lung": 0.9, "heart": 0.7, "mean": 0.8}
        self.add_model(
            self.bench.project, version, answers=False, parent="v1", validation=dice
        )
        return {
            "version": version,
            "method": "lg-ssl",
            "steps": 40,
            "seconds": 60.0,
            "labelled": 2,
            "unlabelled": 1,
            "looks": [],
            "stopped": self.stopped,
            "position": self.requests[-1][1],
            "promoted": self.verdict["promoted"],
            "verdict": self.verdict,
        }


@pytest.fixture
def trained(new_bench, project_path, add_model):
    """A controller with labelled images, a model v1 and an engine that is none."""
    from src_core.store import Project

    with Project.open(project_path, mode="rw") as project:
        for image in ("film-0", "film-1"):
            mask = np.ones((24, 32), np.uint8)
            project.save_mask(image, "heart", mask, status=MaskStatus.DONE)
    holder = {}
    bench = new_bench(project_path, model=True, start_engine=lambda: holder["engine"]())
    bench.model.found = {"left lung": (slice(2, 10), slice(3, 13))}
    holder["engine"] = bench.engine = FakeEngine(bench, add_model)
    return bench


def test_nothing_saved_is_nothing_to_learn_from(bench) -> None:
    bench.controller.retrain(1.0)
    assert not bench.state.job.running
    assert "nothing to learn from yet" in bench.state.message.text


def test_what_is_labelled_behind_the_first_page_is_learned_from(
    new_bench, project_path, monkeypatch
) -> None:
    monkeypatch.setattr("lgssl_napari.snapshot.PAGE", 1)
    runner = QueuedRunner()
    bench = new_bench(project_path, runner=runner)
    runner.settle("store")
    bench.project.save_mask(
        "film-2", "heart", np.ones((24, 32), np.uint8), status=MaskStatus.DONE
    )
    bench.controller._parts.projects.refresh()
    runner.settle("store")
    assert len(bench.state.project.images) == 1
    assert bench.state.project.counts == (1, 3)
    bench.controller.retrain(1.0)
    assert bench.state.job.running
    runner.settle("edit")
    assert bench.state.project.counts == (1, 2)


def test_a_round_ends_with_old_and_new_dice_and_a_new_model(trained) -> None:
    trained.engine.events = [
        {"kind": "device", "text": "CPU, 2 threads"},
        {"kind": "phase", "text": "reading images"},
        progress_event(),
    ]
    heard = []
    trained.controller.changed.connect(lambda state: heard.append(state.job))
    trained.controller.retrain(2.0, device="cpu", fresh=True)
    path, _, request = trained.engine.requests[0]
    assert path == str(trained.path)
    wanted = {"minutes": 2.0, "device": "cpu", "fresh": True}
    assert request.items() >= wanted.items()
    running = next(job for job in heard if job.step == 7)
    assert (running.phase, running.device) == (
        "learning from labelled images",
        "CPU, 2 threads",
    )
    assert (running.done, running.seconds_left, running.counts) == (0.25, 30.0, (2, 1))
    assert running.dice == ((8.0, 0.5),)
    assert running.losses == ((10.0, 1.5),)
    outcome = trained.state.job.outcome
    assert not trained.state.job.running
    assert (outcome.version, outcome.old, outcome.new) == ("v2", 0.6, 0.8)
    assert {n: (b, a) for n, b, a in outcome.per_target} == {
        "left lung": (0.7, 0.9),
        "heart": (0.5, 0.7),
    }
    assert trained.state.project.version == "v2"
    assert [row.version for row in trained.state.project.versions] == ["v2", "v1"]
    assert "Promoted" in trained.state.message.text
    assert trained.engine.looked == 1


def test_a_worse_model_is_kept_aside_and_the_old_one_answers(trained) -> None:
    trained.engine.verdict |= {"promoted": False, "reason": "Kept aside: worse."}
    trained.controller.retrain(1.0)
    assert trained.state.project.version == "v1"
    assert trained.state.message.level is Level.WARNING
    assert len(trained.state.project.versions) == 2


def test_the_better_model_answers_by_itself(trained) -> None:
    trained.controller.ask("left lung")
    trained.model.asked.clear()
    trained.model.version = "v2"
    trained.controller.retrain(1.0)
    assert trained.model.asked == ["left lung"]
    assert trained.state.answer.version == "v2"


def test_the_better_model_does_not_disturb_unsaved_work(trained) -> None:
    trained.controller.ask("left lung")
    trained.controller.accept()
    trained.model.asked.clear()
    trained.controller.retrain(1.0)
    assert trained.model.asked == []
    assert trained.canvas.drawn.sum() == 80


def test_prompts_are_answered_while_a_training_runs(trained) -> None:
    def during() -> None:
        assert trained.state.job.running
        trained.controller.ask("left lung")
        assert trained.state.answer.version == "v1"

    trained.engine.during = during
    trained.controller.retrain(1.0)
    assert trained.state.job.outcome is not None


def test_one_training_at_a_time(trained) -> None:
    trained.engine.during = lambda: trained.controller.retrain(1.0)
    trained.controller.retrain(1.0)
    assert len(trained.engine.requests) == 1


def test_stop_reaches_the_worker_at_once_and_keeps_the_best(trained) -> None:
    stopping = []

    def during() -> None:
        trained.controller.stop_training()
        stopping.append((trained.state.job.stopping, trained.engine.jobs[0].stopped))

    trained.engine.during, trained.engine.stopped = during, True
    trained.controller.retrain(5.0)
    assert stopping == [(True, 1)]
    assert trained.state.job.outcome.stopped
    assert trained.state.project.version == "v2"


def test_stop_before_the_worker_runs_is_not_lost(trained) -> None:
    trained.runner.held = True
    trained.controller.retrain(5.0)
    trained.controller.stop_training()
    trained.runner.held = False
    trained.runner.release()
    assert trained.engine.jobs[0].stopped == 1


@pytest.mark.parametrize(
    ("error", "button", "new_engine"),
    [
        (JobLostError("The worker process died; start again."), "Go on", True),
        (JobError("The job failed: ValueError."), "Go on", True),
        (UserError("Nothing to learn from."), None, False),
        (OSError("No space left on device"), "Go on", False),
    ],
)
def test_what_goes_wrong_is_said_with_the_next_step(
    trained, error, button, new_engine
) -> None:
    trained.engine.error = error
    trained.controller.retrain(3.0)
    message = trained.state.message
    assert message.level is Level.ERROR
    assert not trained.state.job.running
    assert (message.remedy.label if message.remedy else None) == button
    assert trained.engine.closed == new_engine
    if button is None:
        return
    trained.engine.error = None
    position = trained.engine.requests[0][1]
    trained.project.add_target("rib")  # a change since: the checkpoint is of before
    trained.choose(button)
    assert trained.engine.requests[1][1] == position
    assert trained.engine.requests[1][2] == trained.engine.requests[0][2]
    assert trained.engine.started == 1 + new_engine
    assert trained.state.job.outcome is not None


def test_going_on_from_a_checkpoint_holds_nobody_new_out(trained) -> None:
    """Who taught before it broke off must not examine when it goes on."""
    trained.engine.error = JobLostError("The worker died.")
    trained.controller.retrain(3.0)
    project, before = trained.project, held_out_groups(trained.project)
    for n in range(10):
        image, _ = project.add_image(
            np.full((24, 32), n, np.uint8), name=f"late-{n}.png", axes="yx"
        )
        mask = np.ones((24, 32), np.uint8)
        project.save_mask(image.id, "heart", mask, status=MaskStatus.DONE)
    trained.engine.error = None
    trained.choose("Go on")
    assert held_out_groups(project) == before
    trained.controller.retrain(3.0)
    assert len(held_out_groups(project)) > len(before)


@pytest.mark.parametrize(
    "errors",
    [
        [OutOfMemoryError("It needs more memory.")],
        [JobLostError("The worker died."), JobLostError("The worker died.")],
    ],
)
def test_what_needs_too_much_memory_is_offered_in_smaller_steps(
    trained, errors
) -> None:
    for error in errors:
        trained.engine.error = error
        trained.controller.retrain(3.0)
    trained.engine.error = None
    trained.choose("Train in smaller steps")
    request = trained.engine.requests[-1][2]
    assert request["settings"]["train"]["batch"] == 2
    assert trained.state.job.outcome is not None


def test_a_missing_encoder_offers_the_one_that_is_built_in(trained) -> None:
    trained.engine.error = NoEncoderError("The text encoder '/x' is not a folder.")
    trained.controller.retrain(3.0, settings={"text": {"encoder": "transformers"}})
    trained.engine.error = None
    trained.choose("Use the built-in encoder")
    request = trained.engine.requests[-1][2]
    assert request["settings"]["text"]["encoder"] == "minilm"
    assert request["fresh"]


def test_any_version_can_answer_again(trained) -> None:
    trained.controller.retrain(1.0)
    assert trained.state.project.version == "v2"
    trained.controller.roll_back("v1")
    assert trained.state.project.version == "v1"
    assert trained.state.message.text == "Model v1 answers from now on."
    what = [revision.what for revision in trained.project.history()]
    assert what[:2] == ["promote", "promote"]


def test_unsaved_work_is_not_trained_on_and_is_told(trained) -> None:
    trained.runner.held = False
    trained.controller.ask("heart")
    trained.canvas.paint(slice(0, 4), slice(0, 4))
    trained.runner.held = True
    trained.controller.retrain(1.0)
    assert "the open changes are not in it" in trained.state.message.text


# ---------------------------------------------------------------------- events
@pytest.mark.parametrize(
    ("looks", "dice"),
    [
        ([], ()),
        ([[1, 2.0, math.nan, math.nan]], ()),
        ([[1, 2.0, 0.3, math.nan], [2, 4.0, 0.2, 0.4]], ((2.0, 0.3), (4.0, 0.4))),
    ],
)
def test_the_validation_curve(looks, dice) -> None:
    assert progress(JobState(), progress_event(looks=looks)).dice == dice


def test_the_loss_curve_stays_short_and_keeps_its_shape() -> None:
    job = JobState(running=True)
    for second in range(3000):
        losses = {"loss": math.inf if second % 7 == 0 else 1.0 / (1 + second)}
        job = progress(job, progress_event(seconds=float(second), losses=losses))
    seconds = [at for at, _ in job.losses]
    assert 50 < len(seconds) <= POINTS
    assert seconds == sorted(seconds)
    assert seconds[0] < 20
    assert seconds[-1] > 2990
    assert all(math.isfinite(value) for _, value in job.losses)


def test_events_of_an_unknown_kind_are_passed_over(trained) -> None:
    trained.engine.events = [{"kind": "tea", "text": "ready"}]
    trained.controller.retrain(1.0)
    assert trained.state.job.outcome is not None


def test_a_note_of_the_worker_is_shown(trained) -> None:
    text = "Memory ran out: beginning again with batches of 4."
    trained.engine.events = [{"kind": "note", "text": text}]
    trained.controller.retrain(1.0)
    assert trained.state.job.note == text
