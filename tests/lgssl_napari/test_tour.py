"""The tour of the first run: each step is left by doing it."""

from __future__ import annotations

import pytest

from lgssl_napari.tour import STEPS


@pytest.fixture
def first_run(new_bench, tmp_path, project_path):
    """A bench whose tour nobody has seen, with a project on the disk."""
    (tmp_path / "tour-seen").unlink()
    bench = new_bench()
    bench.controller.start()
    bench.controller.open_next(False)
    bench.path = project_path
    return bench


def test_there_are_five_short_steps() -> None:
    assert len(STEPS) == 5
    assert all(len(step.text) < 190 for step in STEPS)


def test_each_step_is_left_by_doing_it(first_run, tmp_path) -> None:
    verbs = first_run.controller
    assert first_run.state.tour == 1
    verbs.open_project(first_run.path)
    assert first_run.state.tour == 2
    verbs.ask("heart")
    assert first_run.state.tour == 3
    first_run.canvas.paint(slice(0, 9), slice(0, 9))
    assert first_run.state.tour == 4
    verbs.save()
    assert first_run.state.tour == 5
    desk = verbs._desk
    from dataclasses import replace

    desk.update(job=replace(desk.state.job, running=True))
    assert first_run.state.tour == 0
    desk.update(job=replace(desk.state.job, running=False))
    assert (tmp_path / "tour-seen").exists()


def test_it_is_shown_once(first_run, new_bench) -> None:
    first_run.controller.tour.leave()
    assert first_run.state.tour == 0
    again = new_bench()
    again.controller.start()
    assert again.state.tour == 0
    again.controller.tour.begin()
    assert again.state.tour == 1


def test_steps_can_be_passed_over(first_run) -> None:
    for step in range(1, len(STEPS)):
        assert first_run.state.tour == step
        first_run.controller.tour.next()
    first_run.controller.tour.next()
    assert first_run.state.tour == 0


def test_a_settings_folder_that_cannot_be_written_is_no_trouble(
    first_run, monkeypatch
) -> None:
    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    first_run.controller.tour.leave()
    assert first_run.state.tour == 0
    assert first_run.state.message is None
