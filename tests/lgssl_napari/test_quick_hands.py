"""A person is quicker than the disk: the right mask stays with the right image."""

from __future__ import annotations

import numpy as np
import pytest

from queued import QueuedRunner
from small_projects import make_project
from src_core.acquire import Pick
from src_core.errors import StoreError
from src_core.types import MaskStatus

LUNG = (slice(2, 10), slice(3, 13))
HERE = slice(4, 8), slice(4, 10)
MORE = slice(12, 15), slice(4, 10)


@pytest.fixture
def quick(new_bench, project_path):
    """Work waits until it is told to go on; no model."""
    return settled(new_bench(project_path, runner=QueuedRunner()))


@pytest.fixture
def answering(new_bench, project_path):
    """The same with a model that finds the left lung."""
    bench = settled(new_bench(project_path, model=True, runner=QueuedRunner()))
    bench.model.found = {"left lung": LUNG}
    return bench


def settled(bench):
    bench.controller.open_next(False)
    bench.runner.settle()
    return bench


def do(bench, act, *arguments) -> None:
    getattr(bench.controller, act)(*arguments)
    bench.runner.settle()


def paint(bench, where=HERE) -> None:
    bench.canvas.paint(*where)
    bench.runner.settle()


def drawn_heart(bench):
    do(bench, "ask", "heart")
    paint(bench)
    return bench


def masks(bench):
    return {(m.image, m.target): m.status for m in bench.project.masks()}


def kept(bench):
    return list(bench.path.glob("journal/**/*.strokes"))


class TestAnImageIsBeingRead:
    def test_a_prompt_is_about_the_image_that_comes(self, quick) -> None:
        do(drawn_heart(quick), "save")
        do(quick, "ask", "left lung")
        quick.controller.step(1)
        quick.controller.ask("heart")
        quick.runner.settle()
        work = quick.state.work
        assert (work.image.id, work.target.id, work.revision) == (
            "film-1",
            "heart",
            None,
        )
        assert not quick.canvas.drawn.any()

    def test_an_answer_about_the_one_before_is_not_shown(self, answering) -> None:
        do(answering, "ask", "heart")
        answering.controller.ask("left lung")
        answering.controller.step(1)
        answering.runner.work("model")
        answering.runner.settle()
        work = answering.state.work
        assert work.image.id == "film-1"
        assert masks(answering) == {}
        assert work.revision is None

    def test_of_another_size(self, quick) -> None:
        project = quick.project
        project.add_image(np.zeros((40, 50), np.uint8), name="large", axes="yx")
        do(drawn_heart(quick), "save")
        do(quick, "ask", "left lung")
        quick.controller.show_image("large")
        quick.controller.ask("heart")
        quick.runner.settle()
        assert quick.canvas.drawn.shape == (40, 50)
        assert quick.state.work.target.id == "heart"

    def test_a_target_made_meanwhile_is_taken_up_there(self, quick) -> None:
        do(drawn_heart(quick), "save")
        quick.controller.new_target("spine")
        quick.controller.step(1)
        quick.runner.settle()
        work = quick.state.work
        assert (work.image.id, work.target.name) == ("film-1", "spine")
        assert not quick.canvas.drawn.any()

    def test_one_that_cannot_be_read_does_not_hold_prompts_up(self, quick) -> None:
        gone = quick.path / "images" / "film-1.ome.zarr" / "0" / "zarr.json"
        gone.unlink()
        do(quick, "step", 1)
        do(quick, "ask", "heart")
        work = quick.state.work
        assert (work.image.id, work.target.id) == ("film-0", "heart")


class TestQuestionsFall:
    def test_with_the_mask_they_are_about(self, answering) -> None:
        do(answering, "ask", "left lung")
        do(answering, "accept")
        do(answering, "save")
        do(answering, "ask", "heart")
        do(answering, "save")
        assert "Nothing is drawn for 'heart'" in answering.state.question.text
        do(answering, "ask", "left lung")
        assert answering.state.question is None
        assert masks(answering) == {("film-0", "left-lung"): MaskStatus.DONE}

    def test_what_is_asked_of_the_project_stays(self, quick) -> None:
        quick.controller._desk.ask("Which of these?")
        do(quick, "step", 1)
        do(quick, "ask", "heart")
        assert quick.state.question.text == "Which of these?"


