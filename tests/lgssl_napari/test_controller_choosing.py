"""The next image: in the strategy's order, with its reason, none twice in a row."""

from __future__ import annotations

import pytest

from queued import QueuedRunner
from src_core.acquire import Pick
from src_core.rounds.wishes import skip
from src_core.types import MaskStatus


def pick(image: str, target: str, reason: str = "unsure") -> Pick:
    return Pick(image, target, 1.0, reason)


def at_hand(bench) -> tuple[str, str]:
    work = bench.state.work
    return work.image.id, work.target.id if work.target else ""


def test_the_next_image_opens_with_its_reason_and_its_answer(asked_bench) -> None:
    asked_bench.picks[:] = [pick("film-2", "left-lung", "the outline is unsure")]
    asked_bench.controller.next_image()
    assert at_hand(asked_bench) == ("film-2", "left-lung")
    assert asked_bench.state.work.reason == "the outline is unsure"
    assert asked_bench.state.answer.title == "Found: left lung"


def test_the_time_it_takes_is_said_once_it_is_known(asked_bench) -> None:
    asked_bench.picks[:] = [Pick("film-2", "heart", 1.0, "unsure", 38.4)]
    asked_bench.controller.next_image()
    assert asked_bench.state.work.reason == "unsure (about 38 s of work)"


def test_picks_are_drawn_ahead_and_skipped_ones_come_back_last(asked_bench) -> None:
    drawn = []

    def choose(project, model, count):
        drawn.append(count)
        return [pick(image, "heart") for image in ("film-0", "film-1", "film-2")]

    asked_bench.controller._parts.choosing._answers.picks = choose
    seen = []
    for _ in range(4):
        asked_bench.controller.next_image()
        seen.append(at_hand(asked_bench)[0])
    assert seen == ["film-0", "film-1", "film-2", "film-0"]
    assert len(drawn) == 2


def test_what_was_finished_meanwhile_is_not_offered(asked_bench) -> None:
    asked_bench.picks[:] = [pick("film-1", "heart"), pick("film-2", "heart")]
    asked_bench.controller.open_next(False)
    asked_bench.controller.next_image()
    assert at_hand(asked_bench) == ("film-1", "heart")
    asked_bench.controller.show_image("film-2")
    asked_bench.controller.mark_empty()
    asked_bench.controller.next_image()
    assert "film-2" not in at_hand(asked_bench)


def test_saving_opens_the_next_image_unless_told_not_to(asked_bench) -> None:
    asked_bench.picks[:] = [pick("film-1", "heart"), pick("film-2", "heart")]
    asked_bench.controller.ask("heart")
    asked_bench.controller.mark_empty()
    assert at_hand(asked_bench) == ("film-1", "heart")
    asked_bench.controller.open_next(False)
    asked_bench.controller.mark_empty()
    assert at_hand(asked_bench) == ("film-1", "heart")
    assert asked_bench.state.work.status is MaskStatus.EMPTY


def test_when_all_is_labelled_it_says_so(asked_bench) -> None:
    project = asked_bench.project
    for image in ("film-0", "film-1", "film-2"):
        for target in ("heart", "left-lung", "right-lung"):
            project.save_mask(image, target, None, status=MaskStatus.EMPTY)
    asked_bench.controller.next_image()
    said = asked_bench.state.message.text
    assert said == "Every training image is labelled for every target."


def test_when_all_that_is_open_was_skipped_it_says_so(asked_bench) -> None:
    project = asked_bench.project
    for target in ("heart", "left-lung", "right-lung"):
        project.save_mask("film-0", target, None, status=MaskStatus.EMPTY)
    for image in ("film-1", "film-2"):
        skip(project, image, "blurred")
    asked_bench.controller.next_image()
    assert "was skipped (2 images)" in asked_bench.state.message.text


def test_where_there_are_no_images_nothing_is_called_labelled(
    new_bench, tmp_path
) -> None:
    bench = new_bench()
    bench.controller.new_project(tmp_path / "empty")
    bench.controller.next_image()
    assert "no images in the project yet" in bench.state.message.text


@pytest.fixture
def queued(new_bench, project_path):
    """A model that picks the third image, in the order of the real window."""
    made = new_bench(project_path, model=True, runner=QueuedRunner())
    made.runner.settle()
    made.picks[:] = [pick("film-2", "heart")]
    return made


def test_an_image_that_is_opened_meanwhile_is_not_replaced(queued) -> None:
    queued.controller.next_image()
    queued.controller.show_image("film-1")
    queued.runner.settle()
    assert queued.state.work.image.id == "film-1"
    assert queued.state.busy == ""
    queued.controller.next_image()
    queued.runner.settle()
    assert queued.state.work.image.id == "film-2"


def test_who_stays_gets_the_image_that_was_chosen(queued) -> None:
    queued.controller.next_image()
    queued.canvas.paint(slice(0, 2), slice(0, 2))
    queued.controller.show_image("film-1")
    queued.choose("Stay")
    queued.runner.settle()
    queued.choose("Discard")
    queued.runner.settle()
    assert queued.state.work.image.id == "film-2"


def test_without_a_model_the_target_at_hand_stays(bench) -> None:
    bench.picks[:] = [pick("film-2", "right-lung", "by chance")]
    bench.controller.ask("heart")
    bench.controller.next_image()
    assert at_hand(bench) == ("film-2", "heart")
    assert bench.state.work.reason == "by chance"


@pytest.mark.parametrize(
    ("start", "by", "end", "says"),
    [
        ("film-1", 1, "film-2", ""),
        ("film-1", -1, "film-0", ""),
        ("film-0", -1, "film-0", "This is the first image."),
        ("film-3", 1, "film-3", "This is the last image."),
    ],
)
def test_stepping_through_the_list(bench, start, by, end, says) -> None:
    bench.controller.show_image(start)
    bench.controller.step(by)
    assert at_hand(bench)[0] == end
    assert says == "" or bench.state.message.text == says


def test_a_project_without_images_has_no_next_one(new_bench, tmp_path) -> None:
    bench = new_bench()
    bench.controller.new_project(tmp_path / "empty")
    bench.controller.step(1)
    bench.controller.next_image()
    assert bench.state.work.image is None


def test_the_core_picks_by_chance_without_a_model(bench) -> None:
    from lgssl_napari.models import Answerer

    picks = Answerer().picks(bench.project, None, 3)
    assert len(picks) == 3
    assert all("there is no model yet" in p.reason for p in picks)
