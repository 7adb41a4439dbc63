"""Saving: what reaches the ledger, and what is told where it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from lgssl_napari.saving import REVIEW
from lgssl_napari.state import Level
from src_core.errors import StoreError
from src_core.store import Project
from src_core.types import MaskStatus, SourceKind

BLOCK = (slice(4, 8), slice(4, 10))


@pytest.mark.parametrize(
    ("verb", "status", "pixels", "note"),
    [
        (lambda c: c.save(), MaskStatus.DONE, 24, ""),
        (lambda c: c.flag("is it the atrium?"), MaskStatus.FLAGGED, 24, "is it the"),
        (lambda c: c.flag(""), MaskStatus.FLAGGED, 24, REVIEW),
    ],
)
def test_a_drawing_is_saved_with_its_status(drawn, verb, status, pixels, note) -> None:
    verb(drawn.controller)
    mask = drawn.saved()
    assert (mask.status, mask.who) == (status, "ada")
    assert mask.read().sum() == pixels
    assert note in mask.note
    work = drawn.state.work
    assert (work.status, work.revision, work.dirty) == (status, mask.revision, False)
    assert work.history[0].source.kind is SourceKind.HUMAN
    row = drawn.state.project.images[0]
    assert row.finished == (1 if status is MaskStatus.DONE else 0)
    assert row.flagged == (status is MaskStatus.FLAGGED)
    assert drawn.state.message.text == f"Saved 'heart' as {status}."


@pytest.mark.parametrize("drawn_pixels", [True, False])
def test_empty_on_purpose_is_one_key_unless_something_is_drawn(
    bench, drawn_pixels
) -> None:
    bench.controller.open_next(False)
    bench.controller.ask("heart")
    if drawn_pixels:
        bench.canvas.paint(*BLOCK)
        bench.controller.mark_empty()
        assert bench.saved() is None
        assert "24 pixels are drawn" in bench.state.question.text
        bench.choose("Remove them")
    else:
        bench.controller.mark_empty()
    assert bench.saved().status is MaskStatus.EMPTY
    assert not bench.saved().read().any()
    assert not bench.canvas.drawn.any()
    assert not bench.state.work.dirty


def test_saving_nothing_asks_whether_it_is_not_there(bench) -> None:
    bench.controller.ask("heart")
    bench.controller.save()
    assert "it is not there?" in bench.state.question.text
    bench.choose("Go back")
    assert bench.saved() is None
    bench.controller.save()
    bench.choose("It is not there")
    assert bench.saved().status is MaskStatus.EMPTY


def test_what_nobody_has_named_cannot_be_saved_but_is_kept(bench) -> None:
    bench.canvas.paint(*BLOCK)
    bench.controller.save()
    assert "Say what this is first" in bench.state.message.text
    bench.controller.ask("heart")
    assert bench.canvas.drawn.sum() == 24
    bench.controller.open_next(False)
    bench.controller.save()
    assert bench.saved().read().sum() == 24


def test_a_correction_keeps_the_proposal_that_it_began_with(asked_bench) -> None:
    bench = asked_bench
    bench.controller.open_next(False)
    bench.controller.ask("left lung")
    bench.controller.accept()
    bench.canvas.paint(slice(2, 4), slice(3, 13), 0)
    bench.controller.save()
    done, proposed = bench.project.history(image="film-0", target="left-lung")
    assert (proposed.status, done.status) == (MaskStatus.PROPOSED, MaskStatus.DONE)
    assert (proposed.source.kind, done.source.kind) == (
        SourceKind.MODEL,
        SourceKind.HUMAN,
    )
    assert done.source.model == proposed.source.model == "v1"
    assert done.source.prompt == "left lung"
    assert done.parent == proposed.number
    image = bench.project.image("film-0")
    assert bench.project.read_mask(image, "left-lung", proposed.number).sum() == 80
    assert bench.saved(target="left-lung").read().sum() == 60
    bench.controller.save()
    assert len(bench.project.history(image="film-0", target="left-lung")) == 3


def test_a_persons_time_is_kept_without_long_pauses(bench) -> None:
    now = [0.0]
    watch = bench.controller._parts.annotating.watch
    watch._now = lambda: now[0]
    bench.controller.open_next(False)
    bench.controller.ask("heart")
    for pause in (10.0, 5.0, 3600.0):
        now[0] += pause
        bench.canvas.paint(*BLOCK)
    bench.controller.save()
    assert bench.state.work.history[0].seconds_spent == pytest.approx(75.0)


def test_two_who_change_one_mask_are_asked_which_stands(drawn, tmp_path) -> None:
    other = np.ones((24, 32), np.uint8)
    drawn.project.save_mask("film-0", "heart", other, status=MaskStatus.DONE)
    drawn.controller.save()
    assert "changed by somebody else" in drawn.state.question.text
    assert drawn.saved().read().sum() == other.sum()
    drawn.choose("Mine")
    assert drawn.saved().read().sum() == 24
    assert len(drawn.project.history(image="film-0", target="heart")) == 2


def test_the_mask_of_somebody_else_can_be_taken(drawn) -> None:
    other = np.ones((24, 32), np.uint8)
    drawn.project.save_mask("film-0", "heart", other, status=MaskStatus.DONE)
    drawn.controller.save()
    drawn.choose("Theirs")
    assert drawn.canvas.drawn.all()
    assert not drawn.controller.unsaved
    assert drawn.state.work.status is MaskStatus.DONE


def test_a_full_disk_loses_nothing_and_says_what_to_do(drawn, monkeypatch) -> None:
    whole = Project.save_mask

    def full(self, *arguments, **named):
        raise StoreError("The disk is full; free some space.")

    monkeypatch.setattr(Project, "save_mask", full)
    drawn.controller.save()
    assert drawn.state.message.level is Level.ERROR
    assert drawn.canvas.drawn.sum() == 24
    assert drawn.controller.unsaved
    monkeypatch.setattr(Project, "save_mask", whole)
    drawn.choose("Try again")
    assert drawn.saved().read().sum() == 24


def test_a_read_only_project_refuses_to_save_in_a_sentence(
    new_bench, project_path
) -> None:
    with Project.open(project_path, mode="rw"):
        bench = new_bench(project_path)
        bench.choose("Look without changing")
        bench.controller.ask("heart")
        bench.canvas.paint(*BLOCK)
        bench.controller.save()
        assert "open for reading only" in bench.state.message.text
        bench.controller.close()


def test_strokes_made_while_a_mask_is_saved_stay_unsaved(drawn) -> None:
    drawn.runner.held = True
    drawn.controller.save()
    drawn.canvas.paint(slice(0, 1), slice(0, 3))
    drawn.runner.held = False
    while drawn.runner.waiting:
        drawn.runner.release()
    assert drawn.saved().read().sum() == 24
    assert drawn.state.work.dirty
    drawn.controller.save()
    assert drawn.saved().read().sum() == 27
