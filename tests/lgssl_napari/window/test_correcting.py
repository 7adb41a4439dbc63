"""Correcting a mask in the window and saving it, and its history."""

from __future__ import annotations

import numpy as np


def test_ask_accept_correct_and_save(panel, qtbot, wait) -> None:
    from qtpy.QtCore import Qt

    panel.mask.follow.setChecked(False)
    qtbot.keyClicks(panel.prompt.line, "left lung")
    qtbot.keyClick(panel.prompt.line, Qt.Key.Key_Return)
    wait(lambda: panel.controller.state.answer is not None)
    assert panel.answer.title.text() == "✔  Found: left lung"
    assert not panel.answer.anyway.isVisibleTo(panel)
    panel.answer.accept.click()
    layers = panel._viewer.layers
    assert int((layers["left lung"].data != 0).sum()) == 80
    layers["left lung"].paint((20, 20), 1)
    wait(lambda: panel.mask.status.text() == "● Unsaved changes")
    drawn = int((layers["left lung"].data != 0).sum())
    panel.mask.save.click()
    wait(lambda: panel.mask.status.text() == "Saved: done")
    project = panel.controller._desk.project
    assert project.mask("film-0", "left-lung").read().sum() == drawn
    assert panel.history.list.topLevelItem(0).text(3) == "left lung: done"
    assert panel.history.list.topLevelItem(1).text(3) == "left lung: proposed"
    assert panel.images.model.lines()[0].startswith("◐")


def test_strokes_refine_the_mask_in_the_window(panel, qtbot, wait) -> None:
    panel.mask.follow.setChecked(False)
    panel.controller.ask("left lung")
    wait(lambda: panel.controller.state.answer is not None)
    panel.mask.strokes.outside.click()
    assert panel.mask.strokes.outside.isChecked()
    layers = panel._viewer.layers
    wait(lambda: layers.selection.active.name == "Strokes")
    layers["Strokes"].paint((4, 5), 2)
    wait(lambda: layers["left lung"].data.any() and not layers["left lung"].data[4, 5])
    panel.mask.strokes.method.value = "cut"
    panel.mask.strokes.each.value = False
    chosen = panel.controller.state.work.scribbling
    assert (chosen.method, chosen.at_each_stroke) == ("cut", False)
    panel.mask.strokes.outside.click()
    assert not panel.mask.strokes.outside.isChecked()
    wait(lambda: layers.selection.active.name == "left lung")
    assert not panel.mask.strokes.whole.visible


def test_the_other_targets_are_shown_beside(panel, wait) -> None:
    from src_core.types import MaskStatus

    project = panel.controller._desk.project
    mask = np.zeros((24, 32), np.uint8)
    mask[3:9, 20:28] = 1
    project.save_mask("film-0", "heart", mask, status=MaskStatus.DONE)
    panel.controller._desk.mark("film-0", "heart", MaskStatus.DONE)
    panel.mask.others.setChecked(True)
    layers = panel._viewer.layers
    wait(lambda: "Other masks" in layers and layers["Other masks"].visible)
    assert int((layers["Other masks"].data != 0).sum()) == 48
    panel.mask.others.setChecked(False)
    assert not layers["Other masks"].visible


def test_history_is_looked_at_and_brought_back(panel, wait) -> None:
    panel.mask.follow.setChecked(False)
    panel.controller.ask("left lung")
    wait(lambda: panel.controller.state.answer is not None)
    panel.controller.accept()
    panel.controller.save()
    wait(lambda: panel.mask.status.text() == "Saved: done")
    panel.history.list.setCurrentItem(panel.history.list.topLevelItem(1))
    assert "from model v1 for 'left lung'" in panel.history.detail.text()
    number = panel.history._current().number
    panel.history.look.click()
    wait(lambda: panel.controller.state.work.looking_at == number)
    panel.history.restore.click()
    wait(lambda: panel.mask.status.text() == "Saved: proposed")
