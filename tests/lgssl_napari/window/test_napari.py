"""Ways in from napari's own menus, and the tour."""

from __future__ import annotations

import gc

import pytest


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
    monkeypatch.setattr(judged.header, "choose", lambda: done.append("add"))
    for verb in (
        *("save", "next_image", "retrain", "try_sample", "close_project", "doubt"),
    ):
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
        commands.add_files,
        commands.close_project,
        commands.find_doubts,
    ):
        command(viewer)
    assert judged.tabs.currentIndex() == 3
    assert done == [
        *("save", "next_image", "retrain", "try_sample", "open", "add"),
        *("close_project", "doubt"),
    ]


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
