"""The one loop: it learns, repeats itself, stops, and survives its own death."""

from __future__ import annotations

import math

import pytest
import torch

from src_core.checkpoints import load_tensors, save_tensors
from src_core.config import BurnInSettings
from src_core.devices import Device
from src_core.errors import UserError
from src_core.methods import METHODS
from src_core.train import Budget, Hooks, Pool, Training
from src_core.train.schedule import BurnIn
from src_core.types import Split
from toy_world import toy_item

CPU = Device(torch.device("cpu"), bf16=False)


def _train(pool, wordings, settings, steps=6, hooks=None, start=None):
    budget = Budget(steps=steps)
    return Training(pool, wordings, settings, CPU, budget, hooks, start).run()


@pytest.mark.parametrize("method", METHODS)
def test_one_seed_one_model(pool, wordings, settings, method):
    first, second = (_train(pool, wordings, settings(method)) for _ in range(2))
    assert first.weights.keys() == second.weights.keys()
    assert all(torch.equal(v, second.weights[k]) for k, v in first.weights.items())


@pytest.mark.parametrize("method", METHODS)
def test_unlabelled_images_join_and_it_still_repeats_itself(
    pool, wordings, settings, method
):
    at_once = BurnIn(
        start=0.0,
        latest=1.0,
        behind=0,
        shown=0,
        ahead=0,
        dice=0.0,
        window=0.0,
        gain=1.0,
        length=0.1,
    )

    def train():
        training = Training(pool, wordings, settings(method), CPU, Budget(steps=6))
        training.burn_in = at_once
        return training.run(), training.course.began

    (first, began), (second, _) = train(), train()
    assert (began is not None) is METHODS[method].uses_unlabelled
    assert all(torch.equal(v, second.weights[k]) for k, v in first.weights.items())


@pytest.mark.parametrize(("shown", "joined"), [(4.0, True), (1000.0, False)])
def test_labelled_images_are_shown_often_first(pool, wordings, settings, shown, joined):
    """The steps of earlier rounds have shown each more often than four times."""
    early = BurnInSettings(
        start=0.0, behind=0, shown=shown, ahead=0, dice=0.0, gain=1.0, window=0.0
    )
    few = settings("lg-ssl", burn_in=early)
    assert few.train.batch * 100 / len(pool.labelled) > 4
    training = Training(pool, wordings, few, CPU, Budget(steps=6), steps_before=100)
    training.run()
    assert (training.course.began is not None) is joined


@pytest.mark.parametrize(("before", "joined"), [(0, False), (100, True)])
def test_steps_of_earlier_rounds_count(pool, wordings, settings, before, joined):
    early = BurnInSettings(
        start=0.0, behind=100, shown=0, ahead=0, dice=0.0, gain=1.0, window=0.0
    )
    training = Training(
        pool,
        wordings,
        settings("lg-ssl", burn_in=early),
        CPU,
        Budget(steps=6),
        steps_before=before,
    )
    training.run()
    assert (training.course.began is not None) is joined


def test_another_seed_another_model(pool, wordings, settings):
    first = _train(pool, wordings, settings())
    second = _train(pool, wordings, settings().model_copy(update={"seed": 1}))
    assert any(not torch.equal(v, second.weights[k]) for k, v in first.weights.items())


def test_it_learns_to_tell_targets_apart_by_their_words(pool, wordings, settings):
    trained = _train(pool, wordings, settings(), steps=250)
    assert trained.dice > 0.7
    assert trained.looks[0].average < trained.dice


def test_it_keeps_the_latest_or_something_better(pool, wordings, settings):
    trained = _train(pool, wordings, settings(), steps=20)
    assert trained.looks[-1].step == 20
    assert trained.dice >= trained.looks[-1].average
    assert trained.dice <= max(k.dice for k in trained.looks)


def test_asked_to_stop_it_returns_the_best_so_far(pool, wordings, settings):
    calls = iter(range(100))
    hooks = Hooks(should_stop=lambda: next(calls) >= 3)
    trained = _train(pool, wordings, settings(), steps=1000, hooks=hooks)
    assert trained.stopped
    assert trained.step == 3
    assert trained.weights


