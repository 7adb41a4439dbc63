"""The whole pool looked at: resumable, fair while it is partial, and kept."""

from __future__ import annotations

import time
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from src_core.predict import Predictor
from src_core.rounds import survey
from src_core.rounds.promotion import deployed_card
from src_core.rounds.survey import (
    VIEWS,
    Limits,
    looks_shelf,
    survey_shelf,
    take_in_looks,
    take_survey,
    training_images,
)
from src_core.rounds.tally import COLUMNS
from src_core.store import Project
from src_core.store.truth import truths
from src_core.types import MaskStatus, Split
from src_core.worker import look_at_pool

SLOW = 0.05
"""Seconds a view takes beyond its own."""


def add_volume(project: Project, slices: int) -> str:
    pixels = project.pixels(training_images(project)[0])[...]
    volume, _ = project.add_image(
        np.stack([pixels] * slices), name="volume", axes="zyx", group="pv", who="ada"
    )
    return volume.id


@pytest.fixture
def slow_views(monkeypatch):
    """Make views slow; the list grows by one with each picture shown."""
    shown, views = [], Predictor.views

    def slow(*args):
        time.sleep(SLOW)
        shown.append(1)
        return views(*args)

    monkeypatch.setattr(Predictor, "views", slow)
    return shown


@pytest.fixture
def project(own_taught):
    with Project.open(own_taught, mode="rw") as opened:
        yield opened


class TestLooks:
    def test_every_picture_of_every_split(self, project):
        seen = []
        known = take_in_looks(
            project, Limits(progress=lambda done, total: seen.append((done, total)))
        )
        assert (known.done, known.total, known.complete) == (12, 12, True)
        assert seen[-1] == (12, 12)
        assert looks_shelf(project).ids() == {i.id for i in project.images()}

    def test_it_goes_on_where_it_stopped(self, project):
        assert take_in_looks(project, Limits(images=5)).done == 5
        first = looks_shelf(project).read()
        # Training images come first: they are what is chosen from.
        train = {image.id for image in training_images(project)}
        assert set(first.ids) <= train
        assert take_in_looks(project, Limits(images=5)).done == 10
        assert take_in_looks(project).done == 12
        rows = looks_shelf(project).read()
        for name, row in zip(first.ids, first.arrays["features"], strict=True):
            now = rows.arrays["features"][rows.ids.index(name)]
            assert np.array_equal(now, row)

    def test_being_told_to_stop(self, project):
        calls = []
        limits = Limits(should_stop=lambda: len(calls) >= 3 or calls.append(1))
        assert take_in_looks(project, limits).done == 3

    def test_no_time_is_no_work(self, project):
        assert take_in_looks(project, Limits(seconds=0.0)).done == 0

    def test_a_broken_image_does_not_hide_the_others(self, project):
        broken = training_images(project)[2]
        (project.path / "images" / f"{broken.id}.ome.zarr" / "0" / "zarr.json").unlink()
        known = take_in_looks(project)
        assert (known.done, known.total, known.failed) == (11, 12, 1)


