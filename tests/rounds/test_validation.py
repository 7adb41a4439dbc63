"""Who examines: held out by group, or alone, and never an examiner who sees nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from src_core.rounds import promotion, validation
from src_core.rounds.validation import DOCUMENT, effective_split, ensure_validation
from src_core.store import Project
from src_core.types import MaskStatus, Split


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", who="ada") as opened:
        yield opened


def label(project, count, *, start=0, there=lambda n: True, group=lambda n: ""):
    target = (project.targets() or [project.add_target("disc")])[0]
    for n in range(start, start + count):
        image, _ = project.add_image(
            np.full((8, 8), n, np.uint8), name=f"{n}.png", axes="yx", group=group(n)
        )
        mask = np.full((8, 8), there(n), np.uint8)
        status = MaskStatus.DONE if there(n) else MaskStatus.EMPTY
        project.save_mask(image.id, target.id, mask, status=status)


def record(project, what, key, document):
    project.record(what, {key: json.dumps(document).encode()}, who="ada")


def answers(project, version):
    record(project, "promote", promotion.DOCUMENT, {"version": version})


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


@pytest.mark.parametrize(
    ("pictures", "patients", "examine"),
    [(7, 7, 0), (8, 8, 2), (20, 3, 0), (20, 4, 1), (4, 4, 0), (10, 10, 2)],
)
def test_of_few_all_are_needed(project, pictures, patients, examine):
    label(project, pictures, group=lambda n: f"p{n % patients}")
    assert len(ensure_validation(project, "ada")) == examine


def test_slices_count_as_pictures(project):
    target = project.add_target("disc")
    for n in range(4):
        image, _ = project.add_image(
            np.full((2, 8, 8), n, np.uint8), name=f"{n}.nii", axes="zyx", group=f"p{n}"
        )
        mask = np.ones((2, 8, 8), np.uint8)
        project.save_mask(image.id, target.id, mask, status=MaskStatus.DONE)
    assert len(ensure_validation(project, "ada")) == 1


class TestLabelsThatComeLater:
    def test_a_fifth_of_them_examines_whatever_the_steps(self, project):
        for start, count in [(0, 5), (5, 1), (6, 1), (7, 13), (20, 40), (60, 40)]:
            label(project, count, start=start)
            held = examiners(project)
            assert bool(held) is (start + count >= 8)
        assert len(held) == 20

    @pytest.mark.parametrize("first", range(4, 40, 6))
    def test_the_first_of_them_show_something_where_any_can(self, project, first):
        label(project, 4)
        assert examiners(project) == []
        there = range(first, first + 6)
        label(project, 40, start=4, there=lambda n: n in there)
        held = {int(name.removesuffix(".png")) for name in examiners(project)}
        assert len(held) == 9
        assert held & set(there)

    def test_who_examines_stays_and_who_taught_never_does(self, project):
        teaching: set[str] = set()
        held: set[str] = set()
        for start in range(0, 60, 6):
            label(project, 6, start=start)
            now = set(examiners(project))
            assert held <= now
            assert now.isdisjoint(teaching)
            held, every = now, {f"{n}.png" for n in range(start + 6)}
            teaching = every - now
        assert held.isdisjoint(f"{n}.png" for n in range(6))  # the first round's
        assert len(held) == 12

    def test_where_nobody_wrote_down_who_taught_all_may_have(self, project):
        label(project, 10)
        answers(project, "v1")
        assert examiners(project) == []
        label(project, 10, start=10)
        held = {int(name.removesuffix(".png")) for name in examiners(project)}
        assert held
        assert min(held) >= 10

    def test_no_long_run_of_single_labels_teaches_nothing(self, project):
        label(project, 10)
        before = set(examiners(project))
        assert len(before) == 2
        document = {"groups": project.document(DOCUMENT)["groups"]}
        record(project, "hold out", DOCUMENT, document)  # as once, without who taught
        answers(project, "v1")
        label(project, 90, start=10)
        assert set(examiners(project)) == before
        joined = []
        for n in range(100, 130):
            label(project, 1, start=n)
            now = set(examiners(project))
            joined.append(len(now - before))
            before = now
        assert 6 < sum(joined) < 24
        assert max(joined) == 1

    def test_a_later_image_of_a_patient_who_taught_teaches(self, project):
        label(project, 8, group=lambda n: f"p{n}")
        held = examiners(project)
        label(project, 24, start=8, group=lambda n: f"p{n % 8}")
        patients = {int(name.removesuffix(".png")) for name in held}
        mates = {f"{n}.png" for n in range(32) if n % 8 in patients}
        assert set(examiners(project)) == mates

    def test_who_taught_alone_never_examines_as_a_patient(self, project):
        label(project, 10)
        taught = {i.name for i in project.images()} - set(examiners(project))
        for image in project.images():
            project.update_image(image.id, group=f"patient of {image.name}")
        label(project, 40, start=10)
        assert taught.isdisjoint(examiners(project))
        assert len(examiners(project)) == 10

    def test_beside_imported_examiners_no_more_join(self, project):
        label(project, 10)
        before = examiners(project)
        late, _ = project.add_image(
            np.full((8, 8), 99, np.uint8), name="late.png", axes="yx", split=Split.VAL
        )
        target = project.target("disc")
        done = np.ones((8, 8), np.uint8)
        project.save_mask(late.id, target.id, done, status=MaskStatus.DONE)
        label(project, 40, start=10)
        assert examiners(project) == [*before, "late.png"]

    def test_enough_is_enough(self, project, monkeypatch):
        monkeypatch.setattr(validation, "ENOUGH", 4)
        for start in range(0, 60, 10):
            label(project, 10, start=start)
            held = examiners(project)
        assert len(held) == 4
        position = project.position
        examiners(project)
        assert project.position == position

    def test_nothing_new_is_not_written_down_again(self, project):
        label(project, 10)
        examiners(project)
        position = project.position
        examiners(project)
        assert project.position == position
