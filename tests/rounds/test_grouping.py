"""Pictures grouped by look before anybody has labelled one."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.rounds.grouping import groups_by_look, look_alikes
from src_core.rounds.survey import take_in_looks
from src_core.store import Project
from src_core.types import Split


def picture(kind, seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    a, b = rng.integers(-6, 7, 2)
    shapes = {
        "disc": (y - 32 - a) ** 2 + (x - 32 - b) ** 2 < 200,
        "bars": ((x + seed) // 10) % 2 == 0,
        "corner": (y < 22 + a) & (x < 22 + b),
    }
    return (80 + 120 * shapes[kind] + rng.normal(0, 12, y.shape)).clip(0, 255)


@pytest.fixture
def project(tmp_path):
    """Nine discs, six pictures of bars, three corners; one disc is there twice."""
    with Project.create(tmp_path / "p") as opened:
        kinds = ["disc"] * 9 + ["bars"] * 6 + ["corner"] * 3
        for number, kind in enumerate(kinds):
            opened.add_image(
                picture(kind, number).astype(np.uint8),
                name=f"{kind}{number}",
                axes="yx",
                group=f"p{number}",
                who="ada",
            )
        twice = (0.8 * picture("disc", 4) + 11).astype(np.uint8)
        opened.add_image(
            twice, name="again", axes="yx", group="q", split=Split.TEST, who="ada"
        )
        take_in_looks(opened)
        yield opened


def test_groups_are_the_planted_ones_the_largest_first(project):
    found = groups_by_look(project, 3)
    kinds = [
        {project.image(i).name.rstrip("0123456789") for i in group.images}
        for group in found
    ]
    assert kinds == [{"disc", "again"}, {"bars"}, {"corner"}]
    assert [len(group.images) for group in found] == [10, 6, 3]


def test_the_number_of_groups_follows_the_images(project):
    assert 2 <= len(groups_by_look(project)) <= 4


def test_a_picture_that_is_there_twice_is_pointed_out(project):
    found = look_alikes(project)
    assert len(found) == 1
    assert {project.image(i).name for i in found[0].images} == {"disc4", "again"}
    assert found[0].across_groups
    assert found[0].across_splits


def test_before_anything_was_looked_at_there_is_nothing(tmp_path):
    with Project.create(tmp_path / "p") as project:
        assert groups_by_look(project) == []
        assert look_alikes(project) == []