class TestSurvey:
    def test_every_training_image_and_learned_target(self, project, load_taught):
        model = load_taught(project)
        known = take_survey(project, model)
        assert (known.done, known.total) == (6, 6)
        rows = survey_shelf(project, model.card).read()
        assert set(rows.ids) == {i.id for i in training_images(project)}
        assert rows.arrays["tally"].shape == (6, 2, len(COLUMNS))
        assert rows.arrays["features"].shape[0] == 6
        found = rows.arrays["tally"][:, :, COLUMNS.index("found")]
        assert (found > 50).all()

    def test_resumed_or_at_once_is_the_same(self, project, load_taught, tmp_path):
        model = load_taught(project)
        for _ in range(3):
            take_survey(project, model, Limits(images=2))
        shelf = survey_shelf(project, model.card)
        pieces = shelf.read()
        for path in shelf.folder.iterdir():
            path.unlink()
        take_survey(project, model)
        whole = shelf.read()
        column = COLUMNS.index("entropy")
        for name in pieces.ids:
            a = pieces.arrays["tally"][pieces.ids.index(name), :, column]
            b = whole.arrays["tally"][whole.ids.index(name), :, column]
            assert a == pytest.approx(b, rel=1e-4)

    def test_an_open_and_a_finished_image_in_turn(
        self, project, load_taught, fill_project
    ):
        fill_project(project, {Split.TRAIN: 4}, labelled=0, start=50)
        model = load_taught(project)
        finished = set(truths(project))
        for looked_at in (2, 4, 8):
            take_survey(project, model, Limits(images=2 if looked_at < 8 else 4))
            known = survey_shelf(project, model.card).ids()
            assert len(known) == looked_at
            assert len(finished & known) == looked_at // 2

    def test_what_is_looked_at_is_there_within_seconds(
        self, project, load_taught, monkeypatch
    ):
        # By a clock on which each picture takes a second.
        clock = count()
        slow = SimpleNamespace(monotonic=lambda: float(next(clock)))
        monkeypatch.setattr(survey, "time", slow)
        model, kept = load_taught(project), []
        shelf = survey_shelf(project, model.card)
        limits = Limits(progress=lambda *_: kept.append(len(shelf.ids())))
        monkeypatch.setattr(survey, "VIEWS", 1)
        assert take_survey(project, model, limits).done == 6
        assert kept[0] == 0
        assert kept[-1] >= 2

    def test_another_version_has_a_shelf_of_its_own(self, project, load_taught):
        model = load_taught(project)
        take_survey(project, model)
        other = model.card.model_copy(update={"version": "v2"})
        assert len(survey_shelf(project, other).read()) == 0
        again = model.card.model_copy(update={"created": "1999-01-01"})
        assert len(survey_shelf(project, again).read()) == 0

    def test_a_volume_is_one_row_and_names_its_slice(self, project, load_taught):
        planes = [project.pixels(i)[...] for i in training_images(project)[:3]]
        planes.insert(1, np.full((64, 64), 120, np.uint8))
        volume, _ = project.add_image(
            np.stack(planes), name="volume", axes="zyx", group="pv", who="ada"
        )
        model = load_taught(project)
        take_survey(project, model)
        rows = survey_shelf(project, model.card).read()
        row = rows.arrays["tally"][rows.ids.index(volume.id)]
        assert (row[:, COLUMNS.index("pixels")] == 4 * 64 * 64).all()
        assert set(row[:, COLUMNS.index("hot_z")]) <= {0, 1, 2, 3}

    def test_a_long_volume_is_given_up_when_told_to_stop(
        self, project, load_taught, slow_views
    ):
        volume = add_volume(project, slices=5 * VIEWS)
        model = load_taught(project)
        limits = Limits(should_stop=lambda: len(slow_views) > VIEWS)
        known = take_survey(project, model, limits)
        assert (known.total, known.failed) == (7, 0)
        assert len(slow_views) <= 2 * VIEWS
        shelf = survey_shelf(project, model.card)
        assert volume not in shelf.ids()
        assert take_survey(project, model).done == 7
        assert volume in shelf.ids()

    def test_whoever_waits_gets_on_by_one_volume(
        self, project, load_taught, slow_views
    ):
        volume = add_volume(project, slices=5 * VIEWS)
        model = load_taught(project)
        # The pictures before it leave no time for a volume ...
        known = take_survey(project, model, Limits(seconds=SLOW * VIEWS))
        assert 1 <= known.done < 7
        assert known.failed == 0
        assert len(slow_views) <= 2 * VIEWS
        # ... which is not given up where it is all there is.
        take_survey(project, model, Limits(seconds=SLOW * VIEWS))
        assert volume in survey_shelf(project, model.card).ids()

    def test_a_broken_image_does_not_hide_the_others(self, project, load_taught):
        broken = training_images(project)[1]
        (project.path / "images" / f"{broken.id}.ome.zarr" / "0" / "zarr.json").unlink()
        known = take_survey(project, load_taught(project))
        assert (known.done, known.failed) == (5, 1)

    def test_the_survey_writes_nothing_but_its_cache(self, project, load_taught):
        position = project.position
        take_survey(project, load_taught(project))
        assert project.position == position

    def test_a_target_that_was_not_learned_is_not_asked(self, project, load_taught):
        target = project.add_target("ring", who="ada")
        image = training_images(project)[0]
        mask = np.ones((64, 64), np.uint8)
        project.save_mask(image.id, target.id, mask, who="ada", status=MaskStatus.DONE)
        model = load_taught(project)
        take_survey(project, model)
        rows = survey_shelf(project, deployed_card(project)).read()
        assert rows.arrays["tally"].shape[1] == 2


class TestTheWorkersJob:
    """Both in one go, as the worker does after a round and in idle time."""

    def test_all_of_it_and_what_follows_from_it(self, own_taught):
        told = []
        answer = look_at_pool(own_taught, "", None, told.append, lambda: False)
        assert answer == {"looks": [12, 12], "survey": [6, 6]}
        assert {event["text"] for event in told} == {
            "looking at the pictures",
            "asking the model",
        }
        assert told[-1] == told[-1] | {"kind": "looking", "done": 6, "total": 6}
        again = look_at_pool(own_taught, "", None, told.append, lambda: False)
        assert again == answer

    def test_it_ends_when_told_to(self, own_taught):
        answer = look_at_pool(own_taught, "", None, lambda _: None, lambda: True)
        assert answer == {"looks": [0, 12], "survey": [0, 6]}
        answer = look_at_pool(own_taught, "", 0.0, lambda _: None, lambda: False)
        assert answer == {"looks": [0, 12], "survey": [0, 6]}

    def test_without_a_model_there_are_only_looks(self, tmp_path, fill_project):
        with Project.create(tmp_path / "p") as project:
            fill_project(project, {Split.TRAIN: 3}, labelled=0)
        answer = look_at_pool(tmp_path / "p", "", None, lambda _: None, lambda: False)
        assert answer == {"looks": [3, 3], "survey": None}
