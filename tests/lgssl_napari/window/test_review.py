"""Asking somebody else to look, and being that somebody."""

from __future__ import annotations


def test_a_second_person_signs_off(panel, wait) -> None:
    panel.mask.follow.setChecked(False)
    panel.controller.ask("left lung")
    wait(lambda: panel.controller.state.answer is not None)
    panel.controller.accept()
    panel.controller.save()
    wait(lambda: panel.mask.status.text() == "Saved: done")
    review = panel.mask.review
    review.sign.click()
    wait(lambda: panel.controller.state.message.level == "error")
    assert "a second person has to" in panel.controller.state.message.text
    review.who.setText("eve")
    review.sign.click()
    wait(lambda: panel.mask.status.text() == "Saved: done, signed off by eve")
    assert not review.sign.isEnabled()
    assert panel.history.list.topLevelItem(0).text(3) == "left lung: signed off"
    assert panel.history.list.topLevelItem(0).text(2) == "eve"


def test_a_note_goes_with_a_flag(panel, wait) -> None:
    panel.mask.follow.setChecked(False)
    panel.controller.ask("heart")
    wait(lambda: panel.controller.state.answer is not None)
    panel.mask.review.note.setText("Is this the apex?")
    panel.mask.review.flag.click()
    wait(lambda: panel.mask.status.text() == "Saved: flagged")
    assert panel.controller.state.work.history[0].note == "Is this the apex?"
    assert panel.images.model.lines()[0].startswith("⚑")
