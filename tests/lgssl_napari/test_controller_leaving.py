"""Leaving an image or a project with something unsaved."""

from __future__ import annotations

import pytest

from src_core.store import StrokeJournal


@pytest.mark.parametrize(
    "way_out",
    [
        lambda c: c.show_image("film-1"),
        lambda c: c.step(1),
        lambda c: c.next_image(),
        lambda c: c.close_project(),
        lambda c: c.ask("left lung"),
    ],
)
def test_every_way_out_asks_first(drawn, way_out) -> None:
    way_out(drawn.controller)
    assert drawn.state.question.text == "'heart' in 'film 0' is not saved."
    assert drawn.state.work.image.name == "film 0"
    assert drawn.canvas.drawn.sum() == 24


@pytest.mark.parametrize(
    ("choice", "pixels", "image"),
    [("Save", 24, "film 1"), ("Discard", None, "film 1"), ("Stay", None, "film 0")],
)
def test_the_answer_to_unsaved_work(drawn, choice, pixels, image) -> None:
    drawn.controller.show_image("film-1")
    drawn.choose(choice)
    mask = drawn.saved()
    assert (None if mask is None else mask.read().sum()) == pixels
    assert drawn.state.work.image.name == image
    strokes = StrokeJournal(drawn.project).pending()
    assert bool(strokes) == (choice == "Stay")


def test_an_undo_that_napari_tells_nobody_of_is_noticed(drawn) -> None:
    drawn.canvas.paint(slice(0, 2), slice(0, 2))
    drawn.controller.save()
    assert not drawn.controller.unsaved
    drawn.canvas.undo_stroke()
    assert drawn.controller.unsaved
    drawn.controller.show_image("film-1")
    assert drawn.state.question is not None
