"""Opening projects in the window, and taking files in."""

from __future__ import annotations

import numpy as np


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
