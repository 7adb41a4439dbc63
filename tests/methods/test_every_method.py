"""What the seam promises, for every row of the table."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from src_core.errors import BadInputError
from src_core.methods import METHODS, Batch, Moment, method_class
from src_core.methods.base import ask, supervised_losses, total

# What a method adds on labelled images alone, switched off; the rest is supervision.
PLAIN = {
    "lg-ssl": {},
    "supervised": {},
    "mean-teacher": {},
    "unimatch": {},
    "cps": {},
    "versemi": {"synthetic": 0.0, "tasks": 0.0},
}
# A fresh network is sure of nothing.
SURE = {"unimatch": {"confidence": 0.5}}


def _build(name, tiny, **options):
    torch.manual_seed(0)
    kind = METHODS[name]
    return kind(kind.build(tiny), options, average=0.9).train()


def _moment(unlabelled=1.0, seed=0):
    return Moment(0.5, unlabelled, torch.Generator().manual_seed(seed))


def _gradients(method):
    return {
        n: p.grad.clone()
        for n, p in method.net.named_parameters()
        if p.grad is not None
    }


@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_the_loss_is_the_sum_of_its_parts(self, name, tiny, labelled, unlabelled):
        losses = _build(name, tiny)(labelled, unlabelled, _moment())
        parts = [value for key, value in losses.items() if key != "loss"]
        torch.testing.assert_close(losses["loss"], torch.stack(parts).sum())
        assert all(
            value.ndim == 0 and torch.isfinite(value) for value in losses.values()
        )

    def test_with_no_weight_on_the_unlabelled_it_trains_as_if_they_were_not_there(
        self, name, tiny, labelled, unlabelled
    ):
        with_them, without = _build(name, tiny), _build(name, tiny)
        with_them(labelled, unlabelled, _moment(0.0))["loss"].backward()
        without(labelled, None, _moment(0.0))["loss"].backward()
        ours, theirs = _gradients(with_them), _gradients(without)
        assert ours.keys() == theirs.keys()
        for key, gradient in ours.items():
            torch.testing.assert_close(gradient, theirs[key])

    def test_with_no_weight_on_the_unlabelled_it_trains_as_supervised_does(
        self, name, tiny, labelled, unlabelled
    ):
        if name not in PLAIN:
            pytest.skip("has a supervised loss of its own, tested beside it")
        method = _build(name, tiny, **PLAIN[name])
        alone = copy.deepcopy(method.net)
        method(labelled, unlabelled, _moment(0.0))["loss"].backward()
        answers = ask(alone, labelled, first_only=True)
        total(supervised_losses(answers, labelled))["loss"].backward()
        ours = _gradients(method)
        for key, parameter in alone.named_parameters():
            if parameter.grad is not None:
                torch.testing.assert_close(ours[key], parameter.grad)

    def test_unlabelled_images_teach_those_methods_that_say_so(
        self, name, tiny, labelled, unlabelled
    ):
        results = []
        for weight in (0.0, 1.0):
            method = _build(name, tiny, **SURE.get(name, {}))
            method.average.load_state_dict(
                {
                    k: v + 0.1 if v.is_floating_point() else v
                    for k, v in method.net.state_dict().items()
                }
            )
            method(labelled, unlabelled, _moment(weight))["loss"].backward()
            results.append(_gradients(method))
        differ = any(
            not torch.allclose(gradient, results[1][key])
            for key, gradient in results[0].items()
        )
        assert differ is METHODS[name].uses_unlabelled

    def test_a_pair_that_does_not_count_adds_nothing(self, name, tiny, labelled):
        half = dataclasses.replace(labelled, counts=torch.tensor([1.0, 0, 1, 0, 1, 0]))
        wrong = dataclasses.replace(half, masks=half.masks.clone())
        wrong.masks[1::2] = 1 - wrong.masks[1::2]
        method = _build(name, tiny).eval()
        first = method(half, None, _moment())["loss"]
        second = method(wrong, None, _moment())["loss"]
        torch.testing.assert_close(first, second)

    def test_the_average_follows_the_weights(self, name, tiny):
        method = _build(name, tiny)
        start = {k: v.clone() for k, v in method.average.state_dict().items()}
        with torch.no_grad():
            for p in method.net.parameters():
                p += 1.0
        expected = {k: v.clone() for k, v in start.items()}
        for step in range(1, 4):
            method.after_step()
            decay = min(0.9, step / (step + 10))
            for k, v in method.net.state_dict().items():
                if v.is_floating_point():
                    expected[k] = decay * expected[k] + (1 - decay) * v
        for k, v in method.average.state_dict().items():
            torch.testing.assert_close(v, expected[k])

    def test_the_teacher_is_never_trained(self, name, tiny, labelled, unlabelled):
        method = _build(name, tiny)
        method(labelled, unlabelled, _moment())["loss"].backward()
        assert all(p.grad is None for p in method.average.parameters())

    def test_an_unknown_option_is_a_sentence(self, name, tiny):
        with pytest.raises(BadInputError, match="no_such_option"):
            _build(name, tiny, no_such_option=1)

    @pytest.mark.slow
    def test_it_can_learn_one_batch_by_heart(self, name, tiny, labelled):
        method = _build(name, tiny)
        optimiser = torch.optim.AdamW(method.net.parameters(), lr=5e-3)
        for step in range(250):
            optimiser.zero_grad()
            # Another chance each step: the same dropout for ever would be learned too.
            method(labelled, None, _moment(0.0, step))["loss"].backward()
            optimiser.step()
        assert _dice(method, labelled) > 0.99


def _dice(method, batch: Batch) -> float:
    with torch.no_grad():
        found = (ask(method.net, batch).decoded[0].logits > 0).float()
    overlap = (found * batch.masks).flatten(1).sum(1)
    total = found.flatten(1).sum(1) + batch.masks.flatten(1).sum(1)
    return float((2 * overlap / total).mean())


def test_an_unknown_method_is_a_sentence():
    with pytest.raises(BadInputError, match="choose one of lg-ssl"):
        method_class("magic")
