"""Going from one project to another while something else is under way in either."""

from __future__ import annotations

import numpy as np
import pytest

from queued import QueuedRunner
from small_projects import make_project
from src_core.store import Project, StrokeJournal
from src_core.types import MaskStatus

STROKE = (slice(10, 12), slice(4, 10))


class FakeJob:
    """A training that tells one thing, and fails in the end."""

    def __init__(self, on_event) -> None:
        self.on_event = on_event

    def stop(self) -> None: ...

    def result(self):
        self.on_event({"kind": "note", "text": "still learning"})
        raise OSError("No space left on device")


class FakeEngine:
    def submit(self, work, *arguments, on_event):
        return FakeJob(on_event)

    def close(self) -> None: ...


@pytest.fixture
def other(tmp_path):
    """Another project on the disk."""
    return make_project(tmp_path / "other", 3)


@pytest.fixture
def bench(new_bench, project_path):
    """The heart of the first of three training images is at hand, with one saved."""
    with Project.open(project_path, mode="rw") as project:
        mask = np.ones((24, 32), np.uint8)
        project.save_mask("film-1", "heart", mask, status=MaskStatus.DONE)
    made = new_bench(project_path, runner=QueuedRunner(), start_engine=FakeEngine)
    made.runner.settle()
    made.controller.open_next(False)
    made.controller.ask("heart")
    made.runner.settle()
    return made


def paint(bench) -> None:
    bench.canvas.paint(*STROKE)
    bench.runner.settle()


# -------------------------------------------------------------------- trainings
@pytest.mark.parametrize("answer", ["Save", "Discard"])
def test_a_training_begun_over_the_question_keeps_its_project_open(
    bench, answer
) -> None:
    paint(bench)
    bench.controller.close_project()
    bench.controller.retrain(1.0)
    bench.choose(answer)
    bench.runner.settle("store")
    assert bench.state.project.name == "heart"
    assert "A training is running" in bench.state.message.text
    bench.runner.settle()
    assert not bench.state.job.running
    bench.controller.close_project()
    assert bench.state.project is None


def test_nothing_is_trained_while_another_project_is_being_opened(bench, other) -> None:
    bench.controller.open_project(other)
    bench.controller.retrain(1.0)
    assert "being opened" in bench.state.message.text
    bench.runner.settle()
    assert bench.state.project.name == "other"
    assert not bench.state.job.running
    bench.controller.close_project()
    assert bench.state.project is None


def test_what_a_training_told_of_another_project_is_not_shown(bench, other) -> None:
    bench.controller.retrain(1.0)
    bench.runner.work("train")
    bench.controller._desk.opened(None)
    bench.controller.open_project(other)
    bench.runner.settle("store")
    assert not bench.state.job.running
    assert bench.state.job.note == ""


# ---------------------------------------------------------- what cannot be opened
@pytest.mark.parametrize("verb", ["open_project", "new_project", "try_sample"])
def test_what_cannot_be_opened_leaves_the_open_project_as_it_is(
    bench, tmp_path, monkeypatch, verb
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("something else")
    monkeypatch.setattr("sample_data.table_path", lambda: tmp_path / "gone.csv")
    getattr(bench.controller, verb)(full)
    bench.runner.settle()
    assert bench.errors
    assert bench.state.project.name == "heart"
    paint(bench)
    assert StrokeJournal(bench.project).pending()
    bench.controller.save()
    bench.runner.settle()
    assert bench.saved().read().sum() == 12


def test_a_project_that_is_open_already_stays_so(bench) -> None:
    bench.controller.open_project(bench.path)
    bench.runner.settle()
    assert "open already" in bench.state.message.text
    paint(bench)
    bench.controller.save()
    bench.runner.settle()
    assert bench.saved().read().sum() == 12


def test_the_project_that_was_left_can_be_opened_by_others(bench, other) -> None:
    bench.controller.open_project(other)
    bench.runner.settle()
    with Project.open(bench.path, mode="rw") as project:
        assert not project.read_only


def test_one_project_is_opened_at_a_time(bench, other) -> None:
    bench.controller.open_project(other)
    bench.controller.open_project(other)
    bench.controller.close_project()
    bench.runner.settle()
    assert bench.state.project.name == "other"
    assert bench.errors == []


@pytest.mark.parametrize(
    ("answer", "name", "pixels"),
    [("Save", "other", 12), ("Discard", "other", None), ("Stay", "heart", None)],
)
def test_what_is_painted_while_another_is_opened_is_asked_about(
    bench, other, answer, name, pixels
) -> None:
    bench.controller.open_project(other)
    bench.canvas.paint(*STROKE)
    bench.runner.settle()
    assert bench.state.question.text == "'heart' in 'film 0' is not saved."
    bench.choose(answer)
    bench.runner.settle()
    assert bench.state.project.name == name
    bench.controller.close()
    with Project.open(bench.path) as project:
        mask = project.mask("film-0", "heart")
        assert (None if mask is None else mask.read().sum()) == pixels
