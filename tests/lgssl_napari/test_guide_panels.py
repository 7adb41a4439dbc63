"""The parts of the panel that help to choose: why this image, and the plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lgssl_napari.guide import Guide, Named
from lgssl_napari.panels.plan import PlanPanel
from lgssl_napari.panels.why import WhyPanel
from lgssl_napari.state import PanelState, ProjectState, VersionRow, WorkState
from src_core.types import Image, Target

FILM = Image("film-0", "film 0", "", "yx", (8, 8), "uint8", (1.0, 1.0))
HEART = Target("heart", "heart", ("heart",))
MODEL = VersionRow("v1", "", "", "lg-ssl", 3, 4, 0.7, (), answers=True)
PROJECT = ProjectState(Path("heart"), "heart", count=4)
LISTED = (Named("film-0", "heart", "film 0", "less is 'heart' than is drawn"),)
STATE = PanelState(PROJECT, WorkState(FILM, 0, HEART))


def heard(signal):
    said = []
    signal.connect(lambda *what: said.append(what))
    return said


class TestWhy:
    @pytest.mark.parametrize(
        ("project", "work", "can_ask", "may_wish"),
        [
            (PROJECT, WorkState(), False, False),
            (PROJECT, WorkState(FILM, 0, HEART), False, True),
            (replace(PROJECT, versions=(MODEL,)), WorkState(FILM), False, True),
            (replace(PROJECT, versions=(MODEL,)), WorkState(FILM, 0, HEART), 1, True),
            (replace(PROJECT, read_only=True), WorkState(FILM), False, False),
        ],
    )
    def test_what_is_possible_can_be_pressed(
        self, qtbot, project, work, can_ask, may_wish
    ) -> None:
        part = WhyPanel()
        qtbot.addWidget(part.widget)
        part.show(PanelState(project, work))
        assert part.where.isEnabled() == bool(can_ask)
        assert part.skip.isEnabled() == part.pin.isEnabled() == may_wish

    def test_the_button_stays_down_while_it_is_shown(self, qtbot) -> None:
        part = WhyPanel()
        qtbot.addWidget(part.widget)
        part.show(replace(STATE, work=replace(STATE.work, where="Look at the top.")))
        assert part.where.isChecked()
        assert part.sentence.text() == "Look at the top."
        part.show(STATE)
        assert not part.where.isChecked()

    def test_the_note_is_the_reason(self, qtbot) -> None:
        part = WhyPanel()
        qtbot.addWidget(part.widget)
        skipped, pinned = heard(part.skipped), heard(part.pinned)
        part.show(STATE)
        part.note.setText("blurred")
        part.skip.click()
        part.pin.click()
        assert (skipped, pinned) == ([("blurred",)], [("blurred",)])
        assert part.note.text() == ""


class TestPlan:
    def test_it_shows_only_what_there_is(self, qtbot) -> None:
        part = PlanPanel()
        qtbot.addWidget(part.widget)
        part.show(STATE)
        assert part.curves.widget.isHidden()
        assert part.doubted.isHidden()
        assert part.alike.isHidden()
        assert not part.doubts.isEnabled()
        points = ((4.0, 0.5), (8.0, 0.6), (16.0, 0.7))
        curve = ((4.0, 0.5, 0.4, 0.6), (46.0, 0.8, 0.7, 0.9))
        wanted = heard(part.curves.wanted)
        guide = Guide("30 more are expected.", points, curve, LISTED, LISTED * 2)
        known = replace(PROJECT, versions=(MODEL,))
        part.show(replace(STATE, project=known, guide=guide, looking="3 of 4"))
        assert part.sentence.text() == "30 more are expected."
        assert wanted[0][0].lines[0].band == ((4.0, 0.4, 0.6), (46.0, 0.7, 0.9))
        assert (part.alike.topLevelItemCount(), part.groups.topLevelItemCount()) == (
            1,
            2,
        )
        assert part.doubts.isEnabled()
        assert part.looking.text() == "3 of 4"

    def test_a_mask_in_doubt_is_opened_by_a_click(self, qtbot) -> None:
        part = PlanPanel()
        qtbot.addWidget(part.widget)
        chosen = heard(part.chosen)
        part.show(replace(STATE, doubted=()))
        assert not part.none.isHidden()
        part.show(replace(STATE, doubted=LISTED))
        assert part.none.isHidden()
        part.doubted.itemClicked.emit(part.doubted.topLevelItem(0), 0)
        assert chosen == [("film-0", "heart")]
