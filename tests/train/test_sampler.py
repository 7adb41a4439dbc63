"""Batches: pairing, balance, and the one rule that unlabelled is not background."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from src_core.config import FrameSettings, TextSettings, TrainSettings
from src_core.imaging.prepare import prepare
from src_core.text import load_encoder
from src_core.train import Item, Pool, Wordings
from src_core.train.sampler import PROPOSAL_SHARE, Sampler, pair_weights
from src_core.types import Split, Target

TARGETS = [Target("a", "left part"), Target("b", "right part"), Target("c", "rare")]
FRAME = FrameSettings(size=64)


def _sampler(items, targets=TARGETS, **train):
    pool = Pool(items, targets, 64)
    encoder = load_encoder(TextSettings(encoder="hashed"))
    wordings = Wordings(targets, pool.captions, encoder)
    rng = torch.Generator().manual_seed(0)
    return Sampler(pool, wordings, TrainSettings(**train), rng)


def _item(name, truth, split=Split.TRAIN, caption="", proposed=()):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    masks = {t: np.full((64, 64), v, np.uint8) for t, v in truth.items()}
    guesses = {t: np.ones((64, 64), np.uint8) for t in proposed}
    return Item(name, prepare(pixels, "yx", FRAME), split, masks, caption, guesses)


def test_a_target_that_nobody_labelled_is_never_asked_of_a_labelled_image():
    sampler = _sampler([_item("x", {"a": 1}), _item("y", {"b": 0, "c": 1})])
    for _ in range(20):
        batch, _ = sampler.draw(unlabelled=False)
        asked = set(zip(batch.image_of.tolist(), batch.target_of.tolist(), strict=True))
        for image in range(len(batch.images)):
            targets = {t for i, t in asked if i == image}
            assert targets in ({0}, {1, 2})


def test_an_image_empty_on_purpose_teaches_emptiness():
    sampler = _sampler([_item("x", {"a": 0})])
    batch, _ = sampler.draw(unlabelled=False)
    assert batch.masks.shape == (len(batch.image_of), 1, 64, 64)
    assert float(batch.masks.sum()) == 0.0


def test_a_step_is_as_large_with_unlabelled_images_as_without():
    sampler = _sampler([_item("x", {"a": 1}), _item("y", {})], batch=6)
    alone, none = sampler.draw(unlabelled=False)
    labelled, unlabelled = sampler.draw(unlabelled=True)
    assert none is None
    assert (len(alone.images), len(labelled.images), len(unlabelled.images)) == (
        6,
        3,
        3,
    )


def test_pairs_of_both_batches_ask_the_same():
    items = [_item("x", {"a": 1, "b": 1}), _item("y", {}), _item("z", {"a": 1})]
    labelled, unlabelled = _sampler(items).draw(unlabelled=True)
    assert torch.equal(labelled.image_of, unlabelled.image_of)
    assert torch.equal(labelled.target_of, unlabelled.target_of)
    assert unlabelled.masks is None


def test_unlabelled_pairs_with_truth_do_not_count():
    sampler = _sampler([_item("x", {"a": 1, "b": 1}), _item("z", {"a": 1})])
    for _ in range(10):
        _, unlabelled = sampler.draw(unlabelled=True)
        counts = unlabelled.counts[unlabelled.target_of == 0]
        assert float(counts.sum()) == 0.0  # everybody has truth for "a"


def test_rare_targets_are_asked_as_often_as_common_ones():
    items = [_item(f"x{i}", {"a": 1}) for i in range(30)] + [_item("y", {"c": 1})]
    sampler = _sampler(items, batch=50)
    batch, _ = sampler.draw(unlabelled=False)
    share = float((batch.target_of == 2).float().mean())
    assert 0.3 < share < 0.7


@pytest.mark.parametrize("split", [Split.VAL, Split.TEST])
def test_held_out_images_are_never_drawn(split):
    items = [
        _item("x", {"a": 1}),
        _item("held", {"b": 1}, split),
        _item("held2", {}, split),
    ]
    pool = Pool(items, TARGETS, 64)
    assert pool.labelled.tolist() == [0]
    assert pool.unlabelled.tolist() == [0]


def test_sides_in_the_wording_forbid_flips():
    assert _sampler([_item("x", {"a": 1})])._flips is False
    assert _sampler([_item("x", {"n": 1})], [Target("n", "nucleus")])._flips is True


def test_captions_are_prompts_where_there_is_one_target():
    target = [Target("n", "nucleus", ("nuclei",))]
    sampler = _sampler([_item("x", {"n": 1}, caption="many small nuclei")], target)
    drawn = sampler.wordings.draw(
        torch.zeros(100, dtype=torch.long),
        torch.zeros(100, dtype=torch.long),
        sampler.rng,
    )
    drawn = [sampler.wordings.texts[row] for row in drawn.tolist()]
    assert {"nuclei", "nucleus", "many small nuclei", "the nuclei"} <= set(drawn)
    assert 30 < drawn.count("many small nuclei") < 70


def test_masks_move_as_their_pictures_do():
    """A picture that is its own mask stays its own mask."""
    y, x = np.mgrid[:64, :64]
    disc = ((y - 30) ** 2 + (x - 36) ** 2 < 200).astype(np.uint8)
    item = Item("x", prepare(disc * 255, "yx", FRAME), Split.TRAIN, {"a": disc})
    batch, _ = _sampler([item], TARGETS[:1]).draw(unlabelled=False)
    for image, mask in zip(batch.images, batch.masks, strict=True):
        bright = image[0] > (image[0].max() + image[0].min()) / 2
        assert float((bright == (mask[0] > 0)).float().mean()) > 0.9


@pytest.mark.parametrize(
    ("present", "absent", "share"),
    [
        (30, 0, 0.0),
        (0, 5, 1.0),
        (30, 1, 0.15),  # often enough to be learned
        (9, 3, 0.25),  # as often as it is
        (3, 27, 0.5),  # not so often that nothing else is learned
    ],
)
def test_known_absence_is_asked_often_enough(present, absent, share):
    items = [_item(f"p{i}", {"a": 1}) for i in range(present)]
    items += [_item(f"n{i}", {"a": 0}) for i in range(absent)]
    sampler = _sampler(items, TARGETS[:1], batch=400)
    weights = pair_weights(sampler.pool)
    assert float(weights.sum()) == pytest.approx(1.0)
    assert float(weights[present:].sum()) == pytest.approx(share)
    batch, _ = sampler.draw(unlabelled=False)
    asked = float((batch.masks.flatten(1).amax(1) == 0).float().mean())
    assert asked == pytest.approx(share, abs=0.08)


def test_a_target_of_another_kind_of_image_is_a_negative_only_where_it_is_known():
    items = [_item(f"x{i}", {"a": 1}) for i in range(4)]
    items += [_item(f"y{i}", {"b": 1, "a": 0}) for i in range(4)]
    items += [_item(f"z{i}", {"b": 1}) for i in range(4)]
    sampler = _sampler(items, batch=300)
    assert pair_weights(sampler.pool)[8:, 0].tolist() == [0.0] * 4
    batch, _ = sampler.draw(unlabelled=False)
    asked = batch.target_of[batch.masks.flatten(1).amax(1) == 0]
    assert set(asked.tolist()) == {0}


def test_held_out_absence_weighs_nothing():
    items = [_item("x", {"a": 1}), _item("v", {"a": 0}, Split.VAL)]
    weights = pair_weights(Pool(items, TARGETS, 64))
    assert weights.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


class TestFirstTeacher:
    ITEMS = (
        ("x", {"a": 1, "b": 0}, Split.TRAIN, ("a", "c")),
        ("y", {}, Split.TRAIN, ("a", "b")),
        ("v", {"a": 1}, Split.VAL, ("b",)),
    )

    def _sampler(self, rows=ITEMS, **train):
        items = [_item(n, t, s, proposed=p) for n, t, s, p in rows]
        return _sampler(items, **train)

    def test_a_proposal_is_no_truth(self):
        pool = self._sampler().pool
        assert pool.labelled.tolist() == [0]
        assert pool.unlabelled.tolist() == [0, 1]
        assert pool.taught.tolist() == [0, 1]
        assert pool.pairs(Split.VAL).tolist() == [[2, 0]]
        # Truth stands before a proposal, and validation images are never taught from.
        assert (pool.proposed >= 0).tolist() == [
            [False, False, True],
            [True, True, False],
            [False, False, False],
        ]

    def test_it_fills_the_smaller_part_of_the_batch(self):
        sampler = self._sampler(batch=8)
        batch, _ = sampler.draw(unlabelled=False)
        proposals = round(8 * PROPOSAL_SHARE)
        is_image_x = batch.index == 0
        asked = list(
            zip(batch.image_of.tolist(), batch.target_of.tolist(), strict=True)
        )
        assert bool(is_image_x[:-proposals].all())  # the only one with truth
        for image, target in asked:
            x, guess = bool(is_image_x[image]), image >= 8 - proposals
            allowed = ({2} if x else {0, 1}) if guess else {0, 1}
            assert target in allowed
        assert batch.counts.unique().tolist() == [1.0]

    def test_it_retires_when_unlabelled_images_join(self):
        labelled, unlabelled = self._sampler(batch=8).draw(unlabelled=True)
        assert set(labelled.index.tolist()) == {0}
        assert set(labelled.target_of.tolist()) <= {0, 1}
        assert unlabelled is not None

    def test_without_any_truth_it_is_the_only_teacher(self):
        rows = [("y", {}, Split.TRAIN, ("a",))]
        for joined in (False, True):
            batch, _ = self._sampler(rows, batch=4).draw(unlabelled=joined)
            assert len(batch.index) == (2 if joined else 4)
            assert float(batch.masks.mean()) > 0.3


def test_small_pictures_show_what_large_ones_do():
    items = [_item("x", {"a": 1, "b": 0}), _item("y", {})]

    def draw(side):
        return _sampler(items).draw(unlabelled=True, side=side)

    for small, large in zip(draw(32), draw(None), strict=True):
        assert small.images.shape[-2:] == (32, 32)
        assert large.images.shape[-2:] == (64, 64)
        assert small.plain.shape == large.plain.shape == large.images.shape
        assert torch.equal(small.target_of, large.target_of)
        if large.masks is not None:
            shares = [b.masks.mean((1, 2, 3)) for b in (small, large)]
            torch.testing.assert_close(*shares, atol=0.05, rtol=0)
