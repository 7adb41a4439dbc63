"""Taking files in while the person goes on working, or goes away."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from queued import QueuedRunner
from small_projects import make_project
from src_core.store import Project, StrokeJournal


@pytest.fixture
def films(tmp_path):
    """A folder of three pictures."""
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(3):
        pixels = np.full((20, 20), 30 * number + 5, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def bench(new_bench, project_path):
    """The heart of the first image is at hand."""
    made = new_bench(project_path, runner=QueuedRunner())
    made.runner.settle()
    made.controller.open_next(False)
    made.controller.ask("heart")
    made.runner.settle()
    return made


def count(path) -> int:
    with Project.open(path) as project:
        return len(project.image_ids())


def test_what_is_drawn_meanwhile_is_kept_and_saved(bench, films) -> None:
    bench.controller.add_files([films])
    bench.canvas.paint(slice(4, 8), slice(4, 10))
    bench.runner.settle("store")
    assert StrokeJournal(bench.project).pending()
    bench.controller.save()
    bench.runner.settle("store")
    assert bench.saved().read().sum() == 24
    bench.controller.step(1)
    bench.runner.settle("store")
    assert bench.state.work.image.name == "film 1"
    bench.runner.settle()
    assert len(bench.state.project.images) == 7


def test_the_way_to_stop_it_stays_on_the_screen(bench, films) -> None:
    bench.controller.add_files([films])
    bench.canvas.paint(slice(4, 8), slice(4, 10))
    bench.runner.deliver()
    bench.controller.save()
    assert bench.state.busy == "Taking files in"
    bench.controller.choose(bench.state.stop)
    bench.runner.settle()
    assert bench.state.busy == ""
    assert len(bench.state.project.images) == 4


def test_how_far_it_has_got_is_not_said_of_something_else(bench, films) -> None:
    bench.controller.add_files([films])
    bench.controller._desk.tell("Looking for 'heart': slice 2 of 9")
    bench.runner.deliver()
    assert bench.state.busy == "Taking files in"
    bench.runner.work("take")
    heard = []
    bench.controller.changed.connect(lambda state: heard.append(state.busy))
    bench.runner.deliver()
    assert "Taking images in: 1 of 3" in heard


@pytest.mark.parametrize("switch", [True, False])
def test_it_ends_with_its_project(bench, films, tmp_path, switch) -> None:
    other = make_project(tmp_path / "other", 2)
    bench.controller.add_files([films])
    if switch:
        bench.controller.open_project(other)
    else:
        bench.controller.close_project()
    bench.runner.settle("store")
    assert "Not all files were taken in" in bench.state.message.text
    bench.runner.settle()
    assert (bench.state.busy, bench.state.stop) == ("", None)
    assert bench.errors == []
    assert count(bench.path) == 4
    assert count(other) == 2


def test_a_project_is_not_closed_in_the_middle_of_a_picture(
    new_bench, project_path, films, monkeypatch
) -> None:
    import threading

    from lgssl_napari.lanes import ThreadRunner

    reached, go_on = threading.Event(), threading.Event()
    adopt = Project.add_staged

    def slowly(project, staged, **told):
        reached.set()
        go_on.wait(10)
        return adopt(project, staged, **told)

    monkeypatch.setattr(Project, "add_staged", slowly)
    arrived = []
    bench = new_bench(runner=ThreadRunner(arrived.append))

    def deliver(check) -> None:
        import time

        end = time.monotonic() + 20
        while not check() and time.monotonic() < end:
            while arrived:
                arrived.pop(0)()
            time.sleep(0.01)

    bench.controller.open_project(project_path)
    deliver(lambda: bench.state.work.image)
    bench.controller.add_files([films])
    assert reached.wait(20)
    bench.controller.close_project()
    bench.controller.open_project(project_path)
    go_on.set()
    deliver(lambda: bench.state.work.image)
    assert bench.errors == []
    assert len(bench.state.project.images) == 5


def test_the_project_that_was_left_need_not_wait_for_the_files_of_the_new_one(
    bench, films, monkeypatch
) -> None:
    adopt = Project.add_staged
    free = []

    def meanwhile(project, staged, **told):
        bench.runner.settle("store")
        with Project.open(bench.path, mode="rw") as left:
            free.append(not left.read_only)
        return adopt(project, staged, **told)

    monkeypatch.setattr(Project, "add_staged", meanwhile)
    bench.controller.open_folder(films)
    bench.choose("Make it")
    bench.runner.work("store")
    bench.runner.deliver()
    bench.runner.settle("take")
    assert free == [True] * 3
    bench.runner.settle()
    assert len(bench.state.project.images) == 3


def test_what_is_wanted_of_a_film_stays_asked_when_the_first_image_opens(
    new_bench, films
) -> None:
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).integers(0, 99, (8, 7, 3, 5)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), films / "film.nii")
    bench = new_bench(runner=QueuedRunner())
    bench.controller.open_folder(films)
    bench.choose("Make it")
    bench.runner.settle()
    assert bench.state.work.image is not None
    assert "a series in time of 5 pictures" in bench.state.question.text
    bench.choose("The first")
    bench.runner.settle()
    assert len(bench.state.project.images) == 4
