"""LViT's own promises: the recipe, pseudo-labels that follow images, the LV choice."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from src_core.checkpoints import load_tensors, save_tensors
from src_core.losses import language_vision_loss
from src_core.methods import METHODS, Moment, lvit
from src_core.methods.base import ask
from src_core.methods.lvit import ContrastiveMasks, dropout_from, pack, unpack
from src_core.text import TextFeatures

ROOM = 2**20


def _method(tiny, **options):
    torch.manual_seed(0)
    kind = METHODS["lvit"]
    method = kind(kind.build(tiny), options, average=0.9).train()
    method.average.eval()  # as the loop has it
    return method


def _moment(unlabelled=1.0, seed=0):
    return Moment(0.9, unlabelled, torch.Generator().manual_seed(seed))


def _said(batch, vectors):
    """The batch with another text for each pair."""
    tokens = vectors[:, None]
    mask = torch.ones(tokens.shape[:2], dtype=torch.bool)
    return dataclasses.replace(batch, text=TextFeatures(tokens, mask, vectors))


def _shapes(batch, masks):
    """A labelled batch with other masks, (P, S, S)."""
    stored = masks[:, None].to(torch.uint8)
    return dataclasses.replace(batch, masks=stored.float(), plain_masks=stored)


def _random(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def six_masks():
    """Six distinct squares, one a pair of the batches here."""
    masks = torch.zeros(6, 64, 64)
    for k in range(6):
        masks[k, 8 * k : 8 * k + 12, 4 * k : 4 * k + 20] = 1
    return masks


def test_the_supervised_recipe(tiny, labelled):
    """0.5·Dice with squared denominators + 0.5·class-balanced cross-entropy."""
    method = _method(tiny).eval()
    found = method(labelled, None, _moment())
    with torch.no_grad():
        logits = ask(method.net, labelled).logits.double()
    p, m = logits.sigmoid().flatten(1), labelled.masks.double().flatten(1)
    dice = 1 - (2 * (p * m).sum(1) + 1) / ((p**2).sum(1) + (m**2).sum(1) + 1)
    entropy = -(m * p.log() + (1 - m) * (1 - p).log())
    balanced = 0.5 * entropy[m > 0].mean() + 0.5 * entropy[m == 0].mean()
    expected = 0.5 * dice.mean() + 0.5 * balanced
    torch.testing.assert_close(found["segmentation"].double(), expected)


@pytest.mark.parametrize("ramp", [0.25, 1.0])
def test_the_unlabelled_recipe(tiny, labelled, unlabelled, ramp):
    """Ramp·(Dice + cross-entropy + 0.1·L_LV), P_0 being the average's answer."""
    method = _method(tiny, jitter=0.0).eval()
    with torch.no_grad():
        for net in (method.net, method.average):  # answers on both sides of one half
            net.head.weight *= 5
    found = method(labelled, unlabelled, _moment(ramp))
    with torch.no_grad():
        logits = ask(method.net, unlabelled).logits.double()
        label = ask(method.average, unlabelled).logits.double().sigmoid()
    p, t = logits.sigmoid().flatten(1), label.flatten(1)
    dice = 1 - (2 * (p * t).sum(1) + 1) / ((p**2).sum(1) + (t**2).sum(1) + 1)
    entropy = -(t * p.log() + (1 - t) * (1 - p).log())
    sides = [entropy[side] for side in (t > 0.5, t <= 0.5)]
    balanced = sum(0.5 * side.mean() for side in sides if len(side))
    torch.testing.assert_close(
        found["pseudo_label"].double(),
        ramp * (dice.mean() + balanced),
        rtol=1e-4,
        atol=1e-5,
    )
    mask = method.contrastive.choose(unlabelled, label.float(), _moment().rng)
    far = language_vision_loss(logits, mask).mean()
    torch.testing.assert_close(
        found["language_vision"], (ramp * 0.1 * far).float(), rtol=1e-4, atol=1e-5
    )


