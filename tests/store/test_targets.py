"""What can be found, and the words for it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

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


def test_wordings_given_at_the_same_time_are_all_kept(project, target, monkeypatch):
    found, wordings = project._find_target, [f"wording {n}" for n in range(8)]

    def slow(name):
        known = found(name)
        time.sleep(0.01)
        return known

    monkeypatch.setattr(project, "_find_target", slow)
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(lambda words: project.add_target("left lung", words), wordings)
        )
    assert set(wordings) <= set(project.target("left-lung").prompts)


def test_targets_of_the_same_letters_stay_apart(project):
    first, second = project.add_target("a/b"), project.add_target("a b")
    assert first.id != second.id
    assert project.target("a b") == second


def test_an_unknown_target_suggests_a_known_one(project, target):
    with pytest.raises(NotFoundError, match="did you mean"):
        project.target("left lungs")
