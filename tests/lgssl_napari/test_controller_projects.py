"""Opening, making and leaving projects."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lgssl_napari.state import Level
from src_core.store import Project
from src_core.types import MaskStatus


def test_opening_shows_the_first_image_that_nobody_has_labelled(
    new_bench, project_path
) -> None:
    with Project.open(project_path, mode="rw") as project:
        mask = np.ones((24, 32), np.uint8)
        project.save_mask("film-0", "heart", mask, status=MaskStatus.DONE)
    bench = new_bench(project_path)
    project, work = bench.state.project, bench.state.work
    assert (project.name, len(project.images)) == ("heart", 4)
    assert [target.name for target in project.targets] == [
        "heart",
        "left lung",
        "right lung",
    ]
    assert (work.image.name, work.position) == ("film 1", 1)
    assert work.reason == "nobody has labelled it yet"
    assert bench.canvas.picture.pixels.shape == (24, 32)
    assert project.counts == (1, 2)
    assert bench.state.recent == (project_path,)


@pytest.mark.parametrize(
    ("named", "sentence"),
    [("nothing here", "There is no project at"), ("broken", "not a")],
)
def test_what_cannot_be_opened_is_said_in_a_sentence(
    new_bench, tmp_path, named, sentence
) -> None:
    if named == "broken":
        (tmp_path / named).mkdir()
        (tmp_path / named / "ledger.sqlite").write_bytes(b"this is no database" * 100)
    bench = new_bench()
    bench.controller.open_project(tmp_path / named)
    assert bench.state.message.level is Level.ERROR
    assert sentence in bench.state.message.text
    assert bench.state.project is None
    assert bench.state.busy == ""


def test_a_project_open_elsewhere_can_be_looked_at(new_bench, project_path) -> None:
    with Project.open(project_path, mode="rw"):
        bench = new_bench(project_path)
        assert "open for writing by" in bench.state.message.text
        bench.choose("Look without changing")
        assert bench.state.project.read_only
        assert bench.state.work.image.name == "film 0"
        bench.controller.close()


@pytest.mark.parametrize("kind", ["project", "missing", "empty", "pictures"])
def test_a_folder_becomes_a_project_whatever_it_is(
    new_bench, project_path, tmp_path, kind
) -> None:
    folder = project_path if kind == "project" else tmp_path / "films"
    if kind in ("empty", "pictures"):
        folder.mkdir()
    if kind == "pictures":
        for number in range(3):
            pixels = np.full((20, 20), 10 * number, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    bench = new_bench()
    bench.controller.open_folder(folder)
    if kind == "pictures":
        assert "is not a project" in bench.state.question.text
        bench.choose("Make it")
        assert bench.state.project.path == tmp_path / "films project"
        assert bench.state.message.text == "3 images added."
    else:
        assert bench.state.project.path == folder
    images = {"project": 4, "missing": 0, "empty": 0, "pictures": 3}[kind]
    assert len(bench.state.project.images) == images


def test_dropped_files_ask_for_a_project_and_land_in_it(new_bench, tmp_path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no picture")
    bench = new_bench()
    bench.controller.add_files([folder / "a.png", folder / "b.png"])
    assert bench.state.project is None
    bench.choose("Make it")
    assert [row.name for row in bench.state.project.images] == ["a.png"]
    assert bench.state.message.level is Level.WARNING
    assert "1 file could not be used" in bench.state.message.text
    assert "'b.png'" in bench.state.message.text


def test_files_and_tables_are_taken_into_the_open_project(bench, tmp_path) -> None:
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(tmp_path / "new.png")
    Image.fromarray(255 * np.eye(20, dtype=np.uint8)).save(tmp_path / "mask.png")
    table = tmp_path / "table.csv"
    table.write_text(
        "image,mask,value,target,prompt,caption,group,split\n"
        "new.png,mask.png,,rib,rib bone,,,train\n"
    )
    at_hand = bench.state.work.image
    bench.controller.add_files([table])
    assert bench.state.message.text == "1 image added, 1 mask imported."
    assert "rib" in [target.name for target in bench.state.project.targets]
    assert bench.state.work.image == at_hand


def test_the_sample_is_made_once_and_then_opened(
    new_bench, tmp_path, monkeypatch
) -> None:
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(tmp_path / "a.png")
    table = tmp_path / "table.csv"
    table.write_text(
        "image,mask,value,target,prompt,caption,group,split\n"
        "a.png,,,heart,heart,,,train\n"
    )
    monkeypatch.setattr("sample_data.table_path", lambda: table)
    home = tmp_path / "deep" / "sample project"
    home.parent.mkdir()
    bench = new_bench()
    bench.controller.try_sample(home)
    assert (bench.state.project.name, len(bench.state.project.images)) == ("sample", 1)
    assert [p.name for p in home.parent.iterdir()] == ["sample project"]
    table.unlink()
    bench.controller.close_project()
    assert bench.state.project is None
    assert bench.state.recent == (home,)
    bench.controller.try_sample(home)
    assert len(bench.state.project.images) == 1


def test_a_damaged_model_does_not_keep_a_project_shut(
    new_bench, project_path, add_model
) -> None:
    with Project.open(project_path, mode="rw") as project:
        for version in ("v1", "v2", "v10"):
            add_model(project, version, answers=version == "v2")
        (project.models_dir / "v1" / "model.json").write_text('{"version": "v1"}')
    bench = new_bench(project_path)
    assert [row.version for row in bench.state.project.versions] == ["v10", "v2"]
    assert bench.state.project.version == "v2"


def test_results_for_a_project_that_was_left_are_dropped(
    bench, new_bench, tmp_path
) -> None:
    bench.runner.held = True
    bench.controller.show_image("film-1")
    bench.controller.close_project()
    bench.runner.release()
    assert bench.state.work.image is None
    assert bench.canvas.picture is None


def test_no_other_project_opens_over_a_training(bench, tmp_path) -> None:
    from dataclasses import replace

    running = replace(bench.state.job, running=True)
    bench.controller._desk.update(job=running)
    bench.controller.close_project()
    assert bench.state.project is not None
    assert "A training is running" in bench.state.message.text


def test_an_unexpected_error_is_a_sentence_and_a_log(new_bench, tmp_path) -> None:
    bench = new_bench(log=lambda error: tmp_path / "the log")
    bench.controller._desk.run(lambda: 1 / 0, lambda result: None)
    text = bench.state.message.text
    assert "ZeroDivisionError" in text
    assert "the log" in text
    assert "Traceback" not in text


def test_importing_the_panel_is_cheap() -> None:
    import subprocess

    code = (
        "import lgssl_napari.controller, sys;"
        "heavy = {'torch', 'napari', 'qtpy', 'zarr', 'matplotlib', 'distributed'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------ clinical files
@pytest.fixture
def film(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).integers(0, 99, (8, 7, 3, 5)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "film.nii")
    return tmp_path / "film.nii"


@pytest.mark.parametrize(
    ("choice", "more"), [("The first", 1), ("The middle one", 1), ("All", 5)]
)
def test_what_is_wanted_of_a_film_is_asked(
    new_bench, project_path, film, choice, more
) -> None:
    bench = new_bench(project_path)
    before = len(bench.state.project.images)
    bench.controller.add_files((film,))
    assert "a series in time of 5 pictures" in bench.state.question.text
    assert "--take" not in bench.state.message.text
    bench.choose(choice)
    assert bench.state.question is None
    assert len(bench.state.project.images) == before + more


def test_nothing_of_a_film_is_taken_unasked(new_bench, project_path, film) -> None:
    bench = new_bench(project_path)
    before = len(bench.state.project.images)
    bench.controller.add_files((film,))
    bench.choose("Nothing")
    assert len(bench.state.project.images) == before


def test_outlines_that_are_dropped_become_masks(
    new_bench, project_path, tmp_path
) -> None:
    shape = {"height": 24, "width": 32}
    about = {
        "images": [{"id": 1, "file_name": "film 1", **shape}],
        "categories": [{"id": 1, "name": "heart"}],
        "annotations": [
            {
                "image_id": 1,
                "category_id": 1,
                "segmentation": [[4, 3, 12, 3, 12, 9, 4, 9]],
            }
        ],
    }
    (tmp_path / "outlines.json").write_text(json.dumps(about))
    bench = new_bench(project_path)
    bench.controller.add_files((tmp_path / "outlines.json",))
    assert "1 mask imported" in bench.state.message.text
    bench.controller.close()
    with Project.open(project_path) as project:
        assert project.mask("film-1", "heart").read().sum() == 8 * 6


def test_an_import_can_be_stopped_and_goes_on(new_bench, project_path, tmp_path):
    folder = tmp_path / "more"
    folder.mkdir()
    for number in range(6):
        pixels = np.full((20, 20), 30 * number + 5, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    bench = new_bench(project_path)
    before = len(bench.state.project.images)

    def watch(state) -> None:
        if state.busy == "Taking images in: 2 of 6":
            bench.controller.choose(state.stop)

    bench.controller._desk.changed.connect(watch)
    bench.controller.add_files((folder,))
    assert bench.state.message.text.startswith("Stopped: 2 images added.")
    assert len(bench.state.project.images) == before + 2
    bench.controller._desk.changed.disconnect(watch)
    bench.controller.add_files((folder,))
    assert bench.state.message.text == "4 images added, 2 were there already."
    assert len(bench.state.project.images) == before + 6
