"""What each round cost a person, from the ledger."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.checkpoints import CARD, ModelCard
from src_core.config import ModelSettings
from src_core.rounds import effort
from src_core.store import Project
from src_core.types import HUMAN, MaskStatus, Source, SourceKind


def square(side: int) -> np.ndarray:
    made = np.zeros((16, 16), np.uint8)
    made[:side, :side] = 1
    return made


def train(project: Project, version: str) -> None:
    """Leave what a training leaves: a version with its position."""
    folder = project.models_dir / version
    folder.mkdir()
    card = ModelCard(
        version=version,
        created="2026-01-01T00:00:00+00:00",
        position=project.position,
        settings=ModelSettings(),
        targets=["heart"],
        labelled=1,
        unlabelled=1,
        steps=1,
        seconds=1.0,
    )
    (folder / CARD).write_text(card.model_dump_json())


def correct(project: Project, image: str, proposed: int, drawn: int, version: str):
    """Save a proposal of a model, and what a person made of it in half a minute."""
    model = Source(SourceKind.MODEL, version, "heart")
    first = project.save_mask(
        image, "heart", square(proposed), status=MaskStatus.PROPOSED, source=model
    )
    project.save_mask(
        image,
        "heart",
        square(drawn),
        status=MaskStatus.DONE,
        source=Source(SourceKind.HUMAN, version, "heart"),
        parent=first.number,
        seconds_spent=30.0,
    )


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "p", who="ada") as made:
        made.add_target("heart")
        for number in range(5):
            pixels = np.full((16, 16), number, np.uint8)
            made.add_image(pixels, name=f"i{number}", axes="yx")
        yield made


def test_a_project_that_nobody_touched_has_one_empty_round(project) -> None:
    [only] = effort(project)
    assert (only.number, only.images, only.minutes_an_image, only.dice) == (
        1,
        0,
        0,
        None,
    )


def test_rounds_end_where_a_training_began(project) -> None:
    done = MaskStatus.DONE
    project.save_mask("i0", "heart", square(8), status=done, seconds_spent=120.0)
    train(project, "v1")
    correct(project, "i1", 8, 8, "v1")
    correct(project, "i2", 4, 8, "v1")
    train(project, "v2")
    correct(project, "i3", 8, 8, "v2")
    first, second, third = effort(project)
    assert (first.images, first.minutes, first.model, first.dice) == (1, 2.0, "", None)
    assert (second.images, second.minutes_an_image) == (2, 0.5)
    assert (second.model, second.proposals) == ("v1", 2)
    assert second.dice == pytest.approx((1 + 2 * 16 / 80) / 2)
    assert (third.model, third.dice) == ("v2", 1.0)


def test_only_what_people_finished_counts(project) -> None:
    imported = Source(SourceKind.IMPORT)
    project.save_mask("i0", "heart", square(3), status=MaskStatus.DONE, source=imported)
    project.save_mask("i1", "heart", square(3), status=MaskStatus.IN_PROGRESS)
    project.save_mask("i2", "heart", None, status=MaskStatus.EMPTY, source=HUMAN)
    project.save_mask("i3", "heart", square(2), status=MaskStatus.FLAGGED, note="?")
    project.sign_off("i2", "heart", "eve")
    [only] = effort(project)
    assert (only.images, only.masks) == (2, 2)


def test_a_damaged_version_does_not_hide_the_others(project) -> None:
    train(project, "v1")
    train(project, "v2")
    (project.models_dir / "v1" / CARD).write_text("{")
    assert len(effort(project)) == 2
