"""How far labelling has got: mask by mask the same as counted anew."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.rounds.chooser import Chooser
from src_core.store import Project
from src_core.types import MaskStatus, Split

STATUSES = [MaskStatus.DONE, MaskStatus.EMPTY, MaskStatus.IN_PROGRESS]


def _standing(chooser):
    chooser.catch_up()
    # All images, whether anything has looked at them or not.
    return chooser._unseen()[1]


def _told(chooser):
    goals = _standing(chooser).goals
    return [
        (g.id, sorted(g.labelled), g.finished, g.absent, g.prevalence) for g in goals
    ]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_there_and_what_is_not_is_kept_up(tmp_path, fill_project, seed):
    rng = np.random.default_rng(seed)
    with Project.create(tmp_path / "p") as project:
        fill_project(project, {Split.TRAIN: 5}, labelled=1)
        images, targets = project.images(), project.targets()
        kept = Chooser(project)
        _told(kept)
        for _ in range(12):
            image, target = (
                some[int(rng.integers(len(some)))] for some in (images, targets)
            )
            status = STATUSES[int(rng.integers(3))]
            mask = np.full((64, 64), status is not MaskStatus.EMPTY, np.uint8)
            standing = project.mask(image.id, target.id)
            parent = standing.revision if standing else None
            project.save_mask(image.id, target.id, mask, status=status, parent=parent)
            assert _told(kept) == _told(Chooser(project))
        assert any(goal.absent for goal in _standing(kept).goals)


def test_prevalence_is_by_what_is_finished(tmp_path, fill_project):
    with Project.create(tmp_path / "p") as project:
        fill_project(project, {Split.TRAIN: 4}, labelled=3, targets=("disc",))
        image, target = project.images()[3], project.targets()[0]
        empty = np.zeros((64, 64), np.uint8)
        project.save_mask(image.id, target.id, empty, status=MaskStatus.EMPTY)
        (goal,) = _standing(Chooser(project)).goals
        assert (len(goal.labelled), goal.finished, goal.absent) == (4, 4, 1)
        assert goal.prevalence == pytest.approx(4 / 6)
