"""Planted label errors in a real project with a real model."""

from __future__ import annotations

from types import SimpleNamespace

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
    assert says[two].startswith(
        "'disc' is marked as not there, but the model is sure that it is there, most "
    )
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


@pytest.mark.parametrize(
    ("orientation", "words"),
    [("", "upper left"), ("SPL", "upper left"), ("SAR", "lower right")],
)
def test_places_are_named_as_they_are_seen(project, orientation, words):
    """Pixels are counted as they are stored; a person sees the volume upright."""
    volume = np.zeros((2, 64, 64), np.uint8)
    image, _ = project.add_image(
        volume, name="volume", axes="zyx", orientation=orientation, who="ada"
    )
    drawn = np.zeros((2, 64, 64), np.uint8)
    drawn[:, 24:40, 24:40] = 1
    project.save_mask(image.id, "disc", drawn, who="eve", status=MaskStatus.DONE)
    seen = np.where(drawn, 0.99, 0.01).astype(np.float32)
    seen[:, :12, :12] = 0.99
    found = next(d for d in doubts(project, Sure(seen)) if d.image == image.id)
    assert f"most at the {words}" in found.sentence
    assert found.regions[0].rows[0] == found.regions[0].columns[0] == 0


class Sure:
    """A model that knows one target, and answers every volume alike."""

    def __init__(self, seen):
        self.card = SimpleNamespace(targets=["disc"], position=0)
        self.answers = [SimpleNamespace(probability=seen)]
        self.blank = [SimpleNamespace(probability=np.zeros_like(seen[0]))]

    def predict(self, pixels, axes, prompts, *, like):
        return self.answers if "z" in axes else self.blank


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
