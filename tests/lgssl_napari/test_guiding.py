"""Where to look, skipping and pinning, and what the plan says of a project."""

from __future__ import annotations

import numpy as np
import pytest

from lgssl_napari.guide import Guide, Named, Where
from lgssl_napari.guiding import read_guide
from lgssl_napari.panels.plan import learning_line
from small_projects import make_project
from src_core.acquire import Pick
from src_core.errors import JobLostError
from src_core.rounds.survey import Limits, take_in_looks
from src_core.rounds.wishes import WishKind, wishes
from src_core.types import MaskStatus

HEAT = np.full((24, 32), 0.2, np.float32)
SAID = "Look first at the top of the picture."


@pytest.fixture
def guided(asked_bench, monkeypatch):
    """A bench whose model wavers in every image and doubts one mask."""
    answers = asked_bench.controller._parts.choosing._answers
    monkeypatch.setattr(
        answers, "where", lambda *_: Where(HEAT, 3, SAID), raising=False
    )
    doubted = (Named("film-1", "heart", "film 1", "less is 'heart' than is drawn"),)
    monkeypatch.setattr(answers, "doubted", lambda *_: doubted, raising=False)
    asked_bench.controller.ask("left lung")
    return asked_bench


class TestWhere:
    def test_it_is_shown_with_its_plane_and_in_words(self, guided) -> None:
        guided.controller.show_where(True)
        heat, plane = guided.canvas.disagreement
        np.testing.assert_array_equal(heat, HEAT)
        assert (plane, guided.state.work.where) == (3, SAID)
        guided.controller.show_where(False)
        assert (guided.canvas.disagreement, guided.state.work.where) == (None, "")

    def test_another_target_or_image_has_another(self, guided) -> None:
        guided.controller.show_where(True)
        guided.controller.ask("heart")
        assert (guided.canvas.disagreement, guided.state.work.where) == (None, "")
        guided.controller.show_where(True)
        guided.controller.show_image("film-2")
        assert (guided.canvas.disagreement, guided.state.work.where) == (None, "")

    def test_an_answer_that_comes_too_late_is_not_shown(self, guided) -> None:
        guided.runner.held = True
        guided.controller.show_where(True)
        guided.runner.held = False
        guided.controller.show_image("film-2")
        guided.runner.release()
        assert guided.canvas.disagreement is None
        assert guided.state.work.where == ""

    def test_without_a_target_or_a_model_it_says_so(self, bench) -> None:
        bench.controller.show_where(True)
        assert "say which target first" in bench.state.message.text
        bench.controller.ask("heart")
        bench.controller.show_where(True)
        assert "no model yet" in bench.state.message.text


class TestWishes:
    def test_a_skipped_image_is_left_and_can_be_taken_back(self, guided) -> None:
        guided.picks[:] = [Pick("film-2", "heart", 1.0, "unsure")]
        skipped = guided.state.work.image.id
        guided.controller.skip("blurred by motion")
        (wish,) = wishes(guided.project)
        assert (wish.image, wish.kind, wish.reason, wish.who) == (
            skipped,
            WishKind.SKIP,
            "blurred by motion",
            "ada",
        )
        assert guided.state.work.image.id == "film-2"
        assert "is not offered any more" in guided.state.message.text
        guided.choose("Take it back")
        assert wishes(guided.project) == []

    def test_to_skip_takes_a_reason(self, guided) -> None:
        here = guided.state.work.image.id
        guided.controller.skip("  ")
        assert "Say why this image is skipped" in guided.state.message.text
        assert guided.state.work.image.id == here
        assert wishes(guided.project) == []

    def test_a_pinned_image_stays_open(self, guided) -> None:
        here = guided.state.work.image.id
        guided.controller.pin()
        assert [(w.image, w.kind) for w in wishes(guided.project)] == [
            (here, WishKind.PIN)
        ]
        assert guided.state.work.image.id == here

    def test_what_is_read_only_takes_no_wish(self, guided, monkeypatch) -> None:
        monkeypatch.setattr(type(guided.project), "read_only", property(lambda _: True))
        guided.controller.pin()
        assert "reading only" in guided.state.message.text
        assert wishes(guided.project) == []


class TestPlan:
    def test_masks_in_doubt_are_listed_and_opened(self, guided) -> None:
        guided.controller.doubt()
        (found,) = guided.state.doubted
        guided.controller.open_for(found.image, found.target)
        work = guided.state.work
        assert (work.image.id, work.target.id) == ("film-1", "heart")

    def test_without_a_model_nothing_is_doubted(self, bench) -> None:
        bench.controller.doubt()
        assert bench.state.doubted is None
        assert "no model yet" in bench.state.message.text

    def test_the_curve_and_the_pool(self, guided, add_model) -> None:
        project = guided.project
        for number, dice in ((4, 0.5), (8, 0.7), (16, 0.8)):
            add_model(
                project,
                f"v{number}",
                labelled=number,
                validation={"heart": dice, "mean": dice},
            )
        # The same film, but for one pixel, under a second patient's name.
        pixels = np.array(project.pixels(project.image("film-0"))[...])
        pixels[0, 0] ^= 1
        project.add_image(pixels, name="copy", axes="yx", group="somebody else")
        take_in_looks(project, Limits())
        guided.controller.plan()
        guide = guided.state.guide
        assert "more images are expected to add" in guide.sentence
        assert (16.0, 0.8) in guide.points
        assert all(low <= mean <= high for _, mean, low, high in guide.curve)
        assert sum(int(group.words.split()[0]) for group in guide.groups) == 5
        (alike,) = guide.alike
        other = {"film 0": "copy", "copy": "film 0"}[alike.name]
        assert alike.words == f"another patient's: {other}"

    def test_another_project_has_another_plan(self, guided, tmp_path) -> None:
        guided.controller.plan()
        guided.controller.doubt()
        guided.controller.new_project(tmp_path / "other")
        state = guided.state
        assert (state.guide, state.doubted, state.looking) == (None, None, "")

    def test_before_any_label_it_says_what_to_do(self, project_path) -> None:
        guide = read_guide(project_path)
        assert guide.points == guide.curve == guide.alike == guide.groups == ()
        assert "No model has been measured yet" in guide.sentence


