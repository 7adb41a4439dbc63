"""Who examines: held out by group, or alone, and never an examiner who sees nothing."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.rounds.validation import effective_split, ensure_validation
from src_core.store import Project
from src_core.types import MaskStatus, Split


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", who="ada") as opened:
        yield opened


def label(project, count, *, there=lambda n: True, group=lambda n: ""):
    target = project.add_target("disc")
    for n in range(count):
        image, _ = project.add_image(
            np.full((8, 8), n, np.uint8), name=f"{n}.png", axes="yx", group=group(n)
        )
        mask = np.full((8, 8), there(n), np.uint8)
        status = MaskStatus.DONE if there(n) else MaskStatus.EMPTY
        project.save_mask(image.id, target.id, mask, status=status)


def examiners(project) -> list[str]:
    held_out = ensure_validation(project, "ada")
    return [
        image.name
        for image in project.images()
        if effective_split(image, held_out) is Split.VAL
    ]


def test_images_without_a_group_are_held_out_one_by_one(project):
    label(project, 10)
    assert len(examiners(project)) == 2


def test_who_was_held_out_alone_stays_so_when_its_group_is_told(project):
    label(project, 10)
    before = examiners(project)
    for image in project.images():
        project.update_image(image.id, group=f"patient of {image.name}")
    assert examiners(project) == before


def test_a_patient_told_later_is_held_out_with_the_image_that_was(project):
    label(project, 10)
    held, *_ = before = examiners(project)
    mate = next(i for i in project.images() if i.name not in before)
    for image in (project.image(held), mate):
        project.update_image(image.id, group="Ada L.")
    late, _ = project.add_image(
        np.full((8, 8), 99, np.uint8), name="late.png", axes="yx", group="Ada L."
    )
    assert {*examiners(project)} == {*before, mate.name, late.name}


def test_the_only_patient_teaches_beside_the_images_held_out_alone(project):
    label(project, 10)
    before = examiners(project)
    for image in project.images():
        project.update_image(image.id, group="Ada L.")
    assert examiners(project) == before


SHOWS = [{0, 1}, {8, 9}, {14, 15}]
"""The first two pairs would all teach by their hashes alone."""


@pytest.mark.parametrize("there", SHOWS, ids=str)
def test_of_two_that_show_something_one_examines_and_one_teaches(project, there):
    label(project, 40, there=lambda n: n in there, group=lambda n: f"p{n}")
    held = examiners(project)
    assert len(held) == 8
    assert len({f"{n}.png" for n in there}.intersection(held)) == 1


@pytest.mark.parametrize("there", [3, 9, 21])
def test_the_only_one_that_shows_something_teaches(project, there):
    label(project, 40, there=lambda n: n == there)
    held = examiners(project)
    assert len(held) == 8
    assert f"{there}.png" not in held
