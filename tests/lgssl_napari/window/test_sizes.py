"""The panel on a small screen."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("size", [(1366, 768)])
def test_the_panel_fits_a_small_screen(panel, size) -> None:
    width, height = size
    hint = panel.minimumSizeHint()
    assert hint.width() <= width * 0.3
    assert hint.height() <= height - 120  # menus, title and status bar of napari


def test_no_page_is_wider_than_the_panel_whatever_it_shows(panel, wait) -> None:
    from dataclasses import replace

    from qtpy.QtWidgets import QStyle

    from lgssl_napari.panel import WIDTH
    from lgssl_napari.panels.parts import GAP
    from lgssl_napari.results import Changed, Judgement
    from src_core.rounds import RoundEffort

    sections = (panel.mask.corrections, panel.mask.strokes.widget)
    for section in (*sections, panel.mask.review.widget, panel.images.all):
        section.expand(animate=False)
    panel.controller.ask("the left lung")
    wait(lambda: panel.controller.state.answer is not None)
    panel.controller.show_anyway()
    desk = panel.controller._desk
    long_name = "a name of an image that goes on and on.nii.gz"
    changed = Changed(long_name, "t", "left ventricle cavity", 0.1, 0.9)
    targets = (("left ventricle cavity", 0.1, 0.9),)
    efforts = (RoundEffort(1, "v12", 20, 30, 60.0, 10, 0.7),)
    judged = Judgement("v12", "v11", "Promoted.", targets, (changed,), efforts)
    desk.update(judgement=judged, tour=2)
    desk.update(job=replace(desk.state.job, dice=((1.0, 0.5),), note="Memory ran out."))
    bar = panel.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
    room, areas = WIDTH - 2 * GAP - bar - 2, panel._areas
    wide = {area.widget(): area.widget().minimumSizeHint().width() for area in areas}
    assert {page: width for page, width in wide.items() if width > room} == {}


def test_a_section_that_opens_squeezes_nothing(panel, wait) -> None:
    """The page grows at once, not some turns of the event loop later."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    panel.controller.ask("the left lung")
    wait(lambda: panel.controller.state.answer is not None)
    area = panel._areas[0]
    page = area.widget()
    sections = (panel.mask.corrections, panel.images.all, panel.mask.strokes.widget)
    for section in sections:
        QTest.mouseClick(section.toggleButton(), Qt.MouseButton.LeftButton)
        assert section.isExpanded()
        assert page.height() >= page.layout().heightForWidth(page.width())
    full = page.height()
    assert full > area.viewport().height()
    for section in sections:
        section.collapse(animate=False)
    assert page.height() < full