def test_the_curve_is_drawn_with_its_interval() -> None:
    guide = Guide("", ((8.0, 0.7), (4.0, 0.5)), ((4.0, 0.5, 0.4, 0.6),))
    line = learning_line(guide)
    assert line.points == ((4.0, 0.5), (8.0, 0.7))
    assert line.expected == ((4.0, 0.5),)
    assert line.band == ((4.0, 0.4, 0.6),)


# ---------------------------------------------------------------- the idle worker
class Pool:
    """An engine that looks at the pool, or fails to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stopped = self.closed = 0
        self.error: Exception | None = None
        self.during = lambda: None

    def submit(self, work, *arguments, on_event):
        self.asked.append(work.__name__)
        self.arguments, self.on_event = arguments, on_event
        return self

    def stop(self) -> None:
        self.stopped += 1

    def result(self):
        self.on_event({"kind": "looking", "text": "looks", "done": 3, "total": 4})
        self.during()
        if self.error is not None:
            raise self.error
        return {"looks": [4, 4], "survey": None}

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def idle(new_bench, project_path):
    pool = Pool()
    bench = new_bench(project_path, model=True, start_engine=lambda: pool)
    bench.pool = pool
    return bench


class TestIdle:
    def test_how_far_it_got_is_not_said_of_another_project(
        self, idle, tmp_path
    ) -> None:
        other = make_project(tmp_path / "other")
        idle.pool.during = lambda: idle.pool.on_event(
            {"kind": "looking", "text": "looks", "done": 4, "total": 4}
        )
        idle.runner.held = True
        idle.controller.idle()
        idle.runner.held = False
        idle.controller.open_project(other)
        idle.runner.release()
        assert idle.state.looking == ""

    def test_the_pool_is_looked_at_once_for_each_model(self, idle, add_model) -> None:
        said = []
        idle.pool.during = lambda: said.append(idle.state.looking)
        idle.controller.idle()
        idle.controller.idle()
        assert idle.pool.asked == ["look_job"]
        assert idle.pool.arguments == (str(project_of(idle)),)
        assert said == ["In the background: looks, 3 of 4."]
        assert idle.state.looking == ""
        add_model(idle.project, "v2")
        idle.controller._parts.projects.refresh()
        idle.controller.idle()
        assert idle.pool.asked == ["look_job", "look_job"]

    def test_a_model_that_answers_looks_at_the_pool_at_once(
        self, idle, add_model
    ) -> None:
        idle.controller.idle()
        add_model(idle.project, "v2")
        idle.controller._parts.projects.refresh()
        idle.controller.roll_back("v2")
        assert idle.pool.asked == ["look_job", "look_job"]

    def test_what_was_drawn_of_a_part_of_the_pool_is_drawn_anew(self, idle) -> None:
        films = ("film-1", "film-2", "film-3")
        idle.picks[:] = [Pick(film, "heart", 1.0, "of a part") for film in films]
        idle.controller.next_image()
        idle.picks[:] = [Pick(film, "heart", 1.0, "of all") for film in films]
        idle.controller.idle()
        idle.controller.next_image()
        work = idle.state.work
        assert (work.image.id, work.reason) == ("film-2", "of all")

    def test_a_training_comes_first(self, idle) -> None:
        mask = np.ones((24, 32), np.uint8)
        idle.project.save_mask("film-0", "heart", mask, status=MaskStatus.DONE)
        idle.controller._parts.projects.refresh()
        idle.pool.during = lambda: idle.controller._parts.looking.stop()
        idle.controller.idle()
        assert idle.pool.stopped == 1
        # What was cut short is gone on with.
        idle.pool.during = lambda: None
        idle.controller.idle()
        assert idle.pool.asked == ["look_job", "look_job"]

    def test_a_dead_worker_is_told_once_and_replaced(self, idle) -> None:
        idle.pool.error = JobLostError("The worker died.")
        idle.controller.idle()
        idle.controller.idle()
        assert "could not be looked at in the background" in idle.state.message.text
        assert (idle.pool.asked, idle.pool.closed) == (["look_job"], 1)

    def test_nothing_is_open_nothing_is_looked_at(self, new_bench) -> None:
        pool = Pool()
        new_bench(start_engine=lambda: pool).controller.idle()
        assert pool.asked == []


def project_of(bench):
    return bench.project.path
