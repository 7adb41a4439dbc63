"""A project of many images opens by its first page; the rest follows meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from lgssl_napari import snapshot
from src_core.types import MaskStatus, Split


@pytest.fixture
def long_list(monkeypatch):
    """As if two images were a page."""
    monkeypatch.setattr(snapshot, "PAGE", 2)


def names(bench) -> list[str]:
    return [row.name for row in bench.state.project.images]


def test_the_first_page_is_shown_and_the_rest_follows(
    new_bench, project_path, long_list
) -> None:
    bench = new_bench()
    bench.runner.held = True
    bench.controller.open_project(project_path)
    while len(bench.runner.waiting) and bench.state.project is None:
        bench.runner.release()
    assert names(bench) == ["film 0", "film 1"]
    assert (bench.state.project.count, bench.state.project.listed) == (4, False)
    while bench.runner.waiting:
        bench.runner.release()
    assert names(bench) == ["film 0", "film 1", "film 2", "film 3"]
    assert bench.state.project.listed
    assert bench.state.work.position == 0


def test_the_first_untouched_image_opens_wherever_it_is(
    new_bench, project_path, long_list
) -> None:
    from src_core.store import Project

    with Project.open(project_path, mode="rw") as project:
        for image in ("film-0", "film-1"):
            mask = np.ones((24, 32), np.uint8)
            project.save_mask(image, "heart", mask, status=MaskStatus.DONE)
    bench = new_bench(project_path)
    assert bench.state.work.image.name == "film 2"
    assert bench.state.work.position == 2
    assert bench.state.work.reason == "nobody has labelled it yet"


def test_what_is_saved_while_the_rest_is_read_stays_marked(
    new_bench, project_path, long_list
) -> None:
    bench = new_bench()
    bench.runner.held = True
    bench.controller.open_project(project_path)
    while bench.state.project is None or bench.state.work.image is None:
        bench.runner.release()
    bench.controller._desk.mark("film-0", "heart", MaskStatus.DONE)
    while bench.runner.waiting:
        bench.runner.release()
    assert [row.finished for row in bench.state.project.images] == [1, 0, 0, 0]


def test_only_a_page_of_records_is_read(project_path, monkeypatch) -> None:
    from src_core.store import Project

    monkeypatch.setattr(snapshot, "PAGE", 2)
    with Project.open(project_path) as project:
        read = []
        image = project.image
        monkeypatch.setattr(
            project, "image", lambda name: read.append(name) or image(name)
        )
        monkeypatch.setattr(project, "images", None)
        state = snapshot.first_look(project)
    assert set(read) == {"film-0", "film-1"}
    assert [row.split for row in state.images] == [Split.TRAIN] * 2


def test_a_short_list_is_whole_at_once(bench) -> None:
    assert bench.state.project.listed
    assert bench.state.project.count == 4
