"""Why this image: the heat map, and where to look."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.errors import NotFoundError
from src_core.rounds.explain import explain
from src_core.store import Project
from src_core.types import Split


@pytest.fixture
def bright(own_taught, load_taught, blob):
    """A project, and a model that finds what is bright: unsure of what is half so."""
    with Project.open(own_taught, mode="rw") as project:
        model = load_taught(project)
        model.net = blob(decoders=2, cut=0.8).eval()
        yield project, model


def half_bright(*at):
    """A dark picture with bright squares, of which those at `at` are half bright."""
    picture = np.full((64, 64), 20, np.uint8)
    for top, left in ((4, 4), (4, 48), (48, 4), (48, 48)):
        value = 110 if (top, left) in at else 240
        picture[top : top + 12, left : left + 12] = value
    return picture


def test_the_heat_lies_where_the_model_wavers(bright):
    project, model = bright
    project.add_image(half_bright((48, 4)), name="half", axes="yx", who="ada")
    model.net.decoders = 1
    told = explain(project, model, "half", "disc")
    assert told.heat.shape == (64, 64)
    assert told.heat.dtype == np.float32
    assert 0 <= told.heat.min() <= told.heat.max() <= 1
    assert told.heat[48:60, 4:16].sum() > 0.8 * told.heat.sum()
    region = told.regions[0]
    assert region.rows[0] <= 48 < 60 <= region.rows[1]
    assert region.columns[0] <= 4 < 16 <= region.columns[1]
    assert told.sentence.startswith("Look first at the lower left of the picture: ")
    assert "brightness and contrast" in told.sentence


def test_where_all_agree_there_is_nowhere_to_look(bright):
    project, model = bright
    blank = np.zeros((64, 64), np.uint8)
    project.add_image(blank, name="blank", axes="yx", who="ada")
    model.net.decoders, model.net.cut = 1, 5.0
    told = explain(project, model, "blank", "disc")
    assert told.regions == []
    assert "agree everywhere" in told.sentence


def test_two_decoders_are_named(bright):
    project, model = bright
    project.add_image(half_bright(), name="clear", axes="yx", who="ada")
    told = explain(project, model, "clear", "disc")
    assert "the two decoders" in told.sentence
    assert told.heat.max() > 0.5  # the second says the opposite of the first


def test_a_volume_has_heat_in_every_slice(own_taught, load_taught):
    with Project.open(own_taught, mode="rw") as project:
        planes = [project.pixels(i)[...] for i in project.images(Split.TEST)]
        project.add_image(np.stack(planes), name="volume", axes="zyx", who="ada")
        model = load_taught(project)
        told = explain(project, model, "volume", "disc")
        alone = explain(project, model, project.images(Split.TEST)[0].id, "disc")
    assert told.heat.shape == (3, 64, 64)
    assert alone.heat.shape == (64, 64)
    assert told.heat.sum() > 0
    assert {region.slice for region in told.regions} <= {0, 1, 2}
    assert "in slice" in told.regions[0].words


def test_large_pictures_are_joined_from_their_tiles(own_taught, load_taught):
    with Project.open(own_taught, mode="rw") as project:
        model = load_taught(project)
        frame = model.card.settings.frame.model_copy(update={"tiles": True})
        change = {"settings": model.card.settings.model_copy(update={"frame": frame})}
        model.card = model.card.model_copy(update=change)
        tile = project.pixels(project.images(Split.TEST)[0])[...]
        project.add_image(np.tile(tile, (2, 3)), name="large", axes="yx", who="ada")
        told = explain(project, model, "large", "disc")
    assert told.heat.shape == (128, 192)
    assert (told.heat[:, 96:] > 0.01).any()


@pytest.mark.parametrize(("image", "target"), [("nobody", "disc"), ("im0.png", "lung")])
def test_what_is_not_there_is_a_sentence(taught, load_taught, image, target):
    with Project.open(taught) as project, pytest.raises(NotFoundError):
        explain(project, load_taught(project), image, target)
