"""Strokes and what becomes of them: hand-made corrections stay, undo starts afresh."""

from __future__ import annotations

import numpy as np
import pytest

from lgssl_napari.refine import INSIDE, OUTSIDE, REFINERS
from src_core.types import MaskStatus


@pytest.fixture
def drawn(bench):
    """A heart drawn too far to the right, and saved."""
    bench.controller.open_next(False)
    bench.controller.ask("heart")
    bench.canvas.paint(slice(6, 18), slice(6, 24))
    bench.controller.save()
    return bench


def test_each_stroke_refines_at_once_unless_told_not_to(drawn) -> None:
    drawn.controller.scribble(OUTSIDE)
    assert drawn.canvas.strokes_kind == OUTSIDE
    drawn.canvas.scribble(slice(10, 14), slice(20, 22), kind=OUTSIDE)
    assert not drawn.canvas.drawn[10:14, 20:22].any()
    assert drawn.canvas.drawn[6:18, 6:8].all()
    assert drawn.state.work.dirty
    drawn.canvas.undo_stroke()
    drawn.controller.refine_by("cut", False, False)
    drawn.canvas.scribble(slice(10, 14), slice(22, 23), kind=OUTSIDE)
    assert drawn.canvas.drawn[10:14, 20:23].all()
    drawn.controller.refine()
    assert not drawn.canvas.drawn[10:14, 20:23].any()


def test_pressing_a_kind_again_goes_back_to_painting(drawn) -> None:
    drawn.controller.scribble(INSIDE)
    drawn.controller.scribble(OUTSIDE)
    assert drawn.state.work.scribbling.kind == OUTSIDE
    drawn.controller.scribble(OUTSIDE)
    assert drawn.state.work.scribbling.kind == 0
    assert drawn.canvas.strokes_kind == 0


def test_what_was_painted_by_hand_survives_the_next_refinement(drawn) -> None:
    drawn.canvas.scribble(slice(10, 14), slice(20, 22), kind=OUTSIDE)
    drawn.canvas.paint(slice(0, 3), slice(0, 3))
    drawn.canvas.paint(slice(12, 13), slice(10, 12), value=0)
    drawn.canvas.scribble(slice(8, 9), slice(22, 23), kind=OUTSIDE)
    assert drawn.canvas.drawn[0:3, 0:3].all()
    assert not drawn.canvas.drawn[12, 10:12].any()
    assert not drawn.canvas.drawn[8, 22]


def test_a_refinement_that_was_undone_is_forgotten(drawn) -> None:
    before = drawn.canvas.annotation()
    drawn.canvas.scribble(slice(10, 14), slice(20, 22), kind=OUTSIDE)
    after = drawn.canvas.annotation()
    drawn.canvas.undo_stroke()
    np.testing.assert_array_equal(drawn.canvas.drawn, before)
    drawn.controller.refine()
    np.testing.assert_array_equal(drawn.canvas.drawn, after)


def test_strokes_without_a_model_and_a_mask_are_enough(bench) -> None:
    bench.controller.ask("heart")
    bench.canvas.scribble(slice(4, 8), slice(4, 12), kind=INSIDE)
    assert bench.canvas.drawn[4:8, 4:12].all()


def test_a_proposal_is_accepted_by_refining_it(asked_bench) -> None:
    asked_bench.controller.ask("left lung")
    assert asked_bench.state.answer.shown
    asked_bench.canvas.scribble(slice(3, 5), slice(4, 6), kind=OUTSIDE)
    assert asked_bench.state.answer is None
    assert asked_bench.canvas.drawn.any()
    assert not asked_bench.canvas.drawn[3:5, 4:6].any()
    asked_bench.controller.open_next(False)
    asked_bench.controller.save()
    statuses = [r.status for r in asked_bench.project.history(image="film-0")][:2]
    assert statuses == [MaskStatus.DONE, MaskStatus.PROPOSED]


def test_the_models_probability_is_used(asked_bench, monkeypatch) -> None:
    given = []
    monkeypatch.setattr(
        "lgssl_napari.refining.refined",
        lambda *arguments: given.append(arguments) or arguments[3],
    )
    asked_bench.controller.ask("left lung")
    asked_bench.canvas.scribble(slice(3, 5), slice(4, 6), kind=OUTSIDE)
    probability = given[0][2]
    assert probability.max() == pytest.approx(0.8)
    assert given[0][6] == "walker"


