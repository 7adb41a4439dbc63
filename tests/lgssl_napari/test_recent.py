"""The projects opened last."""

from __future__ import annotations

import json

import pytest

from lgssl_napari.recent import KEPT, Recent


@pytest.fixture
def folders(tmp_path):
    made = [tmp_path / f"project {number}" for number in range(KEPT + 2)]
    for folder in made:
        folder.mkdir()
        (folder / "ledger.sqlite").touch()
    return made


def test_the_newest_comes_first_and_the_oldest_go(tmp_path, folders) -> None:
    recent = Recent(tmp_path / "recent.json")
    for folder in folders:
        recent.add(folder)
    recent.add(folders[5])
    listed = Recent(tmp_path / "recent.json").read()
    assert len(listed) == KEPT
    assert listed[:2] == (folders[5], folders[-1])


def test_projects_that_are_gone_are_not_offered(tmp_path, folders) -> None:
    recent = Recent(tmp_path / "recent.json")
    recent.add(folders[0])
    recent.add(folders[1])
    (folders[1] / "ledger.sqlite").unlink()
    assert recent.read() == (folders[0],)


@pytest.mark.parametrize("content", ["", "{", "[1, null]", '{"a": 1}', '"text"'])
def test_a_damaged_list_is_an_empty_one(tmp_path, content) -> None:
    file = tmp_path / "recent.json"
    file.write_text(content)
    assert Recent(file).read() == ()


def test_the_list_is_for_its_owner_alone(tmp_path, folders) -> None:
    file = tmp_path / "recent.json"
    Recent(file).add(folders[0])
    assert json.loads(file.read_text()) == [str(folders[0])]
    assert file.stat().st_mode & 0o077 == 0
