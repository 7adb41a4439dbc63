"""LG-SSL's own promises: stop-gradient, hybrid consistency, CutMix of answers."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from src_core.losses import balanced_mean
from src_core.methods import METHODS, Moment
from src_core.methods.base import ask


def _method(tiny, **options):
    torch.manual_seed(0)
    kind = METHODS["lg-ssl"]
    return kind(kind.build(tiny), options, average=0.9).train()


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _unlabelled_loss(method, labelled, unlabelled):
    """The part of the loss that unlabelled images make."""
    answers = ask(method.net, labelled)
    detached = dataclasses.replace(
        answers,
        decoded=tuple(
            dataclasses.replace(d, logits=d.logits.detach()) for d in answers.decoded
        ),
    )
    parts = method._hybrid_consistency(detached, unlabelled, Moment(0.9, 1.0, _rng()))
    return torch.stack(list(parts.values())).sum()


def _adapter_gradient(method):
    return [p.grad for p in method.net.adapter.parameters() if p.grad is not None]


def test_prompts_learn_nothing_from_unlabelled_images(tiny, labelled, unlabelled):
    method = _method(tiny, confidence=0.5)
    _unlabelled_loss(method, labelled, unlabelled).backward()
    assert _adapter_gradient(method) == []
    assert method.net.encoder.stem[0].weight.grad.abs().sum() > 0


def test_prompts_learn_from_labelled_images(tiny, labelled):
    method = _method(tiny)
    method(labelled, None, Moment(0.1, 0.0, _rng()))["loss"].backward()
    assert all(gradient.abs().sum() > 0 for gradient in _adapter_gradient(method))


def test_without_the_stop_gradient_they_would(tiny, labelled, unlabelled):
    method = _method(tiny, confidence=0.5, stop_gradient=False)
    _unlabelled_loss(method, labelled, unlabelled).backward()
    assert sum(float(g.abs().sum()) for g in _adapter_gradient(method)) > 0


def test_both_decoders_are_supervised_once_unlabelled_images_join(
    tiny, labelled, unlabelled
):
    method = _method(tiny, perturbation=0.0, difference=0.0)
    method.join()
    method(labelled, unlabelled, Moment(0.9, 1.0, _rng()))["loss"].backward()
    for decoder in method.net.decoders:
        assert decoder.heads[-1].weight.grad.abs().sum() > 0


def test_decoder_2_is_born_from_decoder_1(tiny, unlabelled):
    """At birth both answer nearly the same; before, they do not."""

    def distance(method):
        with torch.no_grad():
            first, second = ask(method.average, unlabelled).decoded
        return float((first.logits - second.logits).abs().mean())

    method = _method(tiny)
    before = distance(method)
    method.join()
    assert distance(method) < 0.5 * before


def test_the_plain_form_is_the_published_hybrid_consistency(tiny, labelled, unlabelled):
    """teacher=self: T=2 distillation both ways, and the squared difference of P-Q."""
    off = {"jitter": 0.0, "cutmix": 0.0, "confidence": 0.0, "dice": 0.0}
    method = _method(tiny, teacher="self", weigh=False, **off).eval()
    with torch.no_grad():
        p = [d.logits for d in ask(method.net, labelled).decoded]
        q = [d.logits for d in ask(method.net, unlabelled).decoded]
        found = method._hybrid_consistency(
            ask(method.net, labelled), unlabelled, Moment(0.9, 1.0, _rng())
        )
    temperature = 2.0
    soft = [torch.sigmoid(x / temperature).double() for x in q]

    def divergence(a, b):
        """Of b from a, both Bernoulli."""
        return a * (a / b).log() + (1 - a) * ((1 - a) / (1 - b)).log()

    cross = 0.5 * temperature**2 * (divergence(*soft[::-1]) + divergence(*soft))
    inside, everywhere = (q[0] + q[1]) > 0, torch.ones_like(q[0])
    torch.testing.assert_close(
        found["perturbation"].double(), cross.mean(), rtol=1e-3, atol=1e-5
    )
    s = torch.sigmoid
    apart = ((s(p[0]) - s(q[0])) - (s(p[1]) - s(q[1]))) ** 2
    torch.testing.assert_close(
        found["difference"],
        balanced_mean(apart, inside, everywhere),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("confidence", [0.5, 0.9, 1.0])
def test_only_pixels_of_which_the_teacher_is_sure_count(
    tiny, labelled, unlabelled, confidence
):
    method = _method(tiny, confidence=confidence, difference=0.0)
    loss = float(_unlabelled_loss(method, labelled, unlabelled).detach())
    # A fresh network is sure of nothing.
    assert (loss > 0) is (confidence == 0.5)


@pytest.mark.parametrize("weigh", [True, False])
@pytest.mark.parametrize("bias", [-20.0, 20.0])
def test_a_teacher_that_finds_nothing_teaches_nothing(
    tiny, labelled, unlabelled, bias, weigh
):
    method = _method(tiny, difference=0.0, weigh=weigh)
    for decoder in method.average.decoders:
        torch.nn.init.constant_(decoder.heads[-1].bias, bias)
    loss = float(_unlabelled_loss(method, labelled, unlabelled).detach())
    assert (loss == 0.0) is (bias < 0 and weigh)


def test_a_pair_weighs_as_much_as_its_answer_is_clear(tiny):
    """Distillation over weighted pixels, Dice over weighted pairs: by hand."""
    method = _method(tiny)
    rng = torch.Generator().manual_seed(3)
    student, teacher = torch.randn(2, 3, 1, 8, 8, generator=rng) * 3
    sure = (torch.rand(3, 1, 8, 8, generator=rng) < 0.6).float()
    pair = torch.tensor([0.0, 0.25, 1.0]).view(3, 1, 1, 1)
    found = float(method._agree(student, teacher, sure, pair))
    s, t, w, k = (x.double() for x in (student, teacher, sure, pair))
    a, b = torch.sigmoid(t / 2), torch.sigmoid(s / 2)
    divergence = 4 * (a * (a / b).log() + (1 - a) * ((1 - a) / (1 - b)).log())
    distilled = (divergence * w * k).sum() / (w * k).sum()
    p, label = w * torch.sigmoid(s), w * (t > 0)
    parts = [x.flatten(1).sum(1) for x in (p * label, p, label)]
    dice = 1 - (2 * parts[0] + 1) / (parts[1] + parts[2] + 1)
    expected = float(distilled + (dice * k.flatten()).sum() / 3)
    assert found == pytest.approx(expected, rel=1e-4)


def test_pairs_with_truth_are_not_taken_for_unlabelled(tiny, labelled, unlabelled):
    method = _method(tiny, confidence=0.5)
    nothing = dataclasses.replace(unlabelled, counts=torch.zeros(6))
    assert float(_unlabelled_loss(method, labelled, nothing).detach()) == 0.0
