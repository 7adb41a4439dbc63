"""CPS's own promises: hard answers cross over, without threshold or gradient."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from src_core.errors import BadInputError
from src_core.losses import pseudo_label_loss
from src_core.methods import METHODS, Moment
from src_core.methods.base import ask, supervised_losses, total

CROSS = "cross pseudo supervision"


def _method(tiny, **options):
    torch.manual_seed(0)
    kind = METHODS["cps"]
    settings = tiny.model_copy(update={"method_options": options})
    return kind(kind.build(settings), options, average=0.9).train()


def _moment(weight=1.0):
    return Moment(0.9, weight, torch.Generator().manual_seed(0))


def _logits(method, batch):
    """Of both branches."""
    if method.options.branches == "heads":
        return [d.logits for d in ask(method.net, batch).decoded]
    return [ask(net, batch).logits for net in (method.net, method.net.other)]


def _slow(student, teacher, counts):
    """Cross-entropy over the pairs that count + Dice of each pair, in float64."""
    entropies, dices = [], []
    for logits, taught, count in zip(student, teacher, counts, strict=True):
        p = 1 / (1 + np.exp(-logits.double().numpy()))
        label = (taught.numpy() > 0).astype(float)
        if count:
            entropies.append(-np.log(np.where(label > 0, p, 1 - p)).mean())
        p, label = p * float(count), label * float(count)
        dices.append(1 - (2 * (p * label).sum() + 1) / (p.sum() + label.sum() + 1))
    return np.mean(entropies) + np.mean(dices)


@pytest.mark.parametrize("branches", ["networks", "heads"])
def test_each_branch_learns_the_others_hard_answer(
    tiny, labelled, unlabelled, branches
):
    method = _method(tiny, branches=branches, cutmix=0.0, weight=2.0).eval()
    half = dataclasses.replace(unlabelled, counts=torch.tensor([1.0, 0, 1, 1, 0, 1]))
    with torch.no_grad():
        first, second = _logits(method, half)
        found = method(labelled, half, _moment(0.5))[CROSS]
    crossed = _slow(first, second, half.counts) + _slow(second, first, half.counts)
    assert float(found) == pytest.approx(2.0 * 0.5 * crossed, rel=1e-4)


@pytest.mark.parametrize("branches", ["networks", "heads"])
def test_who_teaches_gets_no_gradient(tiny, labelled, unlabelled, branches):
    """The whole gradient is that of both students against fixed labels."""
    method = _method(tiny, branches=branches, cutmix=0.0)
    method(labelled, unlabelled, _moment())[CROSS].backward()
    found = {n: p.grad for n, p in method.net.named_parameters() if p.grad is not None}
    again = _method(tiny, branches=branches)
    logits = _logits(again, unlabelled)
    everywhere = torch.ones_like(logits[0])
    labels = [(x.detach() > 0).float() for x in reversed(logits)]
    losses = [
        pseudo_label_loss(x, label, everywhere)
        for x, label in zip(logits, labels, strict=True)
    ]
    sum(losses).backward()
    for name, parameter in again.net.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(found[name], parameter.grad)


def test_with_cutmix_the_answers_are_mixed_as_the_images_are(
    tiny, labelled, unlabelled, monkeypatch
):
    """A network that answers with the picture itself agrees with its mixed self."""
    method = _method(tiny, cutmix=1.0)

    def echo(batch, images):
        return [1e4 * images[batch.image_of][:, :1] for _ in range(2)]

    monkeypatch.setattr(method, "_logits", echo)
    assert float(method._cross(unlabelled, _moment().rng)) < 0.01
    plain = echo(unlabelled, unlabelled.images)
    monkeypatch.setattr(method, "_logits", lambda batch, images: plain)
    unmixed = method._cross(unlabelled, _moment().rng)
    assert float(unmixed) > 1.0


def test_the_second_network_is_supervised_as_the_first(tiny, labelled):
    method, other = _method(tiny), _method(tiny).net.other
    method(labelled, None, _moment(0.0))["loss"].backward()
    total(supervised_losses(ask(other, labelled), labelled))["loss"].backward()
    ours = dict(method.net.other.named_parameters())
    for name, parameter in other.named_parameters():
        torch.testing.assert_close(ours[name].grad, parameter.grad)


def test_what_the_branches_are_is_an_option(tiny):
    assert len(_method(tiny, branches="heads").net.decoders) == 2
    assert len(_method(tiny).net.decoders) == 1
    with pytest.raises(BadInputError, match="branches"):
        _method(tiny, branches="three")
