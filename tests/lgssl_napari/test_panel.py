"""The docked panel in a real napari window, with threads as in use."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(
        sys.platform.startswith("linux")
        and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        and os.environ.get("QT_QPA_PLATFORM") != "offscreen",
        reason="no screen: run under xvfb-run, or with QT_QPA_PLATFORM=offscreen",
    ),
]


@pytest.fixture
def open_panel(make_napari_viewer, tmp_path, qtbot):
    """Makes a window with the panel; closes its project and threads in the end."""
    from lgssl_napari.panel import SegmentByText
    from lgssl_napari.recent import Recent

    made = []

    def make(show: bool = False, **seams):
        viewer = make_napari_viewer(show=show)
        tour_file = tmp_path / "tour-seen"
        tour_file.touch()
        files = {"recent": Recent(tmp_path / "recent.json"), "tour_file": tour_file}
        seams = {"who": "ada", "log": lambda error: tmp_path / "log"} | files | seams
        panel = SegmentByText(viewer, **seams)
        viewer.window.add_dock_widget(panel, name="Segment by text", area="right")
        made.append(panel)
        return panel

    yield make
    for panel in made:
        panel.controller.close()


@pytest.fixture
def wait(qtbot):
    """Waits until something is so."""

    def until(check, seconds: float = 30.0) -> None:
        qtbot.waitUntil(lambda: bool(check()), timeout=int(1000 * seconds))

    return until


@pytest.fixture
def panel(open_panel, project_path, wait, asked_bench, answers_for):
    """A panel with the project open and a model that finds the left lung."""
    from lgssl_napari.helper import HelperThread

    asked_bench.controller.close()  # only its model and its project are wanted
    stub = asked_bench.model
    made = open_panel(
        answers=answers_for(
            lambda project, version: stub,
            lambda project, version, count: list(asked_bench.picks),
        ),
        helper=HelperThread(),
    )
    made.stub, made.picks = stub, asked_bench.picks
    made.controller.open_project(project_path)
    wait(lambda: made.controller.state.work.image and not made.controller.state.busy)
    return made


def idle(panel):
    return lambda: not panel.controller.state.busy


def test_the_empty_panel_offers_a_beginning(open_panel, wait) -> None:
    panel = open_panel()
    assert panel.pages.currentIndex() == 0
    wait(lambda: panel.start.open.isEnabled())
    assert not panel.start.recent.isVisibleTo(panel.start.widget)


def test_a_recent_project_opens_with_a_click(open_panel, project_path, wait) -> None:
    panel = open_panel()
    panel.controller.open_project(project_path)
    wait(lambda: panel.controller.state.work.image is not None)
    assert panel.pages.currentIndex() == 1
    panel.controller.close_project()
    wait(lambda: panel.start.recent.count() == 1)
    assert panel.pages.currentIndex() == 0
    panel.start.recent.itemClicked.emit(panel.start.recent.item(0))
    wait(lambda: panel.controller.state.work.image is not None)
    assert "no model yet" in panel.header.name.text()


def test_a_folder_is_chosen_in_a_dialog(
    open_panel, project_path, wait, monkeypatch
) -> None:
    from qtpy.QtWidgets import QFileDialog

    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_: str(project_path)
    )
    panel = open_panel()
    panel.start.open.click()
    wait(lambda: panel.controller.state.work.image is not None)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    panel.start.open.click()
    assert panel.controller.state.project is not None


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


def test_the_next_image_says_why(panel, wait) -> None:
    from src_core.acquire import Pick

    panel.picks[:] = [Pick("film-2", "left-lung", 1.0, "the outline is unsure")]
    panel.mask.next.click()
    wait(lambda: panel.images.name.text() == "film 2")
    assert panel.images.reason.text() == "Why this one: the outline is unsure."
    wait(lambda: panel.answer.title.text() == "✔  Found: left lung")
    assert panel.prompt.line.text() == "left lung"


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


def test_a_training_is_shown_while_it_runs_and_when_it_ends(panel) -> None:
    from dataclasses import replace

    from lgssl_napari.results import JobState, Outcome

    running = JobState(
        running=True,
        phase="learning from all images",
        device="CPU",
        done=0.5,
        step=40,
        seconds_left=65.0,
        counts=(3, 5),
        dice=((10.0, 0.3), (20.0, 0.6)),
        losses=((1.0, 2.0), (20.0, 1.0)),
    )
    desk = panel.controller._desk
    desk.update(job=running)
    train = panel.train
    assert train.bar.text() == "50%, 1:05 left"
    assert train.phase.text() == "learning from all images · step 40 · CPU"
    assert train.counts.text() == "Learns from 3 labelled and 5 unlabelled images."
    assert train.stop.isEnabled()
    assert not train.retrain.isEnabled()
    assert not train.form.native.isEnabled()
    outcome = Outcome("v2", True, "Better.", 0.5, 0.85, (), 3, 5, 80, 9, False)
    desk.update(job=replace(running, running=False, outcome=outcome))
    assert train.result.text() == "✔  Model v2: Dice 0.500 → 0.850"
    assert train.retrain.isEnabled()
    assert not train.bar.isVisibleTo(panel)


def test_the_curves_are_drawn_in_the_colours_of_the_theme(panel, wait) -> None:
    from dataclasses import replace

    curve, desk = panel.train.curve.curves, panel.controller._desk

    def corner() -> int:
        pixmap = curve.picture.pixmap()
        return pixmap.toImage().pixelColor(1, 1).lightness() if pixmap else -1

    for at in range(1, 4):  # the newest of several is drawn in the end
        dice = tuple((float(second), 0.2 * second) for second in range(at))
        desk.update(job=replace(desk.state.job, running=True, dice=dice))
    wait(lambda: corner() >= 0 and not curve._drawing)
    assert curve._drawn.lines[0].points == dice
    assert corner() < 80
    panel._viewer.theme = "light"
    wait(lambda: corner() > 180)
    desk.update(job=replace(desk.state.job, running=False))


def test_versions_are_listed_and_any_can_answer(panel, add_model, wait) -> None:
    add_model(panel.controller._desk.project, "v2")
    panel.controller._parts.projects.refresh()
    judge = panel.judge
    wait(lambda: judge.versions.topLevelItemCount() == 2)
    assert judge.versions.topLevelItem(0).text(0) == "v2 (answers)"
    assert not judge.answers.isEnabled()
    judge.versions.setCurrentItem(judge.versions.topLevelItem(1))
    judge.answers.click()
    wait(lambda: "model v1" in panel.header.name.text())
    assert judge.versions.topLevelItem(1).text(0) == "v1 (answers)"


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


# --------------------------------------------------------------------- strokes
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


# ---------------------------------------------------------------------- review
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


# --------------------------------------------------------------------- results
@pytest.fixture
def judged(panel, add_model, wait):
    """A panel with two versions, and what the second changed."""
    from src_core.rounds import Comparison, Pair, Verdict
    from src_core.rounds.comparison import write_comparison
    from src_core.types import MaskStatus

    project = panel.controller._desk.project
    add_model(project, "v2")
    pairs = (Pair("film-3", "left-lung", 0.5, 0.9), Pair("film-3", "heart", 0.8, 0.7))
    verdict = Verdict(True, "Promoted: Dice 0.650 before, 0.800 now.", 0.65, 0.8)
    write_comparison(project.models_dir / "v2", Comparison("v2", "v1", verdict, pairs))
    mask = np.zeros((24, 32), np.uint8)
    mask[2:10, 3:8] = 1
    project.save_mask(
        "film-3", "left-lung", mask, status=MaskStatus.DONE, seconds_spent=90.0
    )
    panel.controller._parts.projects.refresh()
    wait(lambda: panel.judge.versions.topLevelItemCount() == 2)
    return panel


def words(tree) -> list[list[str]]:
    return [
        [tree.topLevelItem(row).text(column) for column in range(tree.columnCount())]
        for row in range(tree.topLevelItemCount())
    ]


def test_the_results_page_says_whether_it_helped(judged, wait) -> None:
    judged.train.results.click()
    wait(lambda: judged.judge.title.text() == "Model v2 against v1")
    assert "Promoted: Dice 0.650 before" in judged.judge.sentence.text()
    assert words(judged.judge.targets) == [
        ["left lung", "0.500", "0.900"],
        ["heart", "0.800", "0.700"],
    ]
    assert words(judged.judge.changed)[0] == ["film-3", "left lung", "0.500", "0.900"]
    assert words(judged.judge.rounds)[-1] == ["3", "1", "1.5", "–"]
    curves = judged.judge.curves
    wait(lambda: curves.picture.pixmap() and not curves.picture.pixmap().isNull())


def test_a_click_puts_old_new_and_truth_side_by_side(judged, wait) -> None:
    judged.train.results.click()
    wait(lambda: judged.judge.changed.topLevelItemCount() == 2)
    judged.judge.changed.setCurrentItem(judged.judge.changed.topLevelItem(0))
    judged.judge.beside.click()
    wait(lambda: judged.controller.state.comparing)
    layers = judged._viewer.layers
    assert layers["Masks side by side"].visible
    assert not layers["film 0"].visible
    judged.judge.back.click()
    assert not layers["Masks side by side"].visible
    assert layers["film 0"].visible
    assert not judged.judge.back.isEnabled()


def test_an_earlier_version_is_judged_by_choosing_it(judged, wait) -> None:
    judged.tabs.setCurrentIndex(2)
    wait(lambda: judged.judge.title.text() == "Model v2 against v1")
    judged.judge.versions.setCurrentItem(judged.judge.versions.topLevelItem(1))
    wait(lambda: judged.judge.title.text() == "Model v1: the first")
    assert "before comparisons were kept" in judged.judge.sentence.text()
    assert not judged.judge.changed.isVisibleTo(judged)


# ------------------------------------------------------------------------ tour
def test_the_tour_is_offered_once_and_can_be_asked_for(open_panel, tmp_path, wait):
    (tmp_path / "tour").unlink(missing_ok=True)
    panel = open_panel(tour_file=tmp_path / "tour")
    wait(lambda: panel.tour.widget.isVisibleTo(panel))
    assert panel.tour.title.text() == "Step 1 of 5: Open"
    assert not panel.start.tour.isVisibleTo(panel)
    panel.tour.next.click()
    assert panel.tour.title.text() == "Step 2 of 5: Ask"
    panel.tour.end.click()
    assert not panel.tour.widget.isVisibleTo(panel)
    wait(lambda: (tmp_path / "tour").exists())
    panel.start.tour.click()
    assert panel.tour.title.text() == "Step 1 of 5: Open"


# -------------------------------------------------------------------- commands
def test_commands_reach_the_panel_that_is_open(judged, wait, monkeypatch) -> None:
    from lgssl_napari import commands

    viewer = judged._viewer
    assert commands.panel_of(viewer) is judged
    commands.show_results(viewer)
    assert judged.tabs.currentIndex() == 2
    commands.ask(viewer)
    assert judged.tabs.currentIndex() == 0
    commands.show_tour(viewer)
    assert judged.controller.state.tour == 2  # an image is open already
    done = []
    for verb in ("save", "next_image", "retrain", "try_sample"):
        monkeypatch.setattr(
            judged.controller, verb, lambda *_, verb=verb, **__: done.append(verb)
        )
    monkeypatch.setattr(
        judged.train, "retrain_now", lambda: done.append("retrain"), raising=True
    )
    monkeypatch.setattr(judged.start, "choose", lambda: done.append("open"))
    for command in (
        commands.save,
        commands.next_image,
        commands.retrain,
        commands.try_sample,
        commands.open_project,
    ):
        command(viewer)
    assert done == ["save", "next_image", "retrain", "try_sample", "open"]


def test_the_files_of_selected_layers_are_taken_in(panel, tmp_path, wait) -> None:
    from PIL import Image

    from lgssl_napari import commands

    viewer = panel._viewer
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(tmp_path / "seen.png")
    [layer] = viewer.open(tmp_path / "seen.png")
    viewer.layers.selection = {layer}
    commands.take_layers(viewer)
    wait(lambda: len(panel.controller.state.project.images) == 5)
    viewer.layers.selection = {viewer.add_image(np.zeros((4, 4)), name="made")}
    commands.take_layers(viewer)
    assert "save it first" in panel.controller.state.message.text
    viewer.layers.selection = set()
    commands.take_layers(viewer)
    assert "Select the image layers" in panel.controller.state.message.text


def test_dropped_files_are_taken_in(panel, tmp_path, wait) -> None:
    from unittest.mock import MagicMock

    from PIL import Image
    from qtpy.QtCore import QMimeData, QUrl

    Image.fromarray(np.eye(20, dtype=np.uint8)).save(tmp_path / "new.png")
    event, mime = MagicMock(), QMimeData()
    event.mimeData.return_value = mime
    panel.dragEnterEvent(event)
    event.acceptProposedAction.assert_not_called()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "new.png"))])
    panel.dragEnterEvent(event)
    event.acceptProposedAction.assert_called_once()
    panel.dropEvent(event)
    wait(lambda: len(panel.controller.state.project.images) == 5)
    assert panel.images.all.text() == "All images (5)"


# ------------------------------------------------------------------------ keys
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


# --------------------------------------------------------------------- closing
@pytest.mark.parametrize(
    ("choice", "closes", "saves"),
    [("Save and close", True, True), ("Close", True, False), ("Stay", False, False)],
)
def test_closing_over_unsaved_work_asks(
    panel, project_path, wait, choice, closes, saves
) -> None:
    from qtpy.QtGui import QCloseEvent

    from lgssl_napari.panels.guard import CloseGuard
    from src_core.store import Project

    panel.controller.ask("heart")
    wait(lambda: panel.controller.state.answer is not None)
    panel._viewer.layers["heart"].paint((10, 10), 1)
    wait(lambda: panel.controller.state.work.dirty)
    asked, closed = [], []

    def ask(window, words, choices):
        asked.append((words, choices))
        return choice

    from qtpy.QtWidgets import QWidget

    window = QWidget(panel)  # napari's own is closed by its fixture
    guard = CloseGuard(window, panel.controller, ask)
    window.close = lambda: closed.append("by the guard")
    held_up = guard.eventFilter(window, QCloseEvent())
    assert asked == [
        ("'heart' in 'film 0' is not saved.", ("Save and close", "Close", "Stay"))
    ]
    if saves:
        wait(lambda: closed)
    assert (not held_up or bool(closed)) == closes
    with Project.open(project_path) as project:
        assert (project.mask("film-0", "heart") is not None) == saves
    panel.controller._parts.saving.discard()


def test_closing_over_a_training_asks_and_without_either_does_not(panel) -> None:
    from dataclasses import replace

    from qtpy.QtGui import QCloseEvent
    from qtpy.QtWidgets import QWidget

    from lgssl_napari.panels.guard import CloseGuard

    asked = []

    def ask(window, words, choices):
        asked.append((words, choices))
        return choices[-1]

    window = QWidget(panel)
    guard = CloseGuard(window, panel.controller, ask)
    assert not guard.eventFilter(window, QCloseEvent())
    desk = panel.controller._desk
    desk.update(job=replace(desk.state.job, running=True))
    assert guard.eventFilter(window, QCloseEvent())
    desk.update(job=replace(desk.state.job, running=False))
    assert len(asked) == 1
    assert "A training is running" in asked[0][0]
    assert asked[0][1] == ("Close", "Stay")


def test_a_closed_window_lets_the_project_go(
    make_napari_viewer, project_path, wait, tmp_path
) -> None:
    from lgssl_napari.panel import SegmentByText
    from lgssl_napari.recent import Recent
    from src_core.store import Project

    viewer = make_napari_viewer()
    panel = SegmentByText(viewer, recent=Recent(tmp_path / "recent.json"))
    viewer.window.add_dock_widget(panel, area="right")
    controller = panel.controller
    controller.open_project(project_path)
    wait(lambda: controller.state.work.image is not None)
    viewer.window.remove_dock_widget(panel)
    panel.close()
    panel.deleteLater()
    del panel
    wait(lambda: controller._desk.project is None, 5)
    with Project.open(project_path, mode="rw") as project:
        assert project.name == "heart"


# ---------------------------------------------------------------------- killing
KILLED = """
import os, signal, sys, time
from pathlib import Path
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget
from lgssl_napari.app import open_window