def test_without_validation_the_average_is_kept(pool, wordings, settings):
    items = [toy_item(i, Split.TRAIN, truth=True) for i in range(3)]
    alone = Pool(items, pool.targets, 64)
    trained = _train(alone, wordings, settings(), steps=3)
    assert math.isnan(trained.dice)
    assert trained.weights


def test_nothing_labelled_is_a_sentence(pool, wordings, settings):
    empty = Pool([], pool.targets, 64)
    with pytest.raises(UserError, match="no training image has a finished mask"):
        _train(empty, wordings, settings())


def test_a_warm_start_goes_on_from_the_weights(pool, wordings, settings):
    taught = _train(pool, wordings, settings(), steps=120)
    warm = _train(pool, wordings, settings(), steps=4, start=taught.weights)
    cold = _train(pool, wordings, settings(), steps=4)
    assert warm.dice > cold.dice + 0.2


def test_a_version_without_the_second_decoder_starts_a_method_with_two(
    pool, wordings, settings
):
    taught = _train(pool, wordings, settings("supervised"), steps=2)
    trained = _train(pool, wordings, settings("lg-ssl"), steps=2, start=taught.weights)
    assert any(key.startswith("decoders.1") for key in trained.weights)


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_training_ends_as_one_that_was_never_broken(
    pool, wordings, settings, tmp_path, method
):
    """Also where unlabelled images have joined before it broke."""
    checkpoint = tmp_path / "c.safetensors"

    class Killed(Exception):
        pass

    def stop_at_seven():
        stop_at_seven.calls += 1
        if stop_at_seven.calls == 8:
            raise Killed
        return False

    stop_at_seven.calls = 0
    early = BurnInSettings(
        start=0.0, behind=0, shown=0, ahead=0, dice=0.0, gain=1.0, window=0.0
    )
    often = settings(method, checkpoint_seconds=1e-9, burn_in=early)
    whole = _train(pool, wordings, often, steps=12)
    with pytest.raises(Killed):
        _train(
            pool,
            wordings,
            often,
            12,
            Hooks(checkpoint=checkpoint, should_stop=stop_at_seven),
        )
    joined = load_tensors(checkpoint)[1]["began"] is not None
    assert joined is METHODS[method].uses_unlabelled
    resumed = _train(pool, wordings, often, 12, Hooks(checkpoint=checkpoint))
    assert resumed.step == 12
    for key, value in whole.weights.items():
        torch.testing.assert_close(resumed.weights[key], value)


def test_a_checkpoint_that_says_nothing_is_not_taken(
    pool, wordings, settings, tmp_path
):
    checkpoint = tmp_path / "c.safetensors"
    save_tensors(checkpoint, {"a": torch.zeros(1)}, {})
    hooks = Hooks(checkpoint=checkpoint)
    assert _train(pool, wordings, settings(), 2, hooks).step == 2


def test_a_checkpoint_of_another_training_is_not_taken(
    pool, wordings, settings, tmp_path
):
    checkpoint = tmp_path / "c.safetensors"
    often = settings(checkpoint_seconds=1e-9)
    _train(pool, wordings, often, 5, Hooks(checkpoint=checkpoint))
    other = often.model_copy(update={"seed": 9})
    steps = []
    hooks = Hooks(checkpoint=checkpoint, should_stop=lambda: bool(steps.append(1)))
    _train(pool, wordings, other, 5, hooks)
    assert len(steps) == 5


def test_weights_that_are_no_numbers_are_never_kept(pool, wordings, settings, tmp_path):
    wild = settings("supervised")
    train = {"learning_rate": 1e12, "warmup": 0.0, "checkpoint_seconds": 1e-9}
    wild = wild.model_copy(update={"train": wild.train.model_copy(update=train)})
    hooks = Hooks(checkpoint=tmp_path / "checkpoint.safetensors")
    with pytest.raises(UserError, match=r"came apart.*learning_rate than 1e\+12"):
        _train(pool, wordings, wild, steps=10, hooks=hooks)
    assert not list(tmp_path.iterdir())
