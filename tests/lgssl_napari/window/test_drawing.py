"""Strokes of the mouse on napari's canvas while the window does something else."""

from __future__ import annotations

import threading

import pytest


@pytest.fixture
def slow_reading(panel, monkeypatch):
    """Reading an image waits for the event that is returned."""
    project, go_on = panel.controller._desk.project, threading.Event()
    read = project.pixels

    def pixels(image):
        assert go_on.wait(30)
        return read(image)

    monkeypatch.setattr(project, "pixels", pixels)
    return go_on


def drawn(panel) -> int:
    return int(panel.controller._desk.canvas.annotation().sum())


def test_a_stroke_is_not_cut_off_by_the_image_that_was_read_meanwhile(
    panel, brush, slow_reading, wait
) -> None:
    controller = panel.controller
    controller.show_image("film-1")
    brush.press()
    brush.move()
    assert controller._desk.canvas.held
    slow_reading.set()
    wait(lambda: not controller.state.busy)
    brush.move()
    before = drawn(panel)
    assert controller.state.work.image.name == "film 0"
    brush.lift()
    wait(lambda: controller.state.question)
    assert controller.state.question.text == "'heart' in 'film 0' is not saved."
    assert drawn(panel) == before > 0
    assert len(panel._viewer.layers["heart"]._undo_history) == 1
    panel.strip.buttons[0].click()
    wait(lambda: panel.images.name.text() == "film 1")
    assert drawn(panel) == 0
    saved = controller._desk.project.mask("film-0", "heart")
    assert int(saved.read().sum()) == before


def test_an_image_comes_when_the_button_was_held_for_nothing(
    panel, brush, slow_reading, wait
) -> None:
    panel._viewer.layers["heart"].mode = "pan_zoom"
    panel.controller.show_image("film-1")
    brush.press()
    brush.move()
    slow_reading.set()
    wait(lambda: not panel.controller.state.busy)
    assert panel.images.name.text() == "film 0"
    brush.lift()
    wait(lambda: panel.images.name.text() == "film 1")
    assert panel.controller.state.question is None
