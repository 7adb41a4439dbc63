"""Patients' names, their pseudonyms, and the groups that are never divided."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.errors import BadInputError
from src_core.store import Project
from src_core.types import Split


def test_a_group_is_a_pseudonym_and_its_name_stays_in_one_file(project, image):
    other, _ = project.add_image(
        np.zeros((3, 3), np.uint8), name="b", axes="yx", group="Doe, Jane"
    )
    assert image.group == other.group == "anon-0001"
    assert project.group_name("anon-0001") == "Doe, Jane"
    files = [path for path in project.path.rglob("*") if path.is_file()]
    holding = [path.name for path in files if b"Jane" in path.read_bytes()]
    assert holding == ["groups.json"]


def test_pseudonyms_go_on_when_the_map_is_lost(project, image):
    (project.path / "groups.json").unlink()
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
