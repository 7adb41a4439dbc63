"""Closing the window, and killing it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("choice", "closes", "saves"),
    [("Save and close", True, True), ("Close", True, False), ("Stay", False, False)],
)
def test_closing_over_unsaved_work_asks(
    panel, project_path, wait, choice, closes, saves
) -> None:
    from qtpy.QtGui import QCloseEvent

    from lgssl_napari.panels.guard import CloseGuard
    from src_core.store import Project

    panel.controller.ask("heart")
    wait(lambda: panel.controller.state.answer is not None)
    panel._viewer.layers["heart"].paint((10, 10), 1)
    wait(lambda: panel.controller.state.work.dirty)
    asked, closed = [], []

    def ask(window, words, choices):
        asked.append((words, choices))
        return choice

    from qtpy.QtWidgets import QWidget

    window = QWidget(panel)  # napari's own is closed by its fixture
    guard = CloseGuard(window, panel.controller, ask)
    window.close = lambda: closed.append("by the guard")
    held_up = guard.eventFilter(window, QCloseEvent())
    assert asked == [
        ("'heart' in 'film 0' is not saved.", ("Save and close", "Close", "Stay"))
    ]
    if saves:
        wait(lambda: closed)
    assert (not held_up or bool(closed)) == closes
    with Project.open(project_path) as project:
        assert (project.mask("film-0", "heart") is not None) == saves


def test_closing_over_a_training_asks_and_without_either_does_not(panel) -> None:
    from dataclasses import replace

    from qtpy.QtGui import QCloseEvent
    from qtpy.QtWidgets import QWidget

    from lgssl_napari.panels.guard import CloseGuard

    asked = []

    def ask(window, words, choices):
        asked.append((words, choices))
        return choices[-1]

    window = QWidget(panel)
    guard = CloseGuard(window, panel.controller, ask)
    assert not guard.eventFilter(window, QCloseEvent())
    desk = panel.controller._desk
    desk.update(job=replace(desk.state.job, running=True))
    assert guard.eventFilter(window, QCloseEvent())
    desk.update(job=replace(desk.state.job, running=False))
    assert len(asked) == 1
    assert "A training is running" in asked[0][0]
    assert asked[0][1] == ("Close", "Stay")


def test_a_closed_window_lets_the_project_go(
    make_napari_viewer, project_path, wait, tmp_path
) -> None:
    from lgssl_napari.panel import SegmentByText
    from lgssl_napari.recent import Recent
    from src_core.store import Project

    viewer = make_napari_viewer()
    panel = SegmentByText(viewer, recent=Recent(tmp_path / "recent.json"))
    viewer.window.add_dock_widget(panel, area="right")
    controller = panel.controller
    controller.open_project(project_path)
    wait(lambda: controller.state.work.image is not None)
    viewer.window.remove_dock_widget(panel)
    panel.close()
    panel.deleteLater()
    del panel
    wait(lambda: controller._desk.project is None, 5)
    with Project.open(project_path, mode="rw") as project:
        assert project.name == "heart"


KILLED = """
import os, signal, sys, time
from pathlib import Path
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget
from lgssl_napari.app import open_window

viewer, panel = open_window(Path(sys.argv[1]))
verbs, app = panel.controller, QApplication.instance()

def until(check):
    while not check():
        app.processEvents()
        time.sleep(0.005)

until(lambda: verbs.state.work.image and not verbs.state.busy)
verbs.ask("heart")
until(lambda: verbs.state.work.target)
layer = viewer.layers.selection.active
layer.mode, layer.brush_size = "paint", 3
central = panel.window().centralWidget()
[canvas] = [
    child
    for child in central.findChildren(QWidget)
    if "CanvasBackend" in type(child).__name__
]
middle = QPoint(canvas.width() // 2, canvas.height() // 2)
QTest.mouseMove(canvas, middle)
QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
for move in range(8):
    QTest.mouseMove(canvas, middle + QPoint(8 * move, 0))
    QTest.qWait(100)
assert verbs.state.work.dirty and layer._staged_history  # not released
QTest.qWait(500)
print(int(layer.data.sum()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_window_killed_before_the_brush_is_lifted_keeps_the_stroke(
    project_path, tmp_path, new_bench
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    places = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    settings = dict.fromkeys(places, str(tmp_path)) | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(project_path)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -9, done.stderr
    bench = new_bench(project_path)
    assert "Strokes on 'heart' in 'film-0'" in bench.state.question.text
    bench.choose("Bring them back")
    drawn, kept = int(done.stdout), int(bench.canvas.drawn.sum())
    assert 0 < drawn / 2 < kept <= drawn
