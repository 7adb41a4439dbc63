"""The panel's keys beside napari's own, and letters in a field."""

from __future__ import annotations

import numpy as np
import pytest


def test_no_key_is_one_of_naparis_own(make_napari_viewer) -> None:
    from napari._app_model import get_app_model
    from napari.settings import get_settings
    from qtpy.QtGui import QKeySequence

    from lgssl_napari.panels.keys import KEYS

    def plain(key: str) -> str:
        return QKeySequence(key).toString()

    taken = {
        plain(str(key))
        for keys in get_settings().shortcuts.shortcuts.values()
        for key in keys
    }
    assert len(taken) > 40
    make_napari_viewer()
    menus = {plain(str(key.keybinding)) for key in get_app_model().keybindings}
    assert {"Ctrl+O", "Ctrl+W"} <= menus
    taken |= menus
    ours = [plain(key) for key in KEYS.values()]
    assert all(ours)
    assert len(set(ours)) == len(ours)
    assert not set(ours) & taken


def test_every_key_is_printed_on_its_button(panel) -> None:
    from qtpy.QtWidgets import QAbstractButton

    from lgssl_napari.panels.keys import KEYS

    texts = [b.text() for b in panel.findChildren(QAbstractButton)]
    texts.append(panel.prompt.line.placeholderText())
    for verb, key in KEYS.items():
        assert any(f"[{key}]" in t or key in t.split() for t in texts), verb
    assert set(panel.shortcuts) == set(KEYS)


def test_keys_work_in_the_window_and_stay_letters_in_a_field(
    open_panel, asked_bench, project_path, qtbot, wait, answers_for
) -> None:
    from qtpy.QtCore import Qt

    asked_bench.controller.close()
    stub = asked_bench.model
    answers = answers_for(lambda project, version: stub, lambda *_: [])
    panel = open_panel(show=True, answers=answers)
    panel.controller.open_project(project_path)
    wait(lambda: panel.controller.state.work.image and not panel.controller.state.busy)
    panel.mask.follow.setChecked(False)
    window = panel.window()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=5000)
    qtbot.keyClick(window, Qt.Key.Key_Q)
    wait(panel.prompt.line.hasFocus, 5)
    qtbot.keyClicks(panel.prompt.line, "wkn0")
    assert panel.prompt.line.text() == "wkn0"
    panel.prompt.line.clear()
    qtbot.keyClicks(panel.prompt.line, "left lung")
    qtbot.keyClick(panel.prompt.line, Qt.Key.Key_Return)
    wait(lambda: panel.controller.state.answer is not None)
    qtbot.keyClick(window, Qt.Key.Key_H)
    assert panel.answer.heat.isChecked()
    qtbot.keyClick(window, Qt.Key.Key_K)
    wait(lambda: panel.controller.state.work.dirty)
    qtbot.keyClick(window, Qt.Key.Key_W)
    wait(lambda: panel.mask.status.text() == "Saved: done")
    qtbot.keyClick(window, Qt.Key.Key_P)  # napari's own: paint
    layer = panel._viewer.layers["left lung"]
    wait(lambda: str(layer.mode) == "paint", 5)


@pytest.fixture
def listens(panel, qtbot, wait) -> None:
    """The panel's window is seen, and listens to keys."""
    panel.window().show()
    panel.window().activateWindow()
    wait(lambda: panel.window().isActiveWindow(), 5)


def test_files_are_added_and_the_project_closed_by_keys(
    panel, listens, qtbot, wait, monkeypatch, tmp_path
) -> None:
    from PIL import Image
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QFileDialog

    picture = tmp_path / "new.png"
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(picture)
    monkeypatch.setattr(
        QFileDialog, "getOpenFileNames", lambda *_: ([str(picture)], "")
    )
    qtbot.keyClick(panel.window(), Qt.Key.Key_I, Qt.KeyboardModifier.ShiftModifier)
    wait(lambda: panel.images.all.text() == "All images (5)")
    qtbot.keyClick(panel.window(), Qt.Key.Key_F4)
    wait(lambda: panel.pages.currentIndex() == 0)
    assert panel.controller.state.project is None
    qtbot.keyClick(panel.window(), Qt.Key.Key_I, Qt.KeyboardModifier.ShiftModifier)
    assert panel.controller.state.question is None


def test_doubts_are_asked_for_by_a_key_where_their_page_is_seen(
    panel, listens, qtbot, wait
) -> None:
    from qtpy.QtCore import Qt

    asked = []
    panel.plan.doubts_wanted.connect(lambda: asked.append(panel.tabs.currentIndex()))
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(panel.window(), Qt.Key.Key_E, shift)
    panel.tabs.setCurrentIndex(3)
    qtbot.keyClick(panel.window(), Qt.Key.Key_E, shift)
    assert asked == [3]
    wait(lambda: panel.controller.state.doubted == ())
    assert panel.plan.none.isVisible()
