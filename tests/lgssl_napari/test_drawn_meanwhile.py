"""Strokes that are painted while something is read, and the picture they are on."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.store import Project, StrokeJournal
from src_core.types import MaskStatus

STROKE = (slice(0, 2), slice(0, 3))


@pytest.fixture
def at_hand(bench):
    """The heart of the first image is at hand, and nothing is drawn."""
    bench.controller.open_next(False)
    bench.controller.ask("heart")
    return bench


def hold(bench, verb) -> None:
    """Begin something, and let what it reads wait."""
    bench.runner.held = True
    verb(bench.controller)
    bench.runner.held = False


def arrive(bench) -> None:
    """Let everything arrive that waits."""
    while bench.runner.waiting:
        bench.runner.release()


def saved(bench, image: str = "film-0", target: str = "heart"):
    mask = bench.project.mask(image, target)
    return None if mask is None else int(mask.read().sum())


WAYS = [
    lambda c: c.show_image("film-1"),
    lambda c: c.step(1),
    lambda c: c.ask("left lung"),
    lambda c: c.open_for("film-0", "left-lung"),
]


@pytest.mark.parametrize("way", WAYS)
def test_strokes_painted_while_it_is_read_are_asked_about(at_hand, way) -> None:
    hold(at_hand, way)
    at_hand.canvas.paint(*STROKE)
    arrive(at_hand)
    assert at_hand.state.question.text == "'heart' in 'film 0' is not saved."
    assert at_hand.canvas.drawn.sum() == 6
    assert at_hand.canvas.picture.image.name == "film 0"
    assert at_hand.state.work.target.name == "heart"


@pytest.mark.parametrize("way", WAYS)
def test_a_stroke_in_the_hand_is_waited_for(at_hand, way) -> None:
    hold(at_hand, way)
    at_hand.canvas.held = True
    arrive(at_hand)
    assert at_hand.state.question is None
    assert at_hand.state.work.target.name == "heart"
    at_hand.canvas.paint(*STROKE)
    at_hand.canvas.release()
    assert at_hand.state.question.text == "'heart' in 'film 0' is not saved."
    assert at_hand.canvas.drawn.sum() == 6


@pytest.mark.parametrize("way", WAYS)
def test_a_button_held_for_nothing_only_delays(at_hand, way) -> None:
    hold(at_hand, way)
    at_hand.canvas.held = True
    arrive(at_hand)
    at_hand.canvas.release()
    work = at_hand.state.work
    assert (work.image.name, work.target.name) != ("film 0", "heart")
    assert at_hand.state.question is None


@pytest.mark.parametrize(
    ("choice", "pixels", "image"),
    [("Save", 6, "film 1"), ("Discard", None, "film 1"), ("Stay", None, "film 0")],
)
def test_the_answer_decides_about_both(at_hand, choice, pixels, image) -> None:
    hold(at_hand, lambda c: c.show_image("film-1"))
    at_hand.canvas.paint(*STROKE)
    arrive(at_hand)
    at_hand.choose(choice)
    assert saved(at_hand) == pixels
    assert at_hand.state.work.image.name == image
    assert at_hand.canvas.drawn.sum() == (6 if choice == "Stay" else 0)
    assert bool(StrokeJournal(at_hand.project).pending()) == (choice == "Stay")


def test_what_is_saved_meanwhile_is_what_is_shown(at_hand) -> None:
    hold(at_hand, lambda c: c.open_for("film-0", "heart"))
    at_hand.canvas.paint(*STROKE)
    arrive(at_hand)
    at_hand.choose("Save")
    assert at_hand.canvas.drawn.sum() == 6
    assert at_hand.state.work.status is MaskStatus.DONE
    assert at_hand.state.work.history[0].status is MaskStatus.DONE
    assert not at_hand.controller.unsaved


def test_an_answered_question_does_not_undo_a_later_wish(at_hand) -> None:
    hold(at_hand, lambda c: c.show_image("film-1"))
    at_hand.canvas.held = True
    arrive(at_hand)
    at_hand.controller.show_image("film-2")
    at_hand.canvas.release()
    assert at_hand.state.work.image.name == "film 2"


def test_another_project_is_not_given_the_image_of_the_last(at_hand, tmp_path) -> None:
    hold(at_hand, lambda c: c.show_image("film-1"))
    at_hand.canvas.held = True
    arrive(at_hand)
    at_hand.controller.close_project()
    Project.create(tmp_path / "other").close()
    at_hand.controller.open_project(tmp_path / "other")
    at_hand.canvas.release()
    assert at_hand.state.work.image is None
    assert at_hand.errors == []


def test_nameless_strokes_come_along_with_those_painted_meanwhile(bench) -> None:
    bench.canvas.paint(slice(4, 6), slice(4, 6))
    hold(bench, lambda c: c.ask("heart"))
    bench.canvas.held = True
    arrive(bench)
    bench.canvas.paint(*STROKE)
    bench.canvas.release()
    assert bench.state.work.target.name == "heart"
    assert bench.canvas.drawn.sum() == 10
    assert bench.state.question is None


def test_strokes_of_no_name_are_not_given_to_two_targets(bench) -> None:
    bench.canvas.paint(*STROKE)
    hold(bench, lambda c: (c.ask("heart"), c.ask("left lung")))
    arrive(bench)
    assert bench.state.work.target.name == "heart"
    assert bench.state.question.text == "'heart' in 'film 0' is not saved."


def test_a_proposal_waits_for_the_answer_about_what_was_painted(asked_bench) -> None:
    bench = asked_bench
    bench.controller.ask("heart")
    hold(bench, lambda c: c.ask("left lung"))
    bench.canvas.paint(*STROKE)
    arrive(bench)
    assert bench.state.question.text == "'heart' in 'film 0' is not saved."
    assert bench.canvas.preview is None
    bench.choose("Stay")
    bench.controller.show_anyway()  # of the heart, which the last answer is about
    assert bench.canvas.preview_name == "Proposal: heart (v1)"
    assert bench.canvas.preview.sum() in (0, bench.canvas.preview.size)


def test_a_revision_brought_back_takes_no_new_stroke_away(at_hand) -> None:
    at_hand.canvas.paint(slice(4, 6), slice(4, 6))
    at_hand.controller.save()
    first = at_hand.state.work.revision
    hold(at_hand, lambda c: c.restore(first))
    at_hand.canvas.paint(*STROKE)
    arrive(at_hand)
    assert at_hand.canvas.drawn.sum() == 10
    assert at_hand.state.question.text == "'heart' in 'film 0' is not saved."
    at_hand.choose("Discard")
    assert at_hand.canvas.drawn.sum() == 4


def test_theirs_drops_what_was_drawn_and_not_what_comes_after(at_hand) -> None:
    at_hand.canvas.paint(slice(4, 6), slice(4, 6))
    other = np.ones((24, 32), np.uint8)
    at_hand.project.save_mask("film-0", "heart", other, status=MaskStatus.DONE)
    at_hand.controller.save()
    hold(at_hand, lambda _: at_hand.choose("Theirs"))
    at_hand.canvas.paint(*STROKE)
    arrive(at_hand)
    assert at_hand.canvas.drawn.sum() == 10
    assert at_hand.state.question.text == "'heart' in 'film 0' is not saved."
