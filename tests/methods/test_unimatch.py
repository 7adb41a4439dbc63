"""UniMatch's own promises: who teaches whom, with which weights, and the dropout."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from src_core.methods import METHODS, Moment
from src_core.methods.base import ask
from src_core.methods.unimatch import drop_channels


def _method(tiny, **options):
    torch.manual_seed(0)
    kind = METHODS["unimatch"]
    return kind(kind.build(tiny), options, average=0.9).train()


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _parts(method, labelled, unlabelled, weight=1.0):
    losses = method(labelled, unlabelled, Moment(0.9, weight, _rng()))
    return losses["strong streams"], losses["feature dropout"]


def _slow_dice(student, teacher, counts, confidence):
    """Over the sure pixels of each pair, in float64."""
    rows = []
    for logits, taught, count in zip(student, teacher, counts, strict=True):
        p = 1 / (1 + np.exp(-logits.double().numpy()))
        t = 1 / (1 + np.exp(-taught.double().numpy()))
        w = float(count) * (np.maximum(t, 1 - t) >= confidence)
        label = (t > 0.5) * w
        top = 2 * (p * label).sum() + 1
        rows.append(1 - top / ((p * w).sum() + label.sum() + 1))
    return np.mean(rows)


@pytest.mark.parametrize("confidence", [0.0, 0.55])
def test_each_stream_is_dice_against_the_sure_weak_answer(
    tiny, labelled, unlabelled, confidence
):
    """Nothing perturbed: each stream is Dice of the weak answer against itself."""
    method = _method(tiny, jitter=0.0, cutmix=0.0, dropout=0.0, confidence=confidence)
    method.eval()
    half = dataclasses.replace(unlabelled, counts=torch.tensor([1.0, 0, 1, 1, 0, 1]))
    with torch.no_grad():
        strong, dropped = _parts(method, labelled, half)
        weak = ask(method.net, half).logits
    expected = 0.5 * _slow_dice(weak, weak, half.counts, confidence)
    assert float(strong) == pytest.approx(expected, rel=1e-4)
    assert float(dropped) == pytest.approx(expected, rel=1e-4)


def test_the_ramp_weighs_the_streams(tiny, labelled, unlabelled):
    method = _method(tiny, confidence=0.0).eval()
    with torch.no_grad():
        whole = torch.stack(_parts(method, labelled, unlabelled))
        third = torch.stack(_parts(method, labelled, unlabelled, weight=1 / 3))
    torch.testing.assert_close(third, whole / 3)


@pytest.mark.parametrize(
    ("option", "differs"), [("jitter", 0), ("cutmix", 0), ("dropout", 1)]
)
def test_a_perturbation_reaches_its_own_stream(
    tiny, labelled, unlabelled, option, differs
):
    calm = {"jitter": 0.0, "cutmix": 0.0, "dropout": 0.0, "confidence": 0.0}
    with torch.no_grad():
        first, second = (
            _parts(_method(tiny, **options).eval(), labelled, unlabelled)
            for options in (calm, calm | {option: 0.5 if differs else 1.0})
        )
    changed = [not torch.allclose(a, b) for a, b in zip(first, second, strict=True)]
    assert changed == [differs == 0, differs == 1]


def test_the_two_strong_streams_differ(tiny, labelled, unlabelled, monkeypatch):
    method = _method(tiny)
    seen, encode = [], method.net.encode

    def watched(image, **asked):
        seen.append(image)
        return encode(image, **asked)

    monkeypatch.setattr(method.net, "encode", watched)
    method(labelled, unlabelled, Moment(0.9, 1.0, _rng()))
    first, second = seen[-1].chunk(2)
    assert len(first) == len(unlabelled.images)
    assert not torch.allclose(first, second)


def test_the_weak_answer_gets_no_gradient(tiny, labelled, unlabelled):
    """Where every channel but the teacher's is the same, only students are taught."""
    method = _method(tiny, confidence=0.0, strong=0.0, dropout=0.0)
    _, dropped = _parts(method, labelled, unlabelled)
    dropped.backward()
    found = method.net.decoders[0].heads[-1].bias.grad.clone()
    other = _method(tiny)
    weak = ask(other.net, unlabelled).logits
    label = (weak.detach() > 0).float().flatten(1)
    p = weak.sigmoid().flatten(1)
    ratio = (2 * (p * label).sum(1) + 1) / (p.sum(1) + label.sum(1) + 1)
    (0.5 * (1 - ratio).mean()).backward()
    torch.testing.assert_close(found, other.net.decoders[0].heads[-1].bias.grad)


def test_an_unsure_teacher_teaches_nothing(tiny, labelled, unlabelled):
    parts = _parts(_method(tiny, confidence=1.0), labelled, unlabelled)
    assert [float(part.detach()) for part in parts] == [0.0, 0.0]


def test_dropped_channels_are_whole_and_made_up_for():
    maps = torch.rand(64, 50, 3, 3) + 1.0
    found = drop_channels(maps, 0.3, _rng())
    kept = found[:, :, 0, 0] > 0
    assert torch.equal((found > 0).all((2, 3)), kept)
    assert not (found[~kept] != 0).any()
    torch.testing.assert_close(found[kept], maps[kept] / 0.7)
    assert float(kept.float().mean()) == pytest.approx(0.7, abs=0.03)
