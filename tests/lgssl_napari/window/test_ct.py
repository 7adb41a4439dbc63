"""CT in the panel: a choice of the window, where there is one to make."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def scan(open_panel, tmp_path, wait):
    """A panel with one slice of CT; the rib is at hand."""
    from src_core.store import Project

    with Project.create(tmp_path / "scans", who="ada") as project:
        pixels = np.linspace(-1000, 2000, 24 * 32).reshape(24, 32).astype(np.int16)
        project.add_image(pixels, name="slice", axes="yx", modality="CT")
        project.add_target("third rib", ("third rib",))
    panel = open_panel()
    panel.controller.open_project(tmp_path / "scans")
    wait(lambda: panel.controller.state.work.image and not panel.controller.state.busy)
    panel.controller.ask("third rib")
    wait(lambda: panel.controller.state.work.target)
    return panel


def test_the_window_is_chosen_in_the_panel_and_seen_in_the_canvas(scan, wait) -> None:
    window, image = scan.mask.window, scan._viewer.layers["slice"]
    assert window.native.isVisibleTo(scan)
    assert window.current_choice == "By its name: bone"
    assert tuple(image.contrast_limits) == (-450.0, 1050.0)
    window.value = "brain"
    wait(lambda: tuple(image.contrast_limits) == (0.0, 80.0))
    assert scan.controller._desk.project.target("third-rib").window == "brain"
    assert window.current_choice == "Brain"
    window.value = ""
    wait(lambda: tuple(image.contrast_limits) == (-450.0, 1050.0))


def test_there_is_none_to_choose_for_what_is_no_ct(panel) -> None:
    panel.controller.ask("heart")
    assert not panel.mask.window.native.isVisibleTo(panel)
