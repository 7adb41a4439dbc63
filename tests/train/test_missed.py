"""What a version misses: told apart, taught more often, and given a say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from discs_and_bars import SIDE, draw
from src_core.config import FrameSettings, TextSettings
from src_core.devices import Device
from src_core.imaging.prepare import prepare
from src_core.text import load_encoder
from src_core.train import Budget, Hooks, Item, Pool, Training, Wordings
from src_core.train.missed import FOUND, LOST, SHARE, Missed, missed_by
from src_core.train.sampler import Sampler
from src_core.types import Split
from toy_world import DISC, toy_item, toy_settings

CPU = Device(torch.device("cpu"), bf16=False)
ODD = 20


def _odd_item(index: int, split: Split = Split.TRAIN) -> Item:
    """A disc as dark as the bar, where in all others it is brighter."""
    _, masks = draw(index)
    noise = np.random.default_rng(index).normal(0, 10, (SIDE, SIDE))
    odd = 120.0 - 90 * masks["disc"] - 90 * masks["bar"] + noise
    odd = odd.clip(0, 255).astype(np.uint8)
    picture = prepare(odd, "yx", FrameSettings(size=SIDE))
    return Item(f"im{index}#0", picture, split, {"disc": masks["disc"]})


def _only_discs(item: Item) -> Item:
    return dataclasses.replace(item, truth={"disc": item.truth["disc"]})


@pytest.fixture(scope="module")
def usual() -> list[Item]:
    return [
        _only_discs(toy_item(i, Split.VAL if i > 7 else Split.TRAIN, truth=True))
        for i in range(12)
    ]


@pytest.fixture(scope="module")
def words():
    encoder = load_encoder(TextSettings(encoder="hashed"))
    return Wordings([DISC], [""] * 100, encoder)


@pytest.fixture(scope="module")
def usual_weights(usual, words):
    pool = Pool(usual, [DISC], SIDE)
    budget = Budget(steps=150)
    return Training(pool, words, toy_settings(), CPU, budget).run().weights


@pytest.fixture
def joined(usual) -> Pool:
    """The usual pictures and one odd one, freshly labelled."""
    return Pool([*usual, _odd_item(ODD)], [DISC], SIDE)


def _trained(pool, words, settings, weights, steps, hooks=None):
    budget = Budget(steps=steps)
    training = Training(pool, words, settings, CPU, budget, hooks, weights)
    return training, training.run()


def test_it_is_found_out_who_is_missed(joined, words, settings, usual_weights):
    training = Training(
        joined, words, settings(), CPU, Budget(steps=1), start=usual_weights
    )
    missed = missed_by(training.method.average, joined, words, CPU)
    assert [joined.owner(row) for row in missed.pairs[:, 0].tolist()] == [f"im{ODD}"]
    assert missed.share == pytest.approx(1 / 9)
    assert 0 <= missed.before < LOST
    assert missed.still.tolist() == missed.pairs.tolist()


def test_what_was_missed_is_learned(joined, words, settings, usual_weights):
    training, trained = _trained(joined, words, settings(), usual_weights, 120)
    assert trained.regained.images == {f"im{ODD}"}
    assert trained.regained.share == pytest.approx(1 / 9)
    assert trained.regained.dice > FOUND
    assert len(training.missed.still) == 0


def test_its_dice_is_not_told_as_validation(joined, words, settings, usual_weights):
    training, trained = _trained(joined, words, settings(), usual_weights, 20)
    net = training.method.net
    net.load_state_dict(trained.weights)
    told = training.validation.dices(net, CPU)
    assert len(told) == 4
    assert trained.dice == pytest.approx(float(told.mean()), abs=1e-5)


def test_a_fresh_training_misses_nothing(joined, words, settings):
    training, trained = _trained(joined, words, settings(), None, 4)
    assert trained.regained is None
    assert len(training.missed.pairs) == 0


def test_what_is_empty_cannot_be_missed(usual, words, settings, usual_weights):
    blank = dataclasses.replace(
        _odd_item(ODD), truth={"disc": np.zeros((SIDE, SIDE), np.uint8)}
    )
    pool = Pool([*usual, blank], [DISC], SIDE)
    training = Training(
        pool, words, settings(), CPU, Budget(steps=1), start=usual_weights
    )
    assert len(missed_by(training.method.average, pool, words, CPU).pairs) == 0


def test_a_resumed_training_still_minds_what_was_missed(
    joined, words, settings, usual_weights, tmp_path
):
    checkpoint = tmp_path / "c.safetensors"

    class Killed(Exception):
        pass

    asked = []

    def stop_at_seven():
        asked.append(1)
        if len(asked) == 8:
            raise Killed
        return False

    often = settings(checkpoint_seconds=1e-9)
    _, whole = _trained(joined, words, often, usual_weights, 12)
    hooks = Hooks(checkpoint=checkpoint, should_stop=stop_at_seven)
    with pytest.raises(Killed):
        _trained(joined, words, often, usual_weights, 12, hooks)
    hooks = Hooks(checkpoint=checkpoint)
    _, resumed = _trained(joined, words, often, usual_weights, 12, hooks)
    assert resumed.regained.images == {f"im{ODD}"}
    assert resumed.regained.dice == pytest.approx(whole.regained.dice, abs=1e-5)
    for key, value in whole.weights.items():
        torch.testing.assert_close(resumed.weights[key], value)


def test_a_checkpoint_keeps_who_is_still_missed():
    missed = Missed(torch.tensor([[3, 0], [5, 1], [7, 0]]), 0.3, 0.05)
    missed.look_again(torch.tensor([FOUND - 0.01, FOUND, 0.9]))
    held = Missed.from_state(missed.state_dict() | {"rng": torch.zeros(1)})
    assert held.still.tolist() == [[3, 0]]
    assert held.pairs.tolist() == missed.pairs.tolist()
    assert (held.share, held.before) == (0.3, 0.05)
    assert len(Missed.from_state({"rng": torch.zeros(1)}).pairs) == 0


@pytest.mark.parametrize(
    ("others", "share"),
    [(1, 0.5), (3, SHARE), (9, SHARE), (79, 16 / (16 + 79))],
    ids=["has more", "raised", "raised far", "no more than 16 times as often"],
)
def test_they_fill_their_share_of_the_batches(words, settings, others, share):
    items = [_only_discs(toy_item(i, Split.TRAIN, truth=True)) for i in range(others)]
    pool = Pool([*items, _odd_item(ODD)], [DISC], SIDE)
    rng = torch.Generator().manual_seed(0)
    sampler = Sampler(pool, words, settings(batch=64).train, rng)
    sampler.favour(torch.tensor([[others, 0]]), SHARE)
    drawn = torch.cat([sampler.draw(unlabelled=False)[0].index for _ in range(40)])
    assert float((drawn == others).float().mean()) == pytest.approx(share, abs=0.03)
    sampler.favour(torch.empty((0, 2), dtype=torch.long), SHARE)
    drawn = torch.cat([sampler.draw(unlabelled=False)[0].index for _ in range(40)])
    usual = 1 / (others + 1)
    assert float((drawn == others).float().mean()) == pytest.approx(usual, abs=0.03)