def test_refining_without_strokes_says_what_to_do(drawn) -> None:
    drawn.controller.refine()
    assert "Draw where it is inside" in drawn.state.message.text


@pytest.mark.parametrize("way", ["save", "clear_strokes", "another"])
def test_strokes_go_with_the_mask_that_they_were_for(drawn, way) -> None:
    drawn.controller.scribble(OUTSIDE)
    drawn.canvas.scribble(slice(10, 14), slice(20, 22), kind=OUTSIDE)
    if way == "another":
        drawn.controller._parts.saving.discard()
        drawn.controller.show_image("film-2")
    else:
        getattr(drawn.controller, way)()
    assert not drawn.canvas.drawn_strokes.any()
    assert drawn.state.work.scribbling.kind == 0


def test_the_way_of_refining_stays_from_image_to_image(drawn) -> None:
    drawn.controller.refine_by("cut", True, False)
    drawn.controller.show_image("film-2")
    chosen = drawn.state.work.scribbling
    assert (chosen.method, chosen.whole, chosen.at_each_stroke) == ("cut", True, False)


def test_strokes_drawn_meanwhile_are_taken_in_once_it_is_done(drawn) -> None:
    drawn.runner.held = True
    drawn.canvas.scribble(slice(10, 14), slice(20, 22), kind=OUTSIDE)
    drawn.canvas.scribble(slice(15, 17), slice(22, 24), kind=OUTSIDE)
    waiting = len(drawn.runner.waiting)
    drawn.runner.held = False
    for _ in range(waiting):
        drawn.runner.release()
    assert not drawn.canvas.drawn[10:14, 20:22].any()
    assert not drawn.canvas.drawn[15:17, 22:24].any()


def test_paint_that_came_meanwhile_is_not_lost(drawn) -> None:
    drawn.runner.held = True
    drawn.canvas.scribble(slice(10, 14), slice(20, 22), kind=OUTSIDE)
    drawn.canvas.paint(slice(0, 2), slice(0, 2))
    drawn.runner.held = False
    while drawn.runner.waiting:
        drawn.runner.release()
    assert drawn.canvas.drawn[0:2, 0:2].all()
    assert not drawn.canvas.drawn[10:14, 20:22].any()


def test_of_a_volume_only_the_visible_slice_is_refined(
    new_bench, tmp_path, monkeypatch
) -> None:
    from src_core.store import Project

    with Project.create(tmp_path / "volumes", who="ada") as project:
        volume = np.zeros((4, 24, 32), np.uint8)
        volume[:, 6:18, 6:20] = 200
        project.add_image(volume, name="scan", axes="zyx", spacing=(5.0, 1.0, 1.0))
        project.add_target("heart")
    bench = new_bench(tmp_path / "volumes")
    bench.controller.ask("heart")
    drawn = np.zeros((4, 24, 32), np.uint8)
    drawn[:, 6:18, 6:26] = 1
    bench.canvas.edit_annotation(drawn)
    bench.canvas.visible_plane = 2
    for whole, planes in ((False, [2]), (True, [0, 1, 2, 3])):
        bench.controller.refine_by("cut", whole, False)
        bench.canvas.drawn_strokes = np.zeros_like(drawn)
        bench.canvas.drawn_strokes[2, 8:16, 22:24] = OUTSIDE
        bench.controller.refine()
        changed = (bench.canvas.drawn != drawn).any(axis=(1, 2))
        assert np.flatnonzero(changed).tolist() == planes
        bench.canvas.undo_stroke()


def test_an_error_of_a_refinement_is_a_sentence_and_the_next_one_works(
    drawn, monkeypatch
) -> None:
    from src_core.errors import OutOfMemoryError

    good = drawn.controller._desk.helper.call

    def broken(*_):
        raise OutOfMemoryError("This needs more memory than there is.")

    monkeypatch.setattr(drawn.controller._desk.helper, "call", broken)
    drawn.canvas.scribble(slice(10, 14), slice(20, 22), kind=OUTSIDE)
    assert "more memory" in drawn.state.message.text
    monkeypatch.setattr(drawn.controller._desk.helper, "call", good)
    drawn.controller.refine()
    assert not drawn.canvas.drawn[10:14, 20:22].any()


def test_every_way_has_a_name_and_a_hint() -> None:
    assert len({refiner.label for refiner in REFINERS.values()}) == 2
    assert all(refiner.tip.endswith(".") for refiner in REFINERS.values())