class TestSavingTwice:
    @pytest.mark.parametrize("times", [2, 4])
    def test_a_key_held_down_saves_once(self, quick, times) -> None:
        drawn_heart(quick)
        for _ in range(times):
            quick.controller.save()
        quick.runner.settle()
        assert quick.state.question is None
        revisions = [row for row in quick.project.history() if row.status is not None]
        assert len(revisions) == 1
        assert not quick.state.work.dirty

    def test_what_was_drawn_in_between_comes_on_top(self, quick) -> None:
        drawn_heart(quick)
        quick.controller.save()
        quick.canvas.paint(*MORE)
        quick.controller.save()
        quick.runner.settle()
        assert quick.state.question is None
        saved = quick.saved().read()
        assert saved[HERE].all()
        assert saved[MORE].all()

    @pytest.mark.parametrize("act", ["next_image", "step"])
    def test_who_goes_on_at_once_is_not_asked(self, quick, act) -> None:
        quick.picks[:] = [Pick("film-1", "heart", 1.0, "unsure")]
        drawn_heart(quick)
        quick.controller.save()
        getattr(quick.controller, act)(*([1] if act == "step" else []))
        quick.runner.settle()
        assert quick.state.question is None
        assert quick.state.work.image.id == "film-1"
        assert quick.project.mask("film-0", "heart").read()[HERE].all()

    def test_another_target_waits_for_the_save(self, answering) -> None:
        do(answering, "ask", "heart")
        paint(answering, (slice(15, 20), slice(4, 10)))
        answering.controller.save()
        answering.controller.ask("left lung")
        answering.runner.settle()
        assert answering.state.question is None
        assert answering.state.work.target.id == "left-lung"
        assert answering.state.answer.present


class TestASaveThatFails:
    @pytest.fixture
    def failing(self, quick, monkeypatch):
        import lgssl_napari.saving as saving

        broken, commit = [True], saving.commit

        def once(*given):
            if broken.pop() if broken else False:
                raise StoreError("The disk is full.")
            return commit(*given)

        monkeypatch.setattr(saving, "commit", once)
        do(drawn_heart(quick), "save")
        return quick

    def test_is_tried_again_for_its_own_mask(self, failing) -> None:
        again = failing.state.message.remedy
        paint(failing, MORE)
        failing.controller.choose(again)
        failing.runner.settle()
        assert masks(failing) == {("film-0", "heart"): MaskStatus.DONE}
        assert failing.saved().read()[HERE].all()
        assert failing.state.work.dirty  # what was drawn since

    def test_what_is_discarded_is_not_tried_again(self, failing) -> None:
        failing.controller.step(1)
        failing.choose("Discard")
        failing.runner.settle()
        assert failing.state.work.image.id == "film-1"
        assert failing.state.message is None
        assert masks(failing) == {}


class TestStrokesOnTheDisk:
    def test_are_kept_in_the_next_project_too(self, quick, tmp_path) -> None:
        other = make_project(tmp_path / "other")
        drawn_heart(quick)
        quick.controller.close_project()
        quick.choose("Discard")
        quick.runner.settle()
        do(quick, "open_project", other)
        drawn_heart(quick)
        assert list(other.glob("journal/**/*.strokes"))

    @pytest.mark.parametrize("undone", [True, False])
    def test_go_with_what_was_given_up(self, quick, undone) -> None:
        drawn_heart(quick)
        assert kept(quick)
        if undone:
            quick.canvas.undo_stroke()
            do(quick, "step", 1)
        else:
            quick.controller.step(1)
            quick.choose("Discard")
            quick.runner.settle()
        assert quick.state.work.image.id == "film-1"
        assert not kept(quick)
        do(quick, "close_project")
        do(quick, "open_project", quick.path)
        assert quick.state.question is None

    def test_painting_back_what_is_saved_is_nothing_to_recover(self, quick) -> None:
        do(drawn_heart(quick), "save")
        paint(quick, MORE)
        assert kept(quick)
        assert quick.state.work.dirty
        quick.canvas.edit_annotation(quick.saved().read())
        quick.runner.settle()
        assert not kept(quick)
        assert not quick.state.work.dirty


class TestANewModel:
    def test_a_prompt_under_way_is_asked_of_it(self, answering, add_model) -> None:
        add_model(answering.project, "v2", answers=False)
        answering.controller.ask("left lung")
        answering.controller._parts._new_model()
        answering.runner.settle()
        assert answering.state.answer.prompt == "left lung"
