"""A panel in a real napari window, with threads as in use."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
NO_SCREEN = (
    sys.platform.startswith("linux")
    and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    and os.environ.get("QT_QPA_PLATFORM") != "offscreen"
)
if importlib.util.find_spec("napari") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what opens a window, and skip it where there is no screen."""
    reason = "no screen: run under xvfb-run, or with QT_QPA_PLATFORM=offscreen"
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.gui)
            item.add_marker(pytest.mark.skipif(NO_SCREEN, reason=reason))


@pytest.fixture
def open_panel(make_napari_viewer, tmp_path, qtbot):
    """Makes a window with the panel; closes its project and threads in the end."""
    from lgssl_napari.panel import SegmentByText
    from lgssl_napari.recent import Recent

    made = []

    def make(show: bool = False, **seams):
        viewer = make_napari_viewer(show=show)
        tour_file = tmp_path / "tour-seen"
        tour_file.touch()
        files = {"recent": Recent(tmp_path / "recent.json"), "tour_file": tour_file}
        seams = {"who": "ada", "log": lambda error: tmp_path / "log"} | files | seams
        panel = SegmentByText(viewer, **seams)
        viewer.window.add_dock_widget(panel, name="Segment by text", area="right")
        made.append(panel)
        return panel

    yield make
    for panel in made:
        # The window of a test that failed must not ask whether to save when it closes.
        panel.controller._parts.saving.discard()
        panel.controller.close()


@pytest.fixture
def wait(qtbot):
    """Waits until something is so."""

    def until(check, seconds: float = 30.0) -> None:
        qtbot.waitUntil(lambda: bool(check()), timeout=int(1000 * seconds))

    return until


@pytest.fixture
def panel(open_panel, project_path, wait, asked_bench, answers_for):
    """A panel with the project open and a model that finds the left lung."""
    from lgssl_napari.helper import HelperThread

    asked_bench.controller.close()  # only its model and its project are wanted
    stub = asked_bench.model
    made = open_panel(
        answers=answers_for(
            lambda project, version: stub,
            lambda project, version, count: list(asked_bench.picks),
        ),
        helper=HelperThread(),
    )
    made.stub, made.picks = stub, asked_bench.picks
    made.controller.open_project(project_path)
    wait(lambda: made.controller.state.work.image and not made.controller.state.busy)
    return made


@pytest.fixture
def judged(panel, add_model, wait):
    """A panel with two versions, and what the second changed."""
    from src_core.rounds import Comparison, Pair, Verdict
    from src_core.rounds.comparison import write_comparison
    from src_core.types import MaskStatus

    project = panel.controller._desk.project
    add_model(project, "v2")
    pairs = (Pair("film-3", "left-lung", 0.5, 0.9), Pair("film-3", "heart", 0.8, 0.7))
    verdict = Verdict(True, "Promoted: Dice 0.650 before, 0.800 now.", 0.65, 0.8)
    write_comparison(project.models_dir / "v2", Comparison("v2", "v1", verdict, pairs))
    mask = np.zeros((24, 32), np.uint8)
    mask[2:10, 3:8] = 1
    project.save_mask(
        "film-3", "left-lung", mask, status=MaskStatus.DONE, seconds_spent=90.0
    )
    panel.controller._parts.projects.refresh()
    wait(lambda: panel.judge.versions.topLevelItemCount() == 2)
    return panel


class Brush:
    """A hand on the mouse, over napari's canvas."""

    def __init__(self, panel) -> None:
        from qtpy.QtCore import QPoint
        from qtpy.QtWidgets import QWidget

        central = panel.window().centralWidget()
        [self.canvas] = [
            child
            for child in central.findChildren(QWidget)
            if "CanvasBackend" in type(child).__name__
        ]
        self.at = QPoint(self.canvas.width() // 2, self.canvas.height() // 2)

    def press(self) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseMove(self.canvas, self.at)
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, pos=self.at)

    def move(self, by: int = 30) -> None:
        from qtpy.QtCore import QPoint
        from qtpy.QtTest import QTest

        self.at += QPoint(by, 0)
        QTest.mouseMove(self.canvas, self.at)
        QTest.qWait(20)

    def lift(self) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, pos=self.at)


@pytest.fixture
def brush(panel, wait):
    """The annotation's brush in a person's hand, in a window that is seen."""
    panel.window().show()
    panel.controller.ask("heart")
    wait(lambda: panel.controller.state.work.target and not panel.controller.state.busy)
    layer = panel._viewer.layers["heart"]
    layer.mode, layer.brush_size = "paint", 3
    return Brush(panel)
