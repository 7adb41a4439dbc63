"""VerSemi's own promises: the union target, partial labels, both stages' losses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from src_core.methods import METHODS, Moment
from src_core.methods.versemi import LabelledMixes, largest_of


def _method(tiny, **options):
    torch.manual_seed(0)
    kind = METHODS["versemi"]
    return kind(kind.build(tiny), options, average=0.9).train()


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _moment(weight=1.0):
    return Moment(0.9, weight, _rng())


@pytest.fixture
def four(make_batch):
    return make_batch(0, labelled=True, images=4)


@pytest.fixture
def two_sets(four):
    """Images 0 and 1 are labelled for target 0 alone, 2 and 3 for target 1 alone."""
    rows = torch.tensor([0, 2, 5, 7])
    return dataclasses.replace(
        four,
        image_of=four.image_of[rows],
        target_of=four.target_of[rows],
        masks=four.masks[rows],
        counts=four.counts[rows],
        text=four.text.select(rows),
    )


def _slow_dice(first, second, weight=None):
    weight = np.ones(first.shape) if weight is None else np.asarray(weight, float)
    first, second = (np.asarray(x, float) for x in (first, second))
    top = 2 * (weight * first * second).sum() + 1
    return 1 - top / ((weight * (first**2 + second**2)).sum() + 1)


def _rectangle(batch, mixes, m):
    """Where mix m shows the second image, found by looking at it (H, W) bool."""
    second = batch.images[len(mixes.images) + m]
    assert not (batch.images[m] == second).any()
    return (mixes.images[m] == second).all(0)


def test_a_mix_is_a_rectangle_of_two_thirds_in_another_image(four):
    mixes = LabelledMixes.make(four, 2 / 3, _rng())
    assert len(mixes.images) == 2
    for m in range(2):
        inside = _rectangle(four, mixes, m)
        rows, columns = inside.any(1), inside.any(0)
        assert torch.equal(inside, rows[:, None] & columns[None])
        assert abs(int(rows.sum()) - 2 / 3 * 64) <= 1
        assert torch.equal(mixes.images[m][:, ~inside], four.images[m][:, ~inside])


def test_the_cutmix_target_is_the_union_of_both_pieces_foreground(four):
    mixes = LabelledMixes.make(four, 2 / 3, _rng())
    union = mixes.union_foreground(torch.full_like(mixes.truth, 0.123))
    for m in range(2):
        inside = _rectangle(four, mixes, m).numpy()
        expected = np.zeros((64, 64))
        for p in range(len(four.masks)):
            mask = four.masks[p, 0].numpy()
            if four.image_of[p] == m:
                expected = np.maximum(expected, mask * ~inside)
            elif four.image_of[p] == m + 2:
                expected = np.maximum(expected, mask * inside)
        np.testing.assert_array_equal(union[m, 0], expected)


def test_of_two_data_sets_each_piece_is_known_for_its_own_task_alone(two_sets):
    mixes = LabelledMixes.make(two_sets, 2 / 3, _rng())
    answers = torch.rand(4, 1, 64, 64, generator=_rng(1))
    union = mixes.union_foreground(answers)
    for pair, (m, second) in enumerate([(0, False), (1, False), (0, True), (1, True)]):
        inside = _rectangle(two_sets, mixes, m)
        own = inside if second else ~inside
        assert mixes.mix_of[pair] == m
        assert torch.equal(mixes.known[pair, 0] > 0, own)
        assert torch.equal(mixes.truth[pair, 0], two_sets.masks[pair, 0] * own)
    for m in range(2):
        inside = _rectangle(two_sets, mixes, m)
        first, second = two_sets.masks[m, 0], two_sets.masks[m + 2, 0]
        # Where a task was not labelled, what its head says stands in.
        expected = torch.where(
            inside,
            torch.maximum(answers[m, 0], second),
            torch.maximum(first, answers[m + 2, 0]),
        )
        torch.testing.assert_close(union[m, 0], expected)


def test_a_pair_that_does_not_count_is_neither_known_nor_foreground(four):
    half = dataclasses.replace(four, counts=torch.tensor([1.0, 0] * 4))
    mixes = LabelledMixes.make(half, 2 / 3, _rng())
    assert mixes.known[0::2].all()
    assert not mixes.known[1::2].any()
    union = mixes.union_foreground(torch.ones_like(mixes.truth))
    expected = largest_of(mixes.truth[0::2], mixes.mix_of[0::2], torch.ones(4), 2)
    assert torch.equal(union, expected)


@pytest.mark.parametrize(("images", "mixed"), [(2, 1), (3, 1), (5, 2)])
def test_of_an_odd_number_the_last_image_is_left_alone(make_batch, images, mixed):
    batch = make_batch(0, labelled=True, images=images)
    mixes = LabelledMixes.make(batch, 0.5, _rng())
    assert len(mixes.images) == mixed
    assert len(mixes.pairs) == 2 * mixed * 2


def test_one_labelled_image_is_not_mixed(tiny, make_batch):
    one = make_batch(0, labelled=True, images=1)
    losses = _method(tiny)(one, None, _moment(0.0))
    assert set(losses) == {"loss", "segmentation", "presence"}


def _ask(method, images, batch, rows, image_of, counts):
    """Task answers and synthetic answers on mixed images, as probabilities."""
    net = method.net
    read = net.prompt(batch.text.tokens, batch.text.mask).select(rows)
    seen = net.encode(images)
    task = net.answer(seen.select(image_of), read).logits.sigmoid()
    united = net.unite(read, image_of, counts, len(images))
    return task, net.answer(seen, united).logits.sigmoid()


@pytest.mark.parametrize("case", ["one set", "two sets", "half counts"])
def test_stage_1_is_dice_of_each_task_and_of_the_synthetic_one(
    tiny, four, two_sets, case
):
    batch = two_sets if case == "two sets" else four
    if case == "half counts":
        batch = dataclasses.replace(batch, counts=torch.tensor([1.0, 0] * 4))
    method = _method(tiny, synthetic=3.0, tasks=5.0).eval()
    with torch.no_grad():
        found = method(batch, None, _moment(0.0))
        mixes = LabelledMixes.make(batch, 2 / 3, _rng())
        task, synthetic = _ask(
            method, mixes.images, batch, mixes.pairs, mixes.mix_of, mixes.counts
        )
        union = mixes.union_foreground(task)
    judged = [p for p in range(len(task)) if mixes.known[p].any()]
    tasks = [_slow_dice(task[p], mixes.truth[p], mixes.known[p]) for p in judged]
    unions = [_slow_dice(s, u) for s, u in zip(synthetic, union, strict=True)]
    # Both images of a mix have as many pairs: the mean is ½ [task a + task b].
    assert float(found["tasks on mixes"]) == pytest.approx(5 * np.mean(tasks), rel=1e-4)
    assert float(found["synthetic"]) == pytest.approx(3 * np.mean(unions), rel=1e-4)


def test_what_nobody_labelled_does_not_teach_the_synthetic_task_its_task(
    tiny, two_sets
):
    """The stand-in is an answer, not a label: no gradient reaches it."""
    mixes = LabelledMixes.make(two_sets, 2 / 3, _rng())
    method = _method(tiny, tasks=0.0)
    losses = method(two_sets, None, _moment(0.0))
    losses["synthetic"].backward()
    found = method.net.controller.weight.grad.clone()
    again = _method(tiny)
    task, synthetic = _ask(
        again, mixes.images, two_sets, mixes.pairs, mixes.mix_of, mixes.counts
    )
    target = mixes.union_foreground(task.detach())
    overlap = (synthetic * target).flatten(1).sum(1)
    size = (synthetic.square() + target.square()).flatten(1).sum(1)
    (1 - (2 * overlap + 1) / (size + 1)).mean().backward()
    torch.testing.assert_close(found, again.net.controller.weight.grad)


def _stage_2(method, labelled, unlabelled, monkeypatch):
    """Its two terms, and the mixed images that the network was shown."""
    seen, encode = [], method.net.encode

    def watched(image, **asked):
        seen.append(image)
        return encode(image, **asked)

    monkeypatch.setattr(method.net, "encode", watched)
    losses = method(labelled, unlabelled, _moment(0.5))
    return losses["agreement"], losses["pasted"], seen[-1]


def test_stage_2_is_agreement_on_the_mix_and_dice_inside_the_rectangle(
    tiny, labelled, unlabelled, monkeypatch
):
    method = _method(tiny, agreement=3.0, pasted=5.0).eval()
    counts = torch.tensor([1.0, 1, 0, 1, 0, 0])  # of image 2 nothing is asked
    unlabelled = dataclasses.replace(unlabelled, counts=counts)
    with torch.no_grad():
        agreement, pasted, mixed = _stage_2(method, labelled, unlabelled, monkeypatch)
        task, synthetic = _ask(
            method, mixed, labelled, torch.arange(6), labelled.image_of, counts
        )
    agreements, insides = [], []
    for image, pairs in ((0, [0, 1]), (1, [3])):
        inside = (mixed[image] == labelled.images[image]).all(0).numpy()
        outside = (mixed[image] == unlabelled.images[image]).all(0).numpy()
        assert np.array_equal(outside, ~inside)
        share = [x.sum() / 64 for x in (inside.any(0), inside.any(1))]
        assert all(0.28 < s < 0.62 for s in share)
        largest = np.max([task[p, 0].numpy() for p in pairs], axis=0)
        labels = np.max([labelled.masks[p, 0].numpy() for p in pairs], axis=0)
        agreements.append(_slow_dice(synthetic[image, 0], largest))
        insides.append(_slow_dice(synthetic[image, 0], labels, inside))
    assert float(agreement) == pytest.approx(0.5 * 3 * np.mean(agreements), rel=1e-4)
    assert float(pasted) == pytest.approx(0.5 * 5 * np.mean(insides), rel=1e-4)


def test_agreement_teaches_the_tasks_and_the_synthetic_one(
    tiny, labelled, unlabelled, monkeypatch
):
    """The gradient is that of the formula with neither side held fixed."""
    alone = {"synthetic": 0.0, "tasks": 0.0}
    method, again = _method(tiny, **alone), _method(tiny)
    agreement, _, mixed = _stage_2(method, labelled, unlabelled, monkeypatch)
    agreement.backward()
    counts = torch.ones(6)
    task, synthetic = _ask(
        again, mixed, labelled, torch.arange(6), labelled.image_of, counts
    )
    largest = torch.stack([torch.maximum(*task[i : i + 2]) for i in (0, 2, 4)])
    overlap = (synthetic * largest).flatten(1).sum(1)
    size = (synthetic.square() + largest.square()).flatten(1).sum(1)
    (0.5 * (1 - (2 * overlap + 1) / (size + 1)).mean()).backward()
    expected = {n: p.grad for n, p in again.net.named_parameters()}
    for name, parameter in method.net.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, expected[name])


@pytest.mark.parametrize("groups", [2, 3])
def test_the_largest_of_a_group_is_found_pixel_by_pixel(groups):
    maps = torch.rand(5, 1, 3, 4, generator=_rng(2), dtype=torch.float64)
    maps.requires_grad_()
    group_of = torch.tensor([0, 1, 0, 1, 0])
    counts = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    found = largest_of(maps, group_of, counts, groups)
    assert len(found) == groups
    torch.testing.assert_close(found[0], torch.maximum(maps[0], maps[4]))
    torch.testing.assert_close(found[1], torch.maximum(maps[1], maps[3]))
    assert not found[2:].any()
    assert torch.autograd.gradcheck(
        lambda m: largest_of(m, group_of, counts, groups), maps
    )
