"""The panel's keys beside napari's own, and letters in a field."""

from __future__ import annotations


def test_no_key_is_one_of_naparis_own() -> None:
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
