"""Prompts and answers: what is found, what is not, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lgssl_napari.state import Level

LEFT = (slice(2, 10), slice(3, 13))


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("left lung", "There is no model yet; draw it in a few images"),
        ("", "Type what to find"),
        ("   ", "Type what to find"),
    ],
)
def test_without_a_model_the_person_is_told_what_to_do(bench, prompt, says) -> None:
    bench.controller.ask(prompt)
    assert says in bench.state.message.text
    assert bench.canvas.preview is None


def test_without_a_model_a_known_target_can_be_drawn(bench) -> None:
    bench.controller.ask("  Cardiac   SHADOW ")
    assert bench.state.work.target.name == "heart"
    assert bench.canvas.name == "heart"


def test_without_a_model_new_words_become_a_target(bench) -> None:
    bench.controller.ask("aortic arch")
    assert "'aortic arch' is new" in bench.state.question.text
    bench.choose("Make it a target")
    assert bench.state.work.target.name == "aortic arch"
    assert "aortic arch" in [t.name for t in bench.project.targets()]


def test_what_is_found_arrives_in_the_preview_alone(asked_bench) -> None:
    asked_bench.controller.ask("left lung")
    answer, canvas = asked_bench.state.answer, asked_bench.canvas
    assert (answer.present, answer.version, answer.pixels) == (True, "v1", 80)
    assert answer.title == "Found: left lung"
    assert answer.shown
    assert canvas.preview.sum() == 80
    assert canvas.preview_name == "Proposal: left lung (v1)"
    assert not canvas.drawn.any()
    assert not asked_bench.state.work.dirty


def test_what_is_not_there_is_not_drawn_unless_asked_for(asked_bench) -> None:
    asked_bench.model.found = {}
    asked_bench.controller.ask("heart")
    answer = asked_bench.state.answer
    assert answer.title == "Not found: heart"
    assert answer.detail.startswith("Score 0.10 (below 0.50)")
    assert asked_bench.canvas.preview is None
    asked_bench.controller.accept()
    assert "no proposal to accept" in asked_bench.state.message.text
    asked_bench.controller.show_anyway()
    assert asked_bench.state.answer.shown
    assert asked_bench.canvas.preview is not None


@pytest.mark.parametrize(
    ("prompt", "target", "says"),
    [
        ("left lung", "left lung", ""),
        ("Lung on the left", "left lung", ""),
        ("right lung", "right lung", "Model v1 has not learned it yet."),
        ("the left lung", "left lung", "taken for 'left lung' (by 'lung on the left'"),
        ("xylophone", None, "No known target is like this"),
    ],
)
def test_a_wording_is_understood_or_not_and_says_so(
    asked_bench, prompt, target, says
) -> None:
    asked_bench.controller.ask(prompt)
    answer = asked_bench.state.answer
    assert (answer.target.name if answer.target else None) == target
    assert says in answer.understanding
    assert bool(answer.understanding) == bool(says)
    at_hand = asked_bench.state.work.target
    assert (at_hand.name if at_hand else None) == target


def test_a_near_wording_can_be_remembered_or_become_a_target(asked_bench) -> None:
    asked_bench.controller.ask("the left lung")
    asked_bench.controller.remember_wording()
    assert asked_bench.state.answer.is_known
    assert "the left lung" in asked_bench.project.target("left lung").prompts
    asked_bench.controller.ask("upper left lung")
    asked_bench.controller.new_target("upper left lung")
    assert asked_bench.state.work.target.name == "upper left lung"
    assert asked_bench.state.answer.understanding == "Model v1 has not learned it yet."


@pytest.mark.parametrize(("threshold", "pixels"), [(0.05, 768), (0.5, 80), (0.9, 0)])
def test_the_probability_can_be_cut_elsewhere(asked_bench, threshold, pixels) -> None:
    asked_bench.controller.ask("left lung")
    asked_bench.controller.cut(threshold)
    assert asked_bench.state.answer.pixels == pixels
    assert asked_bench.canvas.preview.sum() == pixels


def test_an_empty_annotation_takes_the_proposal_without_asking(asked_bench) -> None:
    asked_bench.controller.ask("left lung")
    asked_bench.controller.accept()
    expected = np.zeros((24, 32), np.uint8)
    expected[LEFT] = 1
    np.testing.assert_array_equal(asked_bench.canvas.drawn, expected)
    assert asked_bench.state.work.dirty
    assert asked_bench.state.answer is None
    assert asked_bench.canvas.preview is None


@pytest.mark.parametrize(
    ("choice", "pixels"), [("Merge", 80 + 20), ("Replace", 80), ("Keep mine", 30)]
)
def test_what_is_drawn_is_never_overwritten_unasked(
    asked_bench, choice, pixels
) -> None:
    asked_bench.controller.ask("left lung")
    asked_bench.canvas.paint(slice(9, 12), slice(3, 13))  # 30 pixels, 10 in both
    asked_bench.controller.accept()
    assert asked_bench.canvas.drawn.sum() == 30
    assert "30 pixels are drawn already" in asked_bench.state.question.text
    asked_bench.choose(choice)
    assert asked_bench.canvas.drawn.sum() == pixels
    assert asked_bench.state.question is None


def test_a_proposal_without_a_target_asks_what_it_is(asked_bench) -> None:
    asked_bench.model.found["xylophone"] = LEFT
    asked_bench.controller.ask("xylophone")
    asked_bench.controller.accept()
    assert not asked_bench.canvas.drawn.any()
    asked_bench.choose("Make it a target")
    assert asked_bench.state.work.target.name == "xylophone"
    asked_bench.controller.accept()
    assert asked_bench.canvas.drawn.sum() == 80


def test_an_answer_that_comes_too_late_is_dropped(asked_bench) -> None:
    asked_bench.runner.held = True
    asked_bench.controller.ask("heart")
    asked_bench.controller.ask("left lung")
    asked_bench.runner.held = False
    asked_bench.runner.release()
    assert asked_bench.state.answer is None
    asked_bench.runner.release()
    assert asked_bench.state.answer.prompt == "left lung"


def test_an_answer_about_another_image_is_dropped(asked_bench) -> None:
    asked_bench.runner.held = True
    asked_bench.controller.ask("left lung")
    asked_bench.runner.held = False
    asked_bench.controller.show_image("film-2")
    asked_bench.runner.release()
    assert asked_bench.state.answer is None
    assert asked_bench.canvas.preview is None


def test_another_prompt_does_not_lose_what_is_drawn(asked_bench) -> None:
    asked_bench.controller.ask("left lung")
    asked_bench.controller.accept()
    asked_bench.controller.ask("heart")
    assert asked_bench.state.question.text == "'left lung' in 'film 0' is not saved."
    asked_bench.choose("Stay")
    assert asked_bench.state.work.target.name == "left lung"
    assert asked_bench.canvas.drawn.sum() == 80


def test_a_model_that_cannot_be_loaded_is_a_sentence(new_bench, project_path) -> None:
    from src_core.errors import CorruptError

    def load(project, version):
        raise CorruptError("The weights are damaged; promote another version.")

    bench = new_bench(project_path, model=True, load=load)
    bench.controller.ask("heart")
    assert bench.state.message.level is Level.ERROR
    assert "promote another version" in bench.state.message.text
    assert bench.state.busy == ""


def test_the_model_is_loaded_once_for_a_version(new_bench, project_path) -> None:
    loaded = []
    bench = new_bench(project_path)
    stub = bench.model

    def load(project, version):
        loaded.append(version)
        return stub

    bench.controller.close_project()
    bench = new_bench(project_path, model=True, load=load)
    for prompt in ("heart", "left lung", "heart"):
        bench.controller.ask(prompt)
    assert loaded == ["v1"]


def test_an_image_without_a_finished_mask_is_asked_about_at_once(asked_bench) -> None:
    asked_bench.controller.ask("left lung")
    asked_bench.model.asked.clear()
    asked_bench.controller.step(1)
    assert asked_bench.state.work.image.name == "film 1"
    assert asked_bench.model.asked == ["left lung"]
    assert asked_bench.canvas.preview.sum() == 80


# ------------------------------------------------------------------- volumes
@pytest.fixture
def volume_bench(asked_bench):
    """The image at hand passes for a volume of one slice."""
    desk = asked_bench.controller._desk
    image = desk.state.work.image
    desk.update_work(image=replace(image, axes="zyx", shape=(1, *image.shape)))
    return asked_bench


def test_a_volume_says_which_slice_is_looked_at(volume_bench) -> None:
    heard, plain = [], volume_bench.model.predict

    def predict(*given, watch, **more):
        watch(2, 9)
        heard.append((volume_bench.state.busy, volume_bench.state.stop.label))
        return plain(*given, **more)

    volume_bench.model.predict = predict
    volume_bench.controller.ask("left lung")
    assert heard == [("Looking for 'left lung': slice 2 of 9", "Stop")]
    assert volume_bench.state.busy == ""
    assert volume_bench.state.stop is None
    assert volume_bench.state.answer.present


def test_looking_can_be_stopped_and_its_answer_is_not_shown(volume_bench) -> None:
    volume_bench.runner.held = True
    volume_bench.controller.ask("left lung")
    volume_bench.controller.choose(volume_bench.state.stop)
    assert "Stopped looking" in volume_bench.state.message.text
    volume_bench.runner.held = False
    volume_bench.runner.release()
    assert volume_bench.state.answer is None
    assert volume_bench.canvas.preview is None
    assert (volume_bench.state.busy, volume_bench.state.stop) == ("", None)


def test_a_picture_is_over_before_anybody_could_stop_it(asked_bench) -> None:
    asked_bench.runner.held = True
    asked_bench.controller.ask("left lung")
    assert asked_bench.state.busy == "Looking for 'left lung'"
    assert asked_bench.state.stop is None
