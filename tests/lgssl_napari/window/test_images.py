"""The list of images, and why one is next."""

from __future__ import annotations

import pytest


def test_the_list_filters_and_opens(panel, wait) -> None:
    panel.images.filter.setText("film 2")
    assert panel.images.model.rowCount() == 1
    panel.images.list.clicked.emit(panel.images.model.index(0))
    wait(lambda: panel.images.name.text() == "film 2")
    assert panel.images.place.text() == "3 of 4"


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        ("All", ["film 0", "film 1", "film 2", "film 3"]),
        ("To do", ["film 1", "film 2", "film 3"]),
        ("Finished", ["film 0"]),
        ("Flagged for review", ["film 2"]),
    ],
)
def test_the_list_shows_what_a_reviewer_looks_for(panel, kind, listed) -> None:
    from src_core.types import MaskStatus

    desk = panel.controller._desk
    for target in ("left-lung", "right-lung", "heart"):
        desk.mark("film-0", target, MaskStatus.DONE)
    desk.mark("film-2", "heart", MaskStatus.FLAGGED)
    panel.images.kind.setCurrentText(kind)
    assert [line[3:].split("   ")[0] for line in panel.images.model.lines()] == listed


def test_the_next_image_says_why(panel, wait) -> None:
    from src_core.acquire import Pick

    panel.picks[:] = [Pick("film-2", "left-lung", 1.0, "the outline is unsure")]
    panel.mask.next.click()
    wait(lambda: panel.images.name.text() == "film 2")
    assert panel.images.reason.text() == "Why this one: the outline is unsure."
    wait(lambda: panel.answer.title.text() == "✔  Found: left lung")
    assert panel.prompt.line.text() == "left lung"
