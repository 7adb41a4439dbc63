"""Strokes on the disk: written behind the brush, and brought back."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np

from lgssl_napari.state import Level
from src_core.store import Project, StrokeJournal

BLOCK = (slice(4, 8), slice(4, 10))


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
    assert second.saved().read().sum() == 24
    assert StrokeJournal(second.project).pending() == []


def test_a_window_killed_in_the_middle_of_a_stroke_loses_none(
    new_bench, project_path
) -> None:
    window = """
import os, signal, sys
from pathlib import Path
from fakes import FakeCanvas, NowRunner
from lgssl_napari.controller import Controller
from lgssl_napari.recent import Recent
canvas, path = FakeCanvas(), Path(sys.argv[1])
controller = Controller(canvas, NowRunner(), recent=Recent(path / "recent"))
controller.open_project(path)
controller.ask("heart")
for column in range(6):
    canvas.paint(slice(0, 2), slice(column, column + 1))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", window, str(project_path)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
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


def test_a_journal_that_cannot_be_written_is_told(bench, monkeypatch) -> None:
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.controller.ask("heart")
    monkeypatch.setattr(StrokeJournal, "write", full)
    bench.canvas.paint(*BLOCK)
    assert bench.state.message.level is Level.ERROR
    assert bench.canvas.drawn.sum() == 24
