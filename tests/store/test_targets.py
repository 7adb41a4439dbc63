"""What can be found, and the words for it."""

from __future__ import annotations

import pytest

from src_core.errors import NotFoundError


def test_adding_a_target_again_merges_its_prompts(project, target):
    again = project.add_target(" left  LUNG ", ["the lung on the left", "sinister"])
    assert again.id == target.id == "left-lung"
    assert again.name == "Left lung"
    assert again.prompts == ("left lung", "the lung on the left", "sinister")
    assert project.target("LEFT LUNG") == again
    assert project.targets() == [again]
    before = project.position
    project.add_target("Left lung", "sinister")
    assert project.position == before


def test_targets_of_the_same_letters_stay_apart(project):
    first, second = project.add_target("a/b"), project.add_target("a b")
    assert first.id != second.id
    assert project.target("a b") == second


def test_an_unknown_target_suggests_a_known_one(project, target):
    with pytest.raises(NotFoundError, match="did you mean"):
        project.target("left lungs")
