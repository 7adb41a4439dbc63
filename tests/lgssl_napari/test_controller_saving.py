"""Saving: what reaches the ledger, and that nothing unsaved is lost."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lgssl_napari.saving import REVIEW
from lgssl_napari.state import Level
from src_core.errors import StoreError
from src_core.store import Project, StrokeJournal
from src_core.types import MaskStatus, SourceKind

BLOCK = (slice(4, 8), slice(4, 10))


@pytest.fixture
def drawn(bench):
    """The heart, drawn by hand and not saved."""
    bench.controller.open_next(False)
    bench.controller.ask("heart")
    bench.canvas.paint(*BLOCK)
    return bench


def saved(bench, image: str = "film-0", target: str = "heart"):
    return bench.project.mask(image, target)


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
    mask = saved(drawn)
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
        assert saved(bench) is None
        assert "24 pixels are drawn" in bench.state.question.text
        bench.choose("Remove them")
    else:
        bench.controller.mark_empty()
    assert saved(bench).status is MaskStatus.EMPTY
    assert not saved(bench).read().any()
    assert not bench.canvas.drawn.any()
    assert not bench.state.work.dirty


def test_saving_nothing_asks_whether_it_is_not_there(bench) -> None:
    bench.controller.ask("heart")
    bench.controller.save()
    assert "it is not there?" in bench.state.question.text
    bench.choose("Go back")
    assert saved(bench) is None
    bench.controller.save()
    bench.choose("It is not there")
    assert saved(bench).status is MaskStatus.EMPTY


def test_what_nobody_has_named_cannot_be_saved_but_is_kept(bench) -> None:
    bench.canvas.paint(*BLOCK)
    bench.controller.save()
    assert "Say what this is first" in bench.state.message.text
    bench.controller.ask("heart")
    assert bench.canvas.drawn.sum() == 24
    bench.controller.open_next(False)
    bench.controller.save()
    assert saved(bench).read().sum() == 24


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
    assert saved(bench, target="left-lung").read().sum() == 60
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
    mask = saved(drawn)
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


def test_two_who_change_one_mask_are_asked_which_stands(drawn, tmp_path) -> None:
    other = np.ones((24, 32), np.uint8)
    drawn.project.save_mask("film-0", "heart", other, status=MaskStatus.DONE)
    drawn.controller.save()
    assert "changed by somebody else" in drawn.state.question.text
    assert saved(drawn).read().sum() == other.sum()
    drawn.choose("Mine")
    assert saved(drawn).read().sum() == 24
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
    assert saved(drawn).read().sum() == 24


def test_a_journal_that_cannot_be_written_is_told(bench, monkeypatch) -> None:
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.controller.ask("heart")
    monkeypatch.setattr(StrokeJournal, "write", full)
    bench.canvas.paint(*BLOCK)
    assert bench.state.message.level is Level.ERROR
    assert bench.canvas.drawn.sum() == 24


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


# --------------------------------------------------------------------- strokes
def test_strokes_of_a_window_that_died_are_offered_again(
    new_bench, project_path
) -> None:
    first = new_bench(project_path)
    first.controller.ask("heart")
    first.canvas.paint(*BLOCK)
    first.controller.close()

    second = new_bench(project_path)
    assert "Strokes on 'heart' in 'film-0' were never saved." in (
        second.state.question.text
    )
    second.choose("Bring them back")
    assert second.state.work.image.name == "film 0"
    assert second.state.work.target.name == "heart"
    assert second.canvas.drawn.sum() == 24
    assert second.state.work.dirty
    second.controller.open_next(False)
    second.controller.save()
    assert saved(second).read().sum() == 24
    assert StrokeJournal(second.project).pending() == []


def test_a_window_killed_in_the_middle_of_a_stroke_loses_none(
    new_bench, project_path
) -> None:
    window = """
import os, runpy, signal, sys
from pathlib import Path
from lgssl_napari.controller import Controller
from lgssl_napari.recent import Recent
fakes = runpy.run_path(sys.argv[1])
canvas = fakes["FakeCanvas"]()
path = Path(sys.argv[2])
controller = Controller(canvas, fakes["NowRunner"](), recent=Recent(path / "recent"))
controller.open_project(path)
controller.ask("heart")
for column in range(6):
    canvas.paint(slice(0, 2), slice(column, column + 1))
