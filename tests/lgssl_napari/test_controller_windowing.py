"""The window of CT, chosen for the target at hand."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.store import Project


@pytest.fixture
def scan(new_bench, tmp_path):
    """A project with one slice of CT; the rib is at hand."""
    with Project.create(tmp_path / "scans", who="ada") as project:
        pixels = np.linspace(-1000, 2000, 24 * 32).reshape(24, 32).astype(np.int16)
        project.add_image(pixels, name="slice", axes="yx", modality="CT")
        for name in ("third rib", "left lung"):
            project.add_target(name, (name,))
    bench = new_bench(tmp_path / "scans")
    bench.controller.ask("third rib")
    return bench


def test_an_image_comes_in_the_window_of_its_targets_words(scan) -> None:
    assert scan.canvas.window == "bone"
    scan.controller.ask("left lung")
    assert scan.canvas.window == "lung"


def test_a_chosen_window_is_shown_kept_and_in_the_history(scan) -> None:
    scan.controller.choose_window("brain")
    assert scan.canvas.window == "brain"
    assert scan.state.work.target.window == "brain"
    assert scan.project.target("third-rib").window == "brain"
    assert "brain window" in scan.state.message.text
    change = scan.project.history()[0]
    assert (change.what, change.target, change.who) == ("target", "third-rib", "ada")
    scan.controller.ask("left lung")
    scan.controller.ask("third rib")
    assert scan.canvas.window == "brain"


def test_the_words_decide_again_when_that_is_chosen(scan) -> None:
    scan.controller.choose_window("brain")
    scan.controller.choose_window("")
    assert scan.canvas.window == "bone"
    assert scan.project.target("third-rib").window == ""
    position = scan.project.position
    scan.controller.choose_window("")  # as it is: nothing to write
    assert scan.project.position == position


def test_without_a_target_there_is_no_window_to_choose(bench) -> None:
    before = bench.project.position
    bench.controller.choose_window("bone")
    assert bench.project.position == before


def test_strokes_not_saved_yet_are_not_touched(scan) -> None:
    scan.canvas.paint(slice(0, 2), slice(0, 3))
    scan.controller.choose_window("brain")
    assert scan.canvas.drawn.sum() == 6
    assert scan.controller.unsaved
