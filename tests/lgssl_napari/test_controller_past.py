"""The history of the image at hand: looking back, and bringing back."""

from __future__ import annotations


def test_an_earlier_revision_is_shown_and_brought_back(drawn) -> None:
    drawn.controller.save()
    first = drawn.saved().revision
    drawn.canvas.paint(slice(0, 24), slice(0, 32))
    drawn.controller.save()
    drawn.controller.look_at(first)
    assert drawn.canvas.preview.sum() == 24
    assert drawn.state.work.looking_at == first
    assert drawn.canvas.drawn.all()
    drawn.controller.restore(first)
    assert drawn.canvas.drawn.sum() == 24
    assert drawn.saved().read().sum() == 24
    assert not drawn.controller.unsaved
    assert [r.what for r in drawn.state.work.history[:2]] == ["restore", "mask"]
    assert f"Revision {first} stands again" in drawn.state.message.text


def test_a_revision_without_a_mask_has_nothing_to_show(drawn) -> None:
    number = drawn.state.work.history[-1].number
    drawn.controller.look_at(number)
    assert drawn.canvas.preview is None
    assert "changed no mask" in drawn.state.message.text


def test_who_signed_off_is_named_also_where_nobody_typed_a_name(drawn) -> None:
    drawn.controller.save()
    drawn.controller.name_author("")
    drawn.project.who = "bob"
    drawn.controller.sign_off()
    assert drawn.state.message.text == "'heart' is signed off by bob."
    assert drawn.saved().reviewer == "bob"
