"""The learning curve of a project, and how good its proposals were."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from src_core.checkpoints import ModelCard, save_model
from src_core.config import ModelSettings
from src_core.rounds.outlook import outlook
from src_core.store import Project
from src_core.types import MaskStatus, Split


@pytest.fixture
def project(tmp_path, fill_project):
    with Project.create(tmp_path / "p") as opened:
        fill_project(opened, {Split.TRAIN: 4}, labelled=0)
        yield opened


def measured(project, *pairs, images_each=None):
    """Write versions with so many labels and that Dice; cards of today with images."""
    for number, (labelled, value) in enumerate(pairs, start=1):
        card = ModelCard(
            version=f"v{number}",
            created="2026-01-01T00:00:00+00:00",
            position=1,
            settings=ModelSettings(),
            targets=["disc"],
            labelled=labelled,
            unlabelled=0,
            labelled_images=images_each and labelled // images_each,
            steps=1,
            seconds=1.0,
            validation={} if value is None else {"disc": value, "mean": value},
        )
        save_model(project.models_dir, {"w": torch.zeros(1)}, card)


STEEP = [(5, 0.4), (10, 0.55), (20, 0.67), (40, 0.76)]
FLAT = [(5, 0.88), (10, 0.90), (20, 0.903), (40, 0.904), (60, 0.904), (80, 0.904)]


def test_a_steep_curve_says_go_on(project):
    measured(project, *STEEP)
    told = outlook(project)
    assert [p.labelled for p in told.points] == [5, 10, 20, 40]
    assert told.gain.low <= told.gain.mean <= told.gain.high
    assert told.gain.mean > 0.02
    assert not told.enough
    assert told.sentence.startswith("30 more images are expected to add ")
    assert told.curve[-1][0] == 70
    assert told.curve[0][1].mean == pytest.approx(0.4, abs=0.03)


def test_a_flat_curve_says_stop(project):
    measured(project, *FLAT)
    told = outlook(project)
    assert told.enough
    assert "hardly pays" in told.sentence


def test_a_kept_aside_version_is_no_regress(project):
    measured(project, *STEEP, (40, 0.30))
    assert outlook(project).gain.mean == pytest.approx(
        outlook(project).gain.mean, abs=1e-9
    )
    assert len(outlook(project).points) == 5
    assert outlook(project).curve[-1][1].mean > 0.76


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([], "No model has been measured yet"),
        ([(5, None)], "No model has been measured yet"),
        ([(5, 0.4), (5, 0.5), (9, 0.6)], "3 models measured so far"),
    ],
)
def test_too_little_to_say_is_said(project, pairs, says):
    measured(project, *pairs)
    told = outlook(project)
    assert told.gain is None
    assert told.curve == ()
    assert told.sentence.startswith(says)


def add_volume(project):
    volume = np.zeros((3, 64, 64), np.uint8)
    project.add_image(volume, name="volume", axes="zyx", who="ada")


def test_a_volume_is_one_image(project):
    add_volume(project)
    pairs = [(100 * labelled, dice) for labelled, dice in STEEP]
    measured(project, *pairs, images_each=100)
    told = outlook(project)
    assert [p.labelled for p in told.points] == [5, 10, 20, 40]
    assert told.curve[-1][0] == 70


def test_slices_that_were_counted_as_images_decide_nothing(project):
    measured(project, *FLAT)
    assert outlook(project).enough
    add_volume(project)
    told = outlook(project)
    assert not told.enough
    assert (told.points, told.gain) == ((), None)
    assert "6 of them from before the program counted whole images" in told.sentence


def test_minutes_come_from_the_history(project):
    measured(project, *STEEP)
    assert outlook(project).minutes is None
    image = project.images()[0].id
    project.save_mask(
        image,
        "disc",
        np.ones((64, 64), np.uint8),
        who="ada",
        status=MaskStatus.DONE,
        seconds_spent=40.0,
    )
    assert outlook(project).minutes == pytest.approx(20.0)
    assert "20 minutes of work" in outlook(project).sentence