viewer, panel = open_window(Path(sys.argv[1]))
verbs, app = panel.controller, QApplication.instance()

def until(check):
    while not check():
        app.processEvents()
        time.sleep(0.005)

until(lambda: verbs.state.work.image and not verbs.state.busy)
verbs.ask("heart")
until(lambda: verbs.state.work.target)
layer = viewer.layers.selection.active
layer.mode, layer.brush_size = "paint", 3
central = panel.window().centralWidget()
[canvas] = [
    child
    for child in central.findChildren(QWidget)
    if "CanvasBackend" in type(child).__name__
]
middle = QPoint(canvas.width() // 2, canvas.height() // 2)
QTest.mouseMove(canvas, middle)
QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
for move in range(8):
    QTest.mouseMove(canvas, middle + QPoint(8 * move, 0))
    QTest.qWait(100)
assert verbs.state.work.dirty and layer._staged_history  # not released
QTest.qWait(500)
print(int(layer.data.sum()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_window_killed_before_the_brush_is_lifted_keeps_the_stroke(
    project_path, tmp_path, new_bench
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    places = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    settings = dict.fromkeys(places, str(tmp_path)) | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(project_path)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -9, done.stderr
    bench = new_bench(project_path)
    assert "Strokes on 'heart' in 'film-0'" in bench.state.question.text
    bench.choose("Bring them back")
    drawn, kept = int(done.stdout), int(bench.canvas.drawn.sum())
    assert 0 < drawn / 2 < kept <= drawn


# ----------------------------------------------------------------- all of napari
def test_napari_offers_the_panel_and_the_samples(make_napari_viewer) -> None:
    from importlib.metadata import entry_points

    if "lgssl-napari" not in entry_points(group="napari.manifest").names:
        pytest.skip("the package is not installed here")
    viewer = make_napari_viewer()
    [layer] = viewer.open_sample("lgssl-napari", "slide")
    assert layer.rgb
    _, panel = viewer.window.add_plugin_dock_widget("lgssl-napari", "Segment by text")
    assert panel.pages.currentIndex() == 0
    panel.controller.close()


@pytest.mark.parametrize("there", [True, False])
def test_the_app_opens_a_window_with_the_project(
    make_napari_viewer, project_path, tmp_path, wait, monkeypatch, there
) -> None:
    import napari

    from lgssl_napari import app, recent

    made, ran = [], []

    def viewer(**_):
        made.append(make_napari_viewer())
        return made[-1]

    monkeypatch.setattr(napari, "Viewer", viewer)
    monkeypatch.setattr(napari, "run", lambda: ran.append(True))
    monkeypatch.setattr(recent, "recent_file", lambda: tmp_path / "recent.json")
    panels = []
    open_window = app.open_window
    monkeypatch.setattr(
        app, "open_window", lambda path: panels.append(open_window(path)[1])
    )
    path = project_path if there else tmp_path / "mistyped"
    app.launch(path)
    assert ran == [True]
    [panel] = panels
    wait(lambda: not panel.controller.state.busy)
    wait(lambda: panel.controller.state.project or panel.controller.state.message)
    assert (panel.controller.state.project is not None) == there
    assert not (tmp_path / "mistyped").exists()
    wait(gc.get_freeze_count)
    gc.unfreeze()
    panel.controller.close()