os.kill(os.getpid(), signal.SIGKILL)
"""
    fakes = Path(__file__).with_name("conftest.py")
    done = subprocess.run(
        [sys.executable, "-c", window, str(fakes), str(project_path)],
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == -9
    bench = new_bench(project_path)
    bench.choose("Bring them back")
    assert bench.canvas.drawn.sum() == 12


def test_a_long_stroke_is_kept_before_it_is_done(bench, monkeypatch) -> None:
    from lgssl_napari import annotating

    now = [100.0]
    monkeypatch.setattr(annotating.time, "monotonic", lambda: now[0])
    bench.controller.ask("heart")
    kept = []
    for column in range(5):
        now[0] += 0.2
        bench.canvas.drawn[0, column] = 1
        bench.canvas.drawing.emit()
        journal = StrokeJournal(bench.project)
        kept.append(journal.read("film-0", "heart").sum() if journal.pending() else 0)
    assert kept == [1, 1, 1, 4, 4]


def test_strokes_can_be_forgotten_one_mask_after_the_other(
    new_bench, project_path
) -> None:
    with Project.open(project_path, mode="rw") as project:
        for target in ("heart", "left-lung"):
            mask = np.ones((24, 32), np.uint8)
            StrokeJournal(project).write("film-1", target, mask)
    bench = new_bench(project_path)
    assert "1 more masks have some" in bench.state.question.text
    bench.choose("Forget them")
    assert bench.state.question is not None
    bench.choose("Forget them")
    assert bench.state.question is None
    assert StrokeJournal(bench.project).pending() == []


def test_a_slow_disk_is_never_more_than_one_write_behind(bench) -> None:
    bench.controller.ask("heart")
    bench.runner.held = True
    for column in range(5):
        bench.canvas.paint(slice(0, 1), slice(column, column + 1))
    assert len(bench.runner.waiting) == 1
    bench.runner.release()
    assert len(bench.runner.waiting) == 1
    bench.runner.held = False
    bench.runner.release()
    assert bench.runner.waiting == []
    assert StrokeJournal(bench.project).read("film-0", "heart").sum() == 5


def test_strokes_made_while_a_mask_is_saved_stay_unsaved(drawn) -> None:
    drawn.runner.held = True
    drawn.controller.save()
    drawn.canvas.paint(slice(0, 1), slice(0, 3))
    drawn.runner.held = False
    while drawn.runner.waiting:
        drawn.runner.release()
    assert saved(drawn).read().sum() == 24
    assert drawn.state.work.dirty
    drawn.controller.save()
    assert saved(drawn).read().sum() == 27


# ----------------------------------------------------------------- corrections
@pytest.mark.parametrize(
    ("edit", "before", "after"), [("fill", 12, 16), ("largest", 12, 12)]
)
def test_a_correction_is_one_undoable_step(bench, edit, before, after) -> None:
    bench.controller.ask("heart")
    ring = np.zeros((24, 32), np.uint8)
    ring[4:8, 4:8] = 1
    ring[5:7, 5:7] = 0
    bench.canvas.edit_annotation(ring)
    assert bench.canvas.drawn.sum() == before
    bench.controller.edit(edit)
    assert bench.canvas.drawn.sum() == after
    if before == after:
        assert "nothing to change" in bench.state.message.text
    else:
        bench.canvas.undo_stroke()
        assert bench.canvas.drawn.sum() == before


def test_a_correction_does_not_undo_a_stroke_made_meanwhile(drawn) -> None:
    drawn.runner.held = True
    drawn.controller.edit("smooth")
    correcting = drawn.runner.waiting.pop()
    drawn.runner.held = False
    drawn.canvas.paint(slice(0, 1), slice(0, 3))
    correcting()
    assert drawn.canvas.drawn.sum() == 27
    assert "changed meanwhile" in drawn.state.message.text


# --------------------------------------------------------------------- history
def test_an_earlier_revision_is_shown_and_brought_back(drawn) -> None:
    drawn.controller.save()
    first = saved(drawn).revision
    drawn.canvas.paint(slice(0, 24), slice(0, 32))
    drawn.controller.save()
    drawn.controller.look_at(first)
    assert drawn.canvas.preview.sum() == 24
    assert drawn.state.work.looking_at == first
    assert drawn.canvas.drawn.all()
    drawn.controller.restore(first)
    assert drawn.canvas.drawn.sum() == 24
    assert saved(drawn).read().sum() == 24
    assert not drawn.controller.unsaved
    assert [r.what for r in drawn.state.work.history[:2]] == ["restore", "mask"]
    assert f"Revision {first} stands again" in drawn.state.message.text


def test_a_revision_without_a_mask_has_nothing_to_show(drawn) -> None:
    number = drawn.state.work.history[-1].number
    drawn.controller.look_at(number)
    assert drawn.canvas.preview is None
    assert "changed no mask" in drawn.state.message.text
