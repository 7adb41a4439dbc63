"""How a project is made, opened and closed, and who may write to it."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest

from src_core.errors import (
    BadInputError,
    LockedError,
    NotFoundError,
    ReadOnlyError,
    StoreError,
)
from src_core.store import Project
from src_core.types import MaskStatus

DONE = MaskStatus.DONE


def test_a_new_project_has_one_revision_and_its_name(project):
    assert project.name == "Chest"
    assert project.position == 1
    assert [row.what for row in project.history()] == ["create"]
    assert not project.read_only


def test_create_refuses_a_folder_in_use(tmp_path, project):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.docx").write_text("x")
    with pytest.raises(BadInputError, match=r"thesis\.docx"):
        Project.create(tmp_path / "used")
    with pytest.raises(BadInputError, match="project already"):
        Project.create(project.path)
    with pytest.raises(BadInputError, match="is a file"):
        Project.create(tmp_path / "used" / "thesis.docx")


def test_create_takes_over_what_a_killed_creation_left(tmp_path):
    root = tmp_path / "p"
    (root / "images").mkdir(parents=True)
    (root / "ledger.sqlite.new").write_bytes(b"half")
    (root / "ledger.sqlite.new-wal").write_bytes(b"half")
    with Project.create(root) as project:
        assert project.position == 1
    assert not list(root.glob("*.new*"))


def test_open_says_where_there_is_no_project(tmp_path):
    with pytest.raises(NotFoundError, match="no project"):
        Project.open(tmp_path)


def test_folders_and_files_are_private(project, image, target, drawn):
    project.save_mask(image.id, target.id, drawn, status=DONE)
    modes = {
        stat.S_IMODE(path.stat().st_mode): path.is_dir()
        for path in [project.path, *project.path.rglob("*")]
    }
    assert modes == {0o700: True, 0o600: False}


def test_the_second_writer_is_told_who_has_it(project):
    with pytest.raises(LockedError, match=f"ada.*process {os.getpid()}"):
        Project.open(project.path, mode="rw")
    with Project.open(project.path) as reader:
        assert reader.read_only
    project.close()
    with Project.open(project.path, mode="rw") as second:
        assert not second.read_only


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.add_image(np.zeros((2, 2), np.uint8), name="n", axes="yx"),
        lambda p: p.add_target("t"),
        lambda p: p.save_mask("case-1", "left-lung", None, status=MaskStatus.EMPTY),
        lambda p: p.update_image("case-1", caption="c"),
        lambda p: p.sign_off("case-1", "left-lung", "bob"),
        lambda p: p.restore(2),
        lambda p: p.record("note", {"documents/a": b"{}"}),
    ],
)
def test_a_reader_writes_nothing(project, image, target, change):
    before = project.position
    with (
        Project.open(project.path) as reader,
        pytest.raises(ReadOnlyError, match="reading only"),
    ):
        change(reader)
    assert project.position == before


def test_a_closed_project_says_so(project, image, target, drawn):
    project.save_mask(image.id, target.id, drawn, status=DONE)
    mask = project.mask(image.id, target.id)
    project.close()
    project.close()
    with pytest.raises(StoreError, match="is closed"):
        mask.read()
