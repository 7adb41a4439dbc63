"""The next image: chosen from what is kept, kept up to date, and explained."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src_core.acquire import STRATEGIES, strategy
from src_core.rounds.choose import chooser_of, next_picks
from src_core.rounds.stock import series_of
from src_core.rounds.survey import Limits, take_in_looks, take_survey, training_images
from src_core.rounds.wishes import forget, pin, skip
from src_core.store import Project
from src_core.store.truth import truths
from src_core.types import MaskStatus, Split

MASK = np.ones((64, 64), np.uint8)


def finish(project, image, target, status=MaskStatus.DONE):
    standing = project.mask(image, target)
    return project.save_mask(
        image,
        target,
        MASK,
        who="ada",
        status=status,
        parent=None if standing is None else standing.revision,
        seconds_spent=30.0,
    )


def keys(picks):
    return [(p.image, p.target) for p in picks]


@pytest.fixture
def fresh(tmp_path, fill_project):
    """Eight training images, none labelled; two targets."""
    with Project.create(tmp_path / "fresh") as project:
        fill_project(project, {Split.TRAIN: 8, Split.TEST: 2}, labelled=0)
        yield project


class TestWithoutAModel:
    def test_the_reason_says_so(self, fresh):
        for name in STRATEGIES:
            picks = next_picks(fresh, None, 3, name)
            assert len(picks) == 3
            assert all("there is no model yet" in p.reason for p in picks)

    def test_only_training_images(self, fresh):
        picks = next_picks(fresh, None, 99)
        assert {p.image for p in picks} == {i.id for i in fresh.images(Split.TRAIN)}
        assert len(picks) == 16

    def test_the_default_knows_the_looks(self, fresh):
        assert "look alike" in next_picks(fresh, None, 1)[0].reason

    def test_chance_needs_no_looks(self, fresh):
        assert next_picks(fresh, None, 2, "random")
        assert not list(fresh.cache_dir.glob("looks*"))

    def test_a_project_without_targets_has_nameless_ones(self, tmp_path, fill_project):
        with Project.create(tmp_path / "p") as project:
            fill_project(project, {Split.TRAIN: 3}, labelled=0, targets=())
            assert {p.target for p in next_picks(project, None, 9)} == {""}

    def test_an_empty_project_has_no_next_image(self, tmp_path):
        with Project.create(tmp_path / "p") as project:
            assert next_picks(project, None, 5) == []

    def test_one_state_and_seed_one_choice(self, fresh):
        first = next_picks(fresh, None, 5, "random", seed=3)
        assert next_picks(fresh, None, 5, "random", seed=3) == first
        assert next_picks(fresh, None, 5, "random", seed=4) != first


class TestWithAModel:
    def test_only_unfinished_training_images_are_picked(self, taught, load_taught):
        with Project.open(taught) as project:
            waiting = project.images(Split.TRAIN)[5].id
            for name in STRATEGIES:
                picks = next_picks(project, load_taught(project), 10, name)
                assert {p.image for p in picks} == {waiting}
                assert {p.target for p in picks} == {"disc", "bar"}

    def test_the_model_is_loaded_only_where_it_is_needed(self, own_taught, load_taught):
        loaded = []

        def load():
            loaded.append(1)
            return load_taught(project)

        with Project.open(own_taught) as project:
            next_picks(project, load, 1, "random")
            assert loaded == []
            next_picks(project, load, 1)
            next_picks(project, load, 1)
            assert loaded == [1]
        with Project.open(own_taught) as project:  # what was learned is kept
            next_picks(project, load, 1)
            assert loaded == [1]

    def test_one_voice_is_said_to_be_one(self, taught, load_taught):
        with Project.open(taught) as project:  # the supervised method has one decoder
            picks = next_picks(project, load_taught(project), 2, "bald")
        assert all("one opinion only" in p.reason for p in picks)
        assert all(p.reason.startswith("drawn by chance") for p in picks)

    def test_a_half_finished_survey_serves(self, own_taught, load_taught, fill_project):
        with Project.open(own_taught, mode="rw") as project:
            fill_project(project, {Split.TRAIN: 10}, labelled=0, start=50)
            take_in_looks(project)
            take_survey(project, load_taught(project), Limits(images=9))
            chooser = chooser_of(project)
            assert chooser.catch_up().done == 9
            picks = chooser.pick(99, strategy("hybrid"))
            assert 0 < len({p.image for p in picks}) < 11
            blind = chooser.pick(99, strategy("random"))
            assert len({p.image for p in blind}) == 11

    def test_one_image_looked_at_is_one_to_choose(
        self, own_taught, load_taught, fill_project
    ):
        with Project.open(own_taught, mode="rw") as project:
            fill_project(project, {Split.TRAIN: 10}, labelled=0, start=50)
            waiting = (Limits(), Limits(images=1))
            picks = next_picks(project, load_taught(project), 3, waiting=waiting)
            assert picks
            assert not {p.image for p in picks} & set(truths(project))
            assert all("the first to be labelled" not in p.reason for p in picks)

    @pytest.mark.parametrize("name", ["hybrid", "bald"])
    def test_what_nobody_looked_at_is_not_called_labelled(
        self, own_taught, load_taught, fill_project, name
    ):
        with Project.open(own_taught, mode="rw") as project:
            model = load_taught(project)
            open_one = training_images(project)[5].id
            for target in project.targets():
                finish(project, open_one, target.id)
            take_survey(project, model)
            fill_project(project, {Split.TRAIN: 10}, labelled=0, start=50)
            nothing = (Limits(), Limits(seconds=0.0))
            picks = next_picks(project, model, 99, name, waiting=nothing)
            assert len({p.image for p in picks}) == 10
            assert all(p.reason.startswith("drawn by chance") for p in picks)
            assert all("not asked about these yet" in p.reason for p in picks)

    def test_a_pinned_image_need_not_be_looked_at(
        self, own_taught, load_taught, fill_project
    ):
        with Project.open(own_taught, mode="rw") as project:
            model = load_taught(project)
            take_survey(project, model)
            fill_project(project, {Split.TRAIN: 10}, labelled=0, start=50)
            wanted = training_images(project)[-1].id
            pin(project, wanted, reason="a rare one")
            nothing = (Limits(), Limits(seconds=0.0))
            picks = next_picks(project, model, 3, waiting=nothing)
            assert picks[0].image == wanted
            assert "a rare one" in picks[0].reason
            assert len({(p.image, p.target) for p in picks}) == 3

    def test_the_reason_names_the_nearest(self, own_taught, load_taught, fill_project):
        with Project.open(own_taught, mode="rw") as project:
            fill_project(project, {Split.TRAIN: 6}, labelled=0, start=50)
            pick = next_picks(project, load_taught(project), 1, "entropy")[0]
            names = {image.name for image in project.images(Split.TRAIN)[:5]}
        assert "the model is unsure" in pick.reason
        # How it is said depends on how far it is, and that on the machine's arithmetic.
        named = re.findall(r"im\d+\.png", pick.reason)
        assert named
        assert set(named) <= names


class TestKeepingUp:
    """What the chooser remembers is what a new one would gather."""

    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 7),
                st.sampled_from(["disc", "bar"]),
                st.sampled_from(["done", "reopen", "skip", "pin", "forget"]),
            ),
            max_size=8,
        ),
        st.sampled_from(["hybrid", "coreset", "typiclust", "random"]),
    )
    def test_step_by_step_is_as_anew(self, tmp_path_factory, fill_project, steps, name):
        path = tmp_path_factory.mktemp("steps") / "p"
        with Project.create(path) as project:
            fill_project(project, {Split.TRAIN: 8}, labelled=0)
            images = project.images()
            next_picks(project, None, 1, name)
            for row, target, what in steps:
                self.apply(project, images[row].id, target, what)
                kept = next_picks(project, None, 99, name)
                offered = set(keys(kept))
                assert len(offered) == len(kept)
                finished = {
                    (m.image, m.target) for m in project.masks() if m.status.is_truth
                }
                assert not offered & finished
                with Project.open(path) as other:
                    assert keys(next_picks(other, None, 99, name)) == keys(kept)

    @staticmethod
    def apply(project, image, target, what):
        standing = project.mask(image, target)
        if what == "done":
            finish(project, image, target)
        elif what == "reopen" and standing is not None:
            finish(project, image, target, MaskStatus.IN_PROGRESS)
        elif what == "skip":
            skip(project, image, "blurred", target=target)
        elif what == "pin":
            pin(project, image, target=target)
        elif what == "forget" and project.document(f"documents/wish.{image}"):
            wish = project.document(f"documents/wish.{image}")["wishes"]
            if wish:
                forget(project, image, target=wish[0]["target"])

    def test_labelling_an_image_takes_it_off_the_list(self, fresh):
        first = next_picks(fresh, None, 1)[0]
        finish(fresh, first.image, first.target)
        left = next_picks(fresh, None, 99)
        assert (first.image, first.target) not in keys(left)
        assert len(left) == 15

    def test_new_images_and_targets_are_noticed(self, fresh, fill_project):
        next_picks(fresh, None, 1)
        fill_project(fresh, {Split.TRAIN: 2}, labelled=0, start=70)
        fresh.add_target("ring", who="ada")
        picks = next_picks(fresh, None, 99)
        assert len(picks) == 30
        assert "ring" in {p.target for p in picks}

    def test_only_for_the_wanted_targets(self, fresh):
        picks = next_picks(fresh, None, 99, targets=["bar"])
        assert {p.target for p in picks} == {"bar"}
        assert len(picks) == 8

    def test_seconds_are_expected_once_there_is_a_history(self, fresh):
        images = fresh.images(Split.TRAIN)
        assert next_picks(fresh, None, 1)[0].seconds is None
        for image in images[:5]:
            finish(fresh, image.id, "disc")
        assert next_picks(fresh, None, 1)[0].seconds == pytest.approx(30, rel=0.1)


class TestWishes:
    def test_a_skipped_image_is_not_offered_and_comes_back_when_forgotten(self, fresh):
        first = fresh.images(Split.TRAIN)[0]
        skip(fresh, first.name, "moved during the scan", who="ada")
        assert first.id not in {p.image for p in next_picks(fresh, None, 99)}
        forget(fresh, first.id)
        assert first.id in {p.image for p in next_picks(fresh, None, 99)}

    def test_a_pinned_image_comes_first_with_its_reason(self, fresh):
        last = fresh.images(Split.TRAIN)[-1]
        pin(fresh, last.id, "rare", target="bar", who="ada")
        first, second = next_picks(fresh, None, 2)
        assert (first.image, first.target) == (last.id, "bar")
        assert first.reason == "pinned by ada: rare"
        assert first.score > second.score
        finish(fresh, last.id, "bar")
        assert "pinned" not in next_picks(fresh, None, 1)[0].reason

    def test_they_survive_a_restart(self, fresh):
        one, two = (image.id for image in fresh.images(Split.TRAIN)[:2])
        skip(fresh, one, "blurred", target="disc")
        pin(fresh, two)
        with Project.open(fresh.path) as again:
            picks = keys(next_picks(again, None, 99))
        assert (one, "disc") not in picks
        assert (one, "bar") in picks
        assert {key[0] for key in picks[:2]} == {two}


class TestKinds:
    """A target is not looked for where many others are drawn and it never is."""

    FILMS, STACKS = ({f"{name}{n}" for n in range(6)} for name in ("film", "stack"))

    @staticmethod
    def _project(path, drawn, axes=("yx", "zyx")):
        """Six films and six stacks; `drawn` is (name, how many, target, status)."""
        project = Project.create(path)
        rng = np.random.default_rng(0)
        for name, order in zip(("film", "stack"), axes, strict=True):
            shape = (3, 16, 16)[-len(order) :]
            for number in range(6):
                pixels = rng.integers(0, 255, shape, np.uint8)
                project.add_image(pixels, name=f"{name}{number}", axes=order)
        for target in ("lung", "gland"):
            project.add_target(target)
        for name, count, target, status in drawn:
            for number in range(count):
                image = project.image(f"{name}{number}")
                mask = np.ones(image.spatial_shape, np.uint8)
                empty = status is MaskStatus.EMPTY
                project.save_mask(
                    image.id, target, None if empty else mask, status=status
                )
        return project

    @staticmethod
    def _offered(project):
        picks = next_picks(project, None, 99)
        return [{p.image for p in picks if p.target == t} for t in ("lung", "gland")]

    @pytest.mark.parametrize(
        ("drawn", "lungs", "glands"),
        [
            ((), 6, 6),
            # Of a target that is drawn nowhere yet nobody knows where it is.
            ((("stack", 5, "gland", MaskStatus.DONE),), 6, 1),
            (
                (
                    ("film", 1, "lung", MaskStatus.DONE),
                    ("stack", 4, "gland", MaskStatus.DONE),
                ),
                6,
                2,
            ),
            (
                (
                    ("film", 1, "lung", MaskStatus.DONE),
                    ("stack", 5, "gland", MaskStatus.DONE),
                ),
                0,
                1,
            ),
            # That it is not there does not make it at home there.
            (
                (
                    ("film", 1, "lung", MaskStatus.DONE),
                    ("stack", 1, "lung", MaskStatus.EMPTY),
                    ("stack", 5, "gland", MaskStatus.DONE),
                ),
                0,
                1,
            ),
        ],
    )
    def test_only_evidence_makes_a_target_foreign(self, tmp_path, drawn, lungs, glands):
        with self._project(tmp_path / "p", drawn) as project:
            found = self._offered(project)
        assert [len(self.STACKS & images) for images in found] == [lungs, glands]

    def test_one_mask_hides_no_target(self, tmp_path):
        """Two targets on films; the first stack is drawn on for one of them."""
        films = [("film", 6, target, MaskStatus.DONE) for target in ("lung", "gland")]
        drawn = [*films, ("stack", 1, "lung", MaskStatus.DONE)]
        with self._project(tmp_path / "p", drawn) as project:
            lungs, glands = self._offered(project)
        assert (lungs, glands) == (self.STACKS - {"stack0"}, self.STACKS)

    @pytest.mark.parametrize(("slides", "lungs"), [(4, STACKS), (5, set())])
    def test_grey_and_colour_are_two_kinds(self, tmp_path, slides, lungs):
        drawn = [
            ("film", 6, "lung", MaskStatus.DONE),
            ("stack", slides, "gland", MaskStatus.DONE),
        ]
        with self._project(tmp_path / "p", drawn, ("yx", "cyx")) as project:
            assert self._offered(project)[0] == lungs


@pytest.mark.parametrize(
    ("names", "groups", "stacks", "places"),
    [
        (["p1_s03", "p1_s04", "p2_s04"], [0, 0, 1], [0, 0, 1], [3, 4, 4]),
        (["a_f1_s3", "a_f2_s3"], [0, 0], [0, 1], [3, 3]),
        (["slice 9.png", "slice 10.png"], [0, 0], [0, 0], [9, 10]),
        (["heart", "lung"], [0, 1], [-1, -1], [0, 0]),
        (["12", "13", "7b\n", "8b\n"], [0, 0, 0, 0], [0, 0, 1, 1], [12, 13, 7, 8]),
        (["0123456789012", "0123456789013"], [0, 0], [-1, -1], [0, 0]),
    ],
)
def test_stacks_are_read_from_names(names, groups, stacks, places):
    series, place = series_of(names, np.array(groups))
    assert series.tolist() == stacks
    assert place.tolist() == places


def test_the_gallery_leaves_out_what_is_held_out(fresh):
    next_picks(fresh, None, 1)
    assert len(training_images(fresh)) == 8