def test_pseudo_labels_are_iterated_from_step_to_step(tiny, labelled, unlabelled):
    method = _method(tiny, beta=0.5)
    first = method._pseudo_labels(unlabelled)
    with torch.no_grad():
        method.average.head.bias += 3.0
        now = ask(method.average, unlabelled).logits.sigmoid()
    second = method._pseudo_labels(unlabelled)
    torch.testing.assert_close(second, 0.5 * first + 0.5 * now, atol=1e-4, rtol=0)


def test_pairs_with_truth_are_not_taken_for_unlabelled(tiny, labelled, unlabelled):
    method = _method(tiny)
    counts = torch.tensor([1.0, 0, 0, 1, 0, 0])
    method(labelled, dataclasses.replace(unlabelled, counts=counts), _moment())
    assert list(method.epi.memory) == [(0, 0), (1, 1)]
    nothing = dataclasses.replace(unlabelled, counts=torch.zeros(6))
    losses = method(labelled, nothing, _moment())
    assert [losses[k].item() for k in ("pseudo_label", "language_vision")] == [0, 0]


def test_labels_and_masks_follow_the_image(tiny, labelled, unlabelled, monkeypatch):
    """Remembered as it lies in the pool, learned as it stands in the batch."""
    mirror = torch.tensor([[-1.0, 0, 0], [0, 1, 0]]).expand(3, -1, -1)
    grid = F.affine_grid(mirror, [3, 1, 64, 64], align_corners=False)
    moved = dataclasses.replace(unlabelled, images=unlabelled.plain.flip(3), grid=grid)
    method, seen = _method(tiny), []

    def parts(logits, label, counts):
        seen.append(label)
        return logits.sum(), logits.sum()

    def far(logits, mask):
        seen.append(mask)
        return logits.flatten(1).sum(1)

    monkeypatch.setattr(lvit, "segmentation_parts", parts)
    monkeypatch.setattr(lvit, "language_vision_loss", far)
    method(labelled, moved, _moment())
    plain = method._pseudo_labels(unlabelled)
    _, label, mask = seen
    torch.testing.assert_close(label.flip(3), plain, atol=1e-3, rtol=0)
    chosen = method.contrastive.choose(unlabelled, plain, _moment().rng)
    torch.testing.assert_close(mask.flip(3), chosen, atol=1e-3, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_the_text_with_the_highest_cosine_chooses_the_mask(
    labelled, unlabelled, six_masks, seed
):
    texts, questions = _random((6, 9), seed), _random((6, 9), seed + 50)
    masks = ContrastiveMasks(ROOM)
    masks.remember(_said(_shapes(labelled, six_masks), texts))
    found = masks.choose(
        _said(unlabelled, questions), torch.rand(6, 1, 64, 64), _moment().rng
    )
    for pair, question in enumerate(questions.double().numpy()):
        best, nearest = -2.0, -1
        for other, text in enumerate(texts.double().numpy()):
            if other % 2 != pair % 2:  # of another target
                continue
            cosine = question @ text / (question @ question * (text @ text)) ** 0.5
            if cosine > best:
                best, nearest = cosine, other
        assert torch.equal(found[pair, 0], six_masks[nearest])


def test_of_equally_near_texts_the_mask_most_like_the_label_is_chosen(
    labelled, unlabelled, six_masks
):
    masks = ContrastiveMasks(ROOM)
    masks.remember(_shapes(labelled, six_masks))  # a wording a target
    order = [4, 3, 0, 5, 2, 1]
    near = six_masks[order].roll(1, dims=1)[:, None] * 0.9
    found = masks.choose(unlabelled, near, _moment().rng)
    assert torch.equal(found[:, 0], six_masks[order])


def test_a_text_beats_any_likeness(labelled, unlabelled, six_masks):
    masks, texts = ContrastiveMasks(ROOM), torch.eye(6)
    masks.remember(_said(_shapes(labelled, six_masks), texts))
    like_others = six_masks.roll(2, dims=0)[:, None]
    found = masks.choose(_said(unlabelled, texts), like_others, _moment().rng)
    assert torch.equal(found[:, 0], six_masks)


def test_an_empty_label_chooses_an_empty_mask(labelled, unlabelled, six_masks):
    six_masks[2:4] = 0
    masks = ContrastiveMasks(ROOM)
    masks.remember(_shapes(labelled, six_masks))
    found = masks.choose(unlabelled, torch.full((6, 1, 64, 64), 0.2), _moment().rng)
    assert float(found.sum()) == 0.0


def test_words_that_tell_nothing_apart_impose_no_shape_on_an_empty_label(
    labelled, unlabelled, six_masks
):
    masks, empty = ContrastiveMasks(ROOM), torch.zeros(6, 1, 64, 64)
    masks.remember(_shapes(labelled, six_masks))
    assert float(masks.choose(unlabelled, empty, _moment().rng).sum()) == 0.0
    texts = torch.eye(6, 16)
    masks.remember(_said(_shapes(labelled, six_masks), texts))
    found = masks.choose(_said(unlabelled, texts), empty, _moment().rng)
    assert torch.equal(found[:, 0], six_masks)


def test_a_target_without_a_mask_chooses_none(labelled, unlabelled, six_masks):
    only_first = torch.tensor([1.0, 0, 1, 0, 1, 0])
    masks = ContrastiveMasks(ROOM)
    masks.remember(dataclasses.replace(_shapes(labelled, six_masks), counts=only_first))
    found = masks.choose(unlabelled, torch.rand(6, 1, 64, 64), _moment().rng)
    assert (found.flatten(1).amax(1) > 0).tolist() == [True, False] * 3


def test_a_mask_is_kept_once_for_each_text(labelled):
    masks = ContrastiveMasks(ROOM)
    for seed in (1, 2, 1):
        masks.remember(_said(labelled, _random((6, 9), seed)))
    assert len(masks.memory) == 12


@pytest.mark.parametrize("seed", range(3))
def test_packing_loses_nothing(seed):
    mask = (_random((3, 32, 48), seed) > 0).to(torch.uint8)
    packed = torch.stack([pack(one) for one in mask])
    assert packed.dtype == torch.uint8
    assert packed.shape == (3, 32 * 48 // 8)
    assert torch.equal(unpack(packed).view(mask.shape), mask.bool())


def test_dropout_draws_from_the_steps_own_source(tiny, labelled):
    method, losses = _method(tiny), []
    for world in (1, 2):
        torch.manual_seed(world)
        before = torch.get_rng_state()
        losses.append(float(method(labelled, None, _moment())["loss"].detach()))
        assert torch.equal(torch.get_rng_state(), before)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    other = float(method(labelled, None, _moment(seed=1))["loss"].detach())
    assert abs(other - losses[0]) > 1e-6


def test_one_source_gives_new_chance_each_time():
    rng, draws = torch.Generator().manual_seed(0), []
    for _ in range(2):
        with dropout_from(rng, torch.device("cpu")):
            draws.append(torch.rand(3))
    assert not torch.equal(*draws)


def test_a_resumed_method_remembers(tiny, labelled, unlabelled, tmp_path):
    """Losses after a checkpoint are those of the training that was not broken."""
    whole = _method(tiny)
    for seed in range(3):
        whole(labelled, unlabelled, _moment(seed=seed))
    save_tensors(tmp_path / "c.safetensors", whole.state_dict(), {})
    resumed = _method(tiny)
    resumed.load_state_dict(load_tensors(tmp_path / "c.safetensors")[0])
    for seed in range(3, 5):
        ours, theirs = (
            m(labelled, unlabelled, _moment(seed=seed)) for m in (resumed, whole)
        )
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            torch.testing.assert_close(value, theirs[name])
