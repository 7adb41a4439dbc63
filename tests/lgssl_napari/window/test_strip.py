"""What the strip asks, tells and stops."""

from __future__ import annotations


def test_questions_are_answered_in_the_strip(panel, wait) -> None:
    panel.controller.ask("heart")
    wait(lambda: panel.controller.state.answer is not None)
    panel._viewer.layers["heart"].paint((10, 10), 1)
    wait(lambda: panel.controller.state.work.dirty)
    panel.images.after.click()
    assert panel.strip.words.text() == "?  'heart' in 'film 0' is not saved."
    assert [b.text() for b in panel.strip.buttons] == ["Save", "Discard", "Stay"]
    panel.strip.buttons[1].click()
    wait(lambda: panel.images.name.text() == "film 1")
    assert panel.strip.buttons == []


def test_errors_are_a_sentence_in_the_panel_and_in_napari(
    panel, tmp_path, wait, monkeypatch
) -> None:
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)
    panel.controller.open_project(tmp_path / "nothing")
    wait(lambda: told)
    assert "There is no project at" in told[0]
    assert panel.strip.words.text() == f"✘  {told[0]}"
    assert "Traceback" not in told[0]


def test_every_verb_of_a_button_is_safe(panel, monkeypatch) -> None:
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)

    def broken(*_):
        raise PermissionError("not yours")

    monkeypatch.setattr(panel.controller._parts.projects, "add", broken)
    panel.header.files_chosen.emit([tmp := "a.png"])
    assert tmp not in told[0]
    assert "PermissionError" in told[0]


def test_what_is_under_way_can_be_stopped(qtbot) -> None:
    from lgssl_napari.panels.strip import Strip
    from lgssl_napari.state import Choice, PanelState

    strip, pressed = Strip(), []
    qtbot.addWidget(strip.widget)
    strip.chosen.connect(lambda choice: choice.act())
    strip.show(PanelState(busy="Looking"))
    assert strip.stop.isHidden()
    strip.show(
        PanelState(busy="Looking", stop=Choice("Stop", lambda: pressed.append(1)))
    )
    assert not strip.stop.isHidden()
    strip.stop.click()
    assert pressed == [1]
    strip.show(PanelState())
    assert strip.stop.isHidden()
