"""A prompt typed in the window, and what can be done with the answer."""

from __future__ import annotations

import pytest


def test_known_targets_are_completed_as_one_types(panel) -> None:
    completer = panel.prompt.line.completer()
    completer.setCompletionPrefix("LUN")
    found = {
        completer.completionModel().index(row, 0).data()
        for row in range(completer.completionCount())
    }
    assert found == {"left lung", "right lung", "lung on the left"}


def test_not_found_can_be_shown_all_the_same(panel, wait) -> None:
    panel.controller.ask("heart")
    wait(lambda: panel.controller.state.answer is not None)
    assert panel.answer.title.text() == "✘  Not found: heart"
    assert not panel.answer.accept.isVisibleTo(panel)
    panel.answer.anyway.click()
    assert panel.answer.accept.isVisibleTo(panel)
    panel.answer.slider.setValue(0.06)
    assert panel.controller.state.answer.cut == pytest.approx(0.06)
    assert panel.controller.state.answer.pixels == 24 * 32


def test_an_unknown_wording_offers_to_become_a_target(panel, wait) -> None:
    panel.controller.ask("xylophone")
    wait(lambda: panel.controller.state.answer is not None)
    assert "No known target is like this" in panel.answer.understanding.text()
    panel.answer.new.click()
    wait(lambda: panel.mask.title.text() == "Annotation: xylophone")
    panel.controller.ask("the left lung")
    wait(lambda: "taken for" in panel.answer.understanding.text())
    panel.answer.keep.click()
    wait(lambda: not panel.answer.understanding.isVisibleTo(panel))


@pytest.mark.parametrize(
    ("orientation", "told"),
    [
        ("", "Left and right are those of the picture."),
        ("SPL", "Left and right are the patient's."),
        ("PS", "It shows the patient from one side."),
    ],
)
def test_the_prompt_says_whose_left_and_right(qtbot, orientation, told) -> None:
    from lgssl_napari.panels.prompt import PromptPanel
    from lgssl_napari.state import PanelState, WorkState
    from src_core.types import Image

    prompt = PromptPanel()
    qtbot.addWidget(prompt.widget)
    axes = "zyx" if len(orientation) == 3 else "yx"
    shape = (2,) * len(axes)
    image = Image(
        "a", "a", "", axes, shape, "uint8", (1.0,) * len(axes), orientation=orientation
    )
    prompt.show(PanelState(work=WorkState(image=image)))
    assert prompt.sides.text() == told
    assert prompt.line.toolTip().endswith(prompt.sides.toolTip())
    prompt.show(PanelState())
    assert not prompt.sides.text()
