"""Planted label errors in a real project with a real model."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.rounds.review import doubts
from src_core.store import Project
from src_core.store.truth import read_truth
from src_core.types import MaskStatus, Split


@pytest.fixture
def project(own_taught):
    with Project.open(own_taught, mode="rw") as opened:
        yield opened


def resave(project, image, target, mask, status=MaskStatus.DONE):
    project.save_mask(
        image,
        target,
        mask,
        who="eve",
        status=status,
        parent=project.mask(image, target).revision,
    )


def test_careful_masks_are_not_doubted(project, load_taught):
    assert doubts(project, load_taught(project)) == []


def test_planted_errors_come_first_and_say_what_is_wrong(project, load_taught):
    one, two, three, *_ = (image.id for image in project.images(Split.TRAIN))
    true = read_truth(project, one, ["disc", "bar"])
    resave(project, one, "disc", true["bar"])
    resave(project, two, "disc", None, MaskStatus.EMPTY)
    half = read_truth(project, three, ["bar"])["bar"]
    half[:, :40] = 0
    resave(project, three, "bar", half)
    found = doubts(project, load_taught(project))
    assert {(d.image, d.target) for d in found} == {
        (one, "disc"),
        (two, "disc"),
        (three, "bar"),
    }
    says = {d.image: d.sentence for d in found}
    assert says[one] == "what is drawn as 'disc' looks like 'bar' to the model"
    assert says[two].startswith("'disc' is marked as not there")
    assert says[three].startswith("the model is sure of more 'bar' than is drawn")
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    # Saved after the model was trained: it has not learned from them.
    assert not any(d.learned for d in found)
    third = next(d for d in found if d.image == three)
    region = third.regions[0]
    assert region.slice is None
    assert region.rows[0] < 56
    assert region.rows[1] > 46
    assert region.columns[0] < 40


def test_the_newest_are_looked_at_when_there_are_too_many(project, load_taught):
    first = project.images(Split.TRAIN)[0].id
    resave(project, first, "disc", None, MaskStatus.EMPTY)
    found = doubts(project, load_taught(project), most=1)
    assert {d.image for d in found} == {first}


def test_being_told_to_stop(project, load_taught):
    assert doubts(project, load_taught(project), should_stop=lambda: True) == []


def test_a_volume_is_doubted_in_a_slice(project, load_taught):
    images = project.images(Split.TRAIN)[:3]
    planes = [project.pixels(image)[...] for image in images]
    truth = [read_truth(project, image.id, ["disc"])["disc"] for image in images]
    volume, _ = project.add_image(
        np.stack(planes), name="volume", axes="zyx", group="pv", who="ada"
    )
    truth[1] = np.zeros_like(truth[1])
    project.save_mask(
        volume.id, "disc", np.stack(truth), who="eve", status=MaskStatus.DONE
    )
    found = doubts(project, load_taught(project))
    assert [d.image for d in found] == [volume.id]
    assert found[0].regions[0].slice == 1
