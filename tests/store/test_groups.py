"""Patients' names, their pseudonyms, and the groups that are never divided."""

from __future__ import annotations

import json
import os
import stat

import numpy as np
import pytest

from src_core.errors import BadInputError, StoreError
from src_core.store import Project, groups
from src_core.types import Split


def add(project, name, group):
    """Add an image of a group, and return the group's pseudonym."""
    pixels = np.frombuffer(name.encode().ljust(64), np.uint8).reshape(8, 8)
    return project.add_image(pixels, name=name, axes="yx", group=group)[0].group


def test_a_group_is_a_pseudonym_and_its_name_stays_in_one_file(project, image):
    other, _ = project.add_image(
        np.zeros((3, 3), np.uint8), name="b", axes="yx", group="Doe, Jane"
    )
    assert image.group == other.group == "anon-0001"
    assert project.group_name("anon-0001") == "Doe, Jane"
    files = [path for path in project.path.rglob("*") if path.is_file()]
    holding = [path.name for path in files if b"Jane" in path.read_bytes()]
    assert holding == ["groups.jsonl"]


def test_pseudonyms_go_on_when_the_map_is_lost(project, image):
    (project.path / "groups.jsonl").unlink()
    project.close()
    with Project.open(project.path, mode="rw") as again:
        pixels = np.zeros((3, 3), np.uint8)
        other, _ = again.add_image(pixels, name="b", axes="yx", group="Roe, Rick")
        assert other.group == "anon-0002"
        assert again.group_name("anon-0001") == "anon-0001"


def test_a_group_is_never_divided(project):
    for value in range(3):
        pixels = np.full((3, 3), value, np.uint8)
        project.add_image(pixels, name=f"i{value}", axes="yx", group="g")
    with pytest.raises(BadInputError, match="never divided"):
        project.add_image(
            np.full((3, 3), 9, np.uint8),
            name="i9",
            axes="yx",
            group="g",
            split=Split.TEST,
        )
    before = project.position
    project.update_image("i0", split=Split.TEST, who="bob")
    assert {image.split for image in project.images()} == {Split.TEST}
    assert project.position == before + 1
    assert project.images(Split.TRAIN) == []
    with Project.open(project.path, at=before) as then:
        assert len(then.images(Split.TRAIN)) == 3
    alone, _ = project.add_image(np.ones((5, 5), np.uint8), name="alone", axes="yx")
    with pytest.raises(BadInputError, match="give the split too"):
        project.update_image(alone.id, group="g")
    project.update_image(alone.id, group="g", split=Split.VAL)
    assert {image.split for image in project.images()} == {Split.VAL}


def test_one_more_patient_costs_one_line(project):
    """However many there are: a map written anew each time is quadratic."""
    add(project, "first", "Doe, Jane")
    map_of_patients = project.path / "groups.jsonl"
    before, inode = map_of_patients.read_bytes(), map_of_patients.stat().st_ino
    assert add(project, "second", "Müller, Änne") == "anon-0002"
    assert add(project, "third", "Doe, Jane") == "anon-0001"
    after = map_of_patients.read_bytes()
    assert after.startswith(before)
    assert map_of_patients.stat().st_ino == inode
    lines = [json.loads(line) for line in after.splitlines()]
    assert lines == [{"anon-0001": "Doe, Jane"}, {"anon-0002": "Müller, Änne"}]
    assert stat.S_IMODE(map_of_patients.stat().st_mode) == 0o600


@pytest.mark.parametrize("left", [b'{"anon-0002": "Roe', b"\0" * 40, b"{"])
def test_a_line_that_was_cut_off_was_given_to_nobody(project, left):
    add(project, "first", "Doe, Jane")
    project.close()
    map_of_patients = project.path / "groups.jsonl"
    whole = map_of_patients.read_bytes()
    map_of_patients.write_bytes(whole + left)
    with Project.open(project.path, mode="rw") as again:
        assert again.group_name("anon-0001") == "Doe, Jane"
        assert map_of_patients.read_bytes() == whole + left  # reading changes nothing
        assert add(again, "second", "Poe, Ed") == "anon-0002"
    assert map_of_patients.read_bytes() == whole + b'{"anon-0002": "Poe, Ed"}\n'
    with Project.open(project.path) as reader:
        assert reader.group_name("anon-0002") == "Poe, Ed"


def test_the_map_of_an_earlier_program_is_read_and_goes_on(project):
    first = {"anon-0001": "Doe, Jane", "anon-0007": "Roe, Rick"}
    (project.path / "groups.json").write_text(json.dumps(first, indent=1))
    assert project.group_name("anon-0007") == "Roe, Rick"
    assert add(project, "a", "Doe, Jane") == "anon-0001"
    assert add(project, "b", "Poe, Ed") == "anon-0008"
    project.close()
    with Project.open(project.path, mode="rw") as again:
        assert add(again, "c", "Poe, Ed") == "anon-0008"
        assert add(again, "d", "Roe, Rick") == "anon-0007"
    assert json.loads((project.path / "groups.json").read_text()) == first


def test_a_pseudonym_that_came_back_is_not_given_again(project):
    add(project, "a", "anon-0002")
    before = project.position
    project.update_image("a", group="")
    project.close()
    with Project.open(project.path, mode="rw") as again:
        assert add(again, "b", "Doe, Jane") == "anon-0001"
        again.restore(before)
        assert add(again, "c", "Roe, Rick") == "anon-0003"
        assert add(again, "d", "anon-0004") == "anon-0004"
        assert add(again, "e", "Poe, Ed") == "anon-0005"


def test_a_full_disk_gives_no_pseudonym(project, monkeypatch):
    add(project, "a", "Doe, Jane")

    def fail(descriptor):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(groups.os, "fsync", fail)
        with pytest.raises(StoreError, match="free some space"):
            add(project, "b", "Roe, Rick")
    assert [image.id for image in project.images()] == ["a"]
    assert add(project, "c", "Poe, Ed") == "anon-0002"
    assert (project.path / "groups.jsonl").read_text().count("anon-") == 2
