"""Whole rounds on a small project: what they see, write, and never touch."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from discs_and_bars import draw
from src_core.checkpoints import CARD, WEIGHTS, list_models, load_model
from src_core.config import FrameSettings
from src_core.devices import Device
from src_core.errors import BadInputError, NoModelError, NotFoundError, UserError
from src_core.predict import Predictor
from src_core.rounds import (
    PromptFrom,
    RoundRequest,
    deployed_card,
    ensure_validation,
    evaluate,
    held_out_groups,
    promote,
    promote_result,
    promoted,
    read_comparison,
)
from src_core.rounds.round import Round, RoundHooks
from src_core.rounds.snapshot import choose_frame, pool_items
from src_core.store import Project
from src_core.types import MaskStatus, Source, SourceKind, Split

FRAME = FrameSettings(size=64, tiles=False)
CPU = Device(torch.device("cpu"), bf16=False)


def _run(folder, request, at=None):
    with Project.open(folder, at=at) as project:
        return Round(project, request, CPU).run()


@pytest.mark.parametrize(
    ("changes", "seconds", "steps", "clock"),
    [
        ({}, 60.0, None, time.monotonic),
        ({"minutes": 0.5}, 30.0, None, time.monotonic),
        ({"minutes": 0.5, "clock": "cpu"}, 30.0, None, time.process_time),
        ({"steps": 7}, None, 7, time.monotonic),
    ],
)
def test_a_request_says_how_long(changes, seconds, steps, clock):
    budget = RoundRequest(**changes).budget()
    assert (budget.seconds, budget.steps, budget.clock) == (seconds, steps, clock)


def _promote(folder, version):
    with Project.open(folder, mode="rw") as project:
        promote(project, version, who="ada", reason="test")


def test_a_round_writes_a_version_and_nothing_else(folder, request_):
    with Project.open(folder) as project:
        before = project.position
    result = _run(folder, request_())
    with Project.open(folder) as project:
        assert project.position == before
        assert promoted(project) is None
        card = deployed_card(project, result.version)
    assert (result.labelled, result.unlabelled) == (4, 2)
    assert card.position == result.position == before
    assert card.settings.frame.size == 64
    assert card.settings.net.text_width == 384
    assert set(card.validation) == {"disc", "bar", "mean"}


def test_a_round_keeps_what_it_changed_image_by_image(folder, request_):
    first = _run(folder, request_())
    _promote(folder, first.version)
    second = _run(folder, request_(steps=8))
    with Project.open(folder) as project:
        one, two = (
            read_comparison(project.models_dir / result.version)
            for result in (first, second)
        )
        truths = len(project.masks(Split.VAL))
    assert (one.against, two.against) == ("", first.version)
    assert len(one.pairs) == len(two.pairs) == truths
    assert two.verdict == second.verdict
    for old, new in zip(one.pairs, two.pairs, strict=True):
        assert (old.image, old.target, old.new) == (new.image, new.target, new.old)


def test_a_round_on_volumes_knows_which_images_taught_it(tmp_path, request_):
    with Project.create(tmp_path / "p") as project:
        target = project.add_target("disc", ("the disc",), who="ada").id
        for n, split in enumerate([*[Split.TRAIN] * 3, Split.VAL]):
            slices = [draw(3 * n + z) for z in range(3)]
            pixels = np.stack([pixels for pixels, _ in slices])
            masks = np.stack([masks["disc"] for _, masks in slices])
            name = f"v{n}.nii"
            image, _ = project.add_image(pixels, name=name, axes="zyx", split=split)
            status = MaskStatus.DONE
            project.save_mask(image.id, target, masks, who="ada", status=status)
    with Project.open(tmp_path / "p") as project:
        outcome = Round(project, request_(), CPU).train()
        teaching = {image.id for image in project.images(Split.TRAIN)}
        result = Round(project, request_(), CPU).conclude(outcome)
        assert set(outcome.familiar) == teaching
        assert set(deployed_card(project, result.version).validation) == {
            target,
            "mean",
        }


@pytest.mark.parametrize(
    ("part", "name", "value"), [("text", "encoder", "minilm2"), ("frame", "size", 96)]
)
def test_what_a_version_fixes_is_not_asked_otherwise_in_silence(
    folder, request_, part, name, value
):
    _promote(folder, _run(folder, request_(steps=1)).version)
    asked = request_(steps=1).model_copy(deep=True)
    setattr(getattr(asked.settings, part), name, value)
    told = f"goes on from the version that answers, with its {part}.{name} "
    with pytest.raises(BadInputError, match=told):
        _run(folder, asked)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_version_knows_the_steps_behind_it(folder, request_, fresh):
    first = _run(folder, request_())
    _promote(folder, first.version)
    again = request_(steps=3).model_copy(update={"fresh": fresh})
    second = _run(folder, again)
    with Project.open(folder) as project:
        cards = [deployed_card(project, r.version) for r in (first, second)]
    assert cards[0].steps_before == 0
    assert cards[1].steps_before == (0 if fresh else cards[0].steps)


def test_a_version_whose_encoder_is_gone_is_followed_by_a_fresh_one(
    folder, request_, monkeypatch
):
    from src_core.errors import NoEncoderError

    first = _run(folder, request_())
    _promote(folder, first.version)

    def gone(*_):
        raise NoEncoderError("The text encoder '/x' is not a folder here.")

    monkeypatch.setattr(Predictor, "load", gone)
    second = _run(folder, request_().model_copy(update={"fresh": True}))
    assert second.verdict.promoted
    assert "cannot be asked any more" in second.verdict.reason


def test_it_says_which_target_could_not_be_judged(folder, request_):
    assert "could not be judged" not in _run(folder, request_(steps=1)).verdict.reason
    with Project.open(folder, mode="rw") as project:
        star = project.add_target("a star", ("the star",), who="ada").id
        image, mask = project.images(Split.TRAIN)[0].id, np.ones((64, 64), np.uint8)
        project.save_mask(image, star, mask, who="ada", status=MaskStatus.DONE)
    told = _run(folder, request_(steps=1)).verdict.reason
    assert "'a star' could not be judged: no validation image has a mask of it." in told


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("lost", [(CARD, WEIGHTS), (WEIGHTS,)])
def test_a_lost_version_locks_no_project(folder, request_, lost, fresh):
    _promote(folder, _run(folder, request_(steps=1)).version)
    for name in lost:
        (folder / "models" / "v1" / name).unlink()
    second = _run(folder, request_(steps=1, fresh=fresh))
    assert (second.version, second.verdict.promoted) == ("v2", True)
    assert "the files of v1 are gone or damaged" in second.verdict.reason
    assert ("began with fresh weights" in second.verdict.reason) is not fresh
    assert load_model(folder / "models" / "v2")[0].parent == ""
    _promote(folder, "v2")
    with pytest.raises(NotFoundError, match=r"v1.*"):
        _promote(folder, "v1")


def test_a_version_lost_during_the_training_loses_no_training(folder, request_):
    _promote(folder, _run(folder, request_(steps=1)).version)
    with Project.open(folder) as project:
        this = Round(project, request_(steps=1), CPU)
        outcome = this.train()
        (folder / "models" / "v1" / WEIGHTS).write_bytes(b"x")
        (folder / "models" / "v9").mkdir()
        assert "v1 are gone or damaged" in this.conclude(outcome).verdict.reason


def test_a_time_that_is_over_before_the_first_step_gives_no_version(folder, request_):
    asked = request_(steps=None, minutes=1e-6)
    with pytest.raises(UserError, match=r"out of time before its first step.*minutes"):
        _run(folder, asked)
    assert not list_models(folder / "models")


@pytest.mark.parametrize("before", [False, True])
def test_stopped_before_the_first_step_there_is_no_version(folder, request_, before):
    if before:
        _promote(folder, _run(folder, request_(steps=1)).version)
    hooks = RoundHooks(should_stop=lambda: True)
    with Project.open(folder) as project:
        with pytest.raises(UserError, match="stopped before its first step"):
            Round(project, request_(), CPU, hooks).run()
        assert len(list_models(project.models_dir)) == before
        assert promoted(project) == ("v1" if before else None)


def test_a_round_sees_only_its_snapshot(folder, request_):
    with Project.open(folder, mode="rw") as project:
        before = project.position
        image = project.images(Split.TRAIN)[4]
        mask = np.ones((64, 64), np.uint8)
        project.save_mask(image.id, "disc", mask, who="ada", status=MaskStatus.DONE)
    assert _run(folder, request_(), at=before).labelled == 4
    assert _run(folder, request_()).labelled == 5


def test_proposals_and_flags_teach_nothing(folder, request_):
    with Project.open(folder, mode="rw") as project:
        image = project.images(Split.TRAIN)[5]
        project.save_mask(
            image.id,
            "disc",
            np.ones((64, 64), np.uint8),
            who="ada",
            status=MaskStatus.PROPOSED,
            source=Source(SourceKind.MODEL, "v1", "disc"),
        )
    assert _run(folder, request_()).labelled == 4


def test_test_images_never_enter_a_training(folder):
    with Project.open(folder) as project:
        items = list(pool_items(project, frozenset(), frozenset(Split), FRAME))
        test = {image.id for image in project.images(Split.TEST)}
    assert items
    assert not test & {item.image for item in items}


def test_the_second_round_goes_on_from_the_first(folder, request_):
    first = _run(folder, request_(steps=60))
    _promote(folder, first.version)
    second = _run(folder, request_(steps=3))
    assert second.verdict.old == pytest.approx(first.verdict.new)
    assert second.version == "v2"
    with Project.open(folder) as project:
        assert deployed_card(project, "v2").parent == "v1"
    assert second.looks[0]["dice"] > 0.3  # three steps from nothing give less


def test_a_worse_model_is_kept_aside(folder, request_):
    first = _run(folder, request_(steps=80))
    _promote(folder, first.version)
    second = _run(folder, request_(steps=1, fresh=True))
    assert not second.verdict.promoted
    assert "goes on answering" in second.verdict.reason


EARLY = {"start": 0.0, "behind": 0, "shown": 0, "ahead": 0, "dice": 0.0}
EARLY |= {"gain": 1.0, "window": 0.0}


@pytest.mark.parametrize(
    ("method", "burn_in", "waited"),
    [("lg-ssl", {}, True), ("lg-ssl", EARLY, False), ("supervised", {}, False)],
)
def test_it_says_that_images_without_masks_did_not_teach(
    folder, request_, method, burn_in, waited
):
    request = request_(steps=6)
    settings = request.settings.model_dump()
    settings["train"]["burn_in"] |= burn_in
    request = RoundRequest.model_validate(
        {"settings": settings | {"method": method}, "steps": 6}
    )
    assert ("did not teach yet" in _run(folder, request).verdict.reason) is waited


def test_a_version_chosen_during_a_training_goes_on_answering(folder, request_):
    for _ in range(2):
        _promote(folder, _run(folder, request_(steps=1)).version)
    result = _run(folder, request_(steps=1)).as_dict() | {"promoted": True}
    with Project.open(folder, mode="rw") as project:
        promote(project, "v1", who="ada", reason="chosen by hand")
        told = promote_result(project, result, who="ada")
        assert promoted(project) == "v1"
        kept = read_comparison(project.models_dir / "v3").verdict
    assert not told["promoted"]
    assert "another version was chosen meanwhile" in told["verdict"]["reason"]
    assert "v3 can be promoted by hand" in told["verdict"]["reason"]
    assert (kept.promoted, kept.reason) == (False, told["verdict"]["reason"])


def test_a_better_version_answers_once_its_training_is_done(folder, request_):
    _promote(folder, _run(folder, request_(steps=1)).version)
    result = _run(folder, request_(steps=1)).as_dict() | {"promoted": True}
    with Project.open(folder, mode="rw") as project:
        project.add_target("star", ("the star",), who="ada")
        for _ in range(2):  # heard twice, it is promoted once
            assert promote_result(project, result, who="ada") == result
        assert promoted(project) == "v2"
        assert [r.what for r in project.history(limit=2)] == ["promote", "target"]


def test_rolling_back_is_a_promotion(folder, request_):
    for _ in range(2):
        _promote(folder, _run(folder, request_(steps=1)).version)
    _promote(folder, "v1")
    with Project.open(folder) as project:
        assert promoted(project) == "v1"
        assert [r.what for r in project.history(limit=3)] == ["promote"] * 3
    with pytest.raises(NotFoundError, match="no model version 'v7'"):
        _promote(folder, "v7")


def test_without_a_model_the_program_says_so(folder):
    with (
        Project.open(folder) as project,
        pytest.raises(NoModelError, match="lgssl next"),
    ):
        deployed_card(project)


def test_without_targets_the_program_says_so(tmp_path, request_):
    with Project.create(tmp_path / "p") as project:
        pixels = np.zeros((64, 64), np.uint8)
        project.add_image(pixels, name="a.png", axes="yx", who="ada")
    with pytest.raises(UserError, match="no target yet"):
        _run(tmp_path / "p", request_())


class TestValidation:
    def test_imported_validation_images_serve(self, folder):
        with Project.open(folder, mode="rw") as project:
            assert ensure_validation(project, "ada") == frozenset()

    def test_else_groups_are_held_out_and_never_let_go(self, tmp_path, fill_project):
        with Project.create(tmp_path / "p") as project:
            fill_project(project, {Split.TRAIN: 8}, labelled=8)
            chosen = ensure_validation(project, "ada")
            assert len(chosen) == 2
            assert held_out_groups(project) == chosen
            fill_project(project, {Split.TRAIN: 9}, labelled=9, start=8)
            more = ensure_validation(project, "ben")
            assert chosen < more
            assert held_out_groups(project) == more
            items = list(pool_items(project, more, frozenset(Split), FRAME))
        held = [item for item in items if item.split is Split.VAL]
        assert len(held) == len(more) == 3


def _predictor(project):
    card = deployed_card(project)
    return Predictor.load(project.models_dir / card.version, CPU)


def test_the_words_decide_what_is_found(taught):
    with Project.open(taught) as project:
        predictor = _predictor(project)
        for image in project.images(Split.TEST):
            pixels = project.pixels(image)[...]
            disc, bar = predictor.predict(pixels, "yx", ["the disc", "the bar"])
            both = (disc.mask & bar.mask).sum()
            assert both < 0.1 * min(disc.mask.sum(), bar.mask.sum())


def test_prediction_repeats_itself_and_the_cache_changes_nothing(taught):
    with Project.open(taught) as project:
        predictor, image = _predictor(project), project.images(Split.TEST)[0]
        pixels = project.pixels(image)[...]
        plain = predictor.predict(pixels, "yx", ["the disc"])[0]
        for _ in range(2):
            cached = predictor.predict(pixels, "yx", ["the disc"], key=image.id)[0]
            assert np.array_equal(plain.probability, cached.probability)
    assert plain.probability.shape == (64, 64)
    assert plain.version == "v1"


@pytest.mark.parametrize("shape", [(64, 64), (97, 41), (300, 512), (3, 80, 90)])
def test_any_size_of_picture(taught, shape):
    axes = "cyx" if len(shape) == 3 else "yx"
    pixels = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    with Project.open(taught) as project:
        answer = _predictor(project).predict(pixels, axes, ["the disc"])[0]
    assert answer.probability.shape == shape[-2:]
    assert 0 <= answer.score <= 1


def test_a_volume_is_answered_slice_by_slice(taught):
    with Project.open(taught) as project:
        predictor = _predictor(project)
        planes = [project.pixels(i)[...] for i in project.images(Split.TEST)]
        volume = predictor.predict(np.stack(planes), "zyx", ["the disc"])[0]
        alone = [predictor.predict(p, "yx", ["the disc"])[0] for p in planes]
    assert np.array_equal(volume.mask, np.stack([a.mask for a in alone]))


def test_evaluation_is_in_the_contracts_form(taught):
    with Project.open(taught) as project:
        result = evaluate(project, _predictor(project), Split.TEST)
        wrong = evaluate(project, _predictor(project), Split.TEST, PromptFrom.WRONG)
    assert set(result["targets"]) == {"disc", "bar"}
    assert set(result["targets"]["disc"]) == {"dice", "iou", "dice_pooled", "hd95", "n"}
    assert set(result["mean"]) == {"dice", "iou", "dice_pooled"}
    assert result["targets"]["disc"]["n"] == 3
    assert result["mean"]["dice"] > 0.7
    assert wrong["mean"]["dice"] < 0.3


class TestTiles:
    """Large pictures with small things in them are cut up; others are shown whole."""

    @staticmethod
    def _project(path, side, piece):
        with Project.create(path) as project:
            target = project.add_target("dot", who="ada").id
            pixels = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
            image, _ = project.add_image(pixels, name="a.png", axes="yx", who="ada")
            mask = np.zeros((side, side), np.uint8)
            mask[::40, ::40] = 1
            mask = np.kron(
                mask[::40, ::40], np.pad(np.ones((piece, piece)), (0, 40 - piece))
            )
            project.save_mask(
                image.id,
                target,
                mask[:side, :side].astype(np.uint8),
                who="ada",
                status=MaskStatus.DONE,
            )
        return path

    @pytest.mark.parametrize(
        ("side", "piece", "tiles"), [(160, 6, False), (960, 6, True), (960, 39, False)]
    )
    def test_the_data_decide(self, tmp_path, side, piece, tiles):
        with Project.open(self._project(tmp_path / "p", side, piece)) as project:
            assert choose_frame(project, FrameSettings()).tiles is tiles

    def test_one_large_picture_cuts_no_small_ones(self, tmp_path):
        with Project.open(self._project(tmp_path / "p", 160, 6), mode="rw") as project:
            large = np.zeros((900, 4000), np.uint8)
            project.add_image(large, name="large.png", axes="yx")
            assert not choose_frame(project, FrameSettings()).tiles

    def test_a_large_picture_becomes_tiles_with_their_truth(self, tmp_path):
        path = self._project(tmp_path / "p", 480, 6)
        frame = FrameSettings(size=192, tiles=True)
        with Project.open(path) as project:
            truth = project.mask("a.png", "dot").read()
            items = list(pool_items(project, frozenset(), frozenset(Split), frame))
        assert len(items) == 9
        assert all(item.picture.pixels.shape == (1, 192, 192) for item in items)
        assert np.array_equal(items[0].truth["dot"], truth[:192, :192])

    def test_prediction_in_tiles_is_prediction_of_each_tile(self, taught):
        """On a mosaic the answer in a tile's middle is that of the tile alone."""
        with Project.open(taught) as project:
            predictor = _predictor(project)
            frame = predictor.card.settings.frame.model_copy(update={"tiles": True})
            settings = predictor.card.settings.model_copy(update={"frame": frame})
            predictor.card = predictor.card.model_copy(update={"settings": settings})
            tile = project.pixels(project.images(Split.TEST)[0])[...]
        alone = predictor.predict(tile, "yx", ["the disc"])[0].probability
        mosaic = predictor.predict(np.tile(tile, (1, 8)), "yx", ["the disc"])[0]
        assert mosaic.probability.shape == (64, 512)
        assert np.abs(mosaic.probability[:, :56] - alone[:, :56]).mean() < 0.1
