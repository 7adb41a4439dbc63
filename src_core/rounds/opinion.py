"""What a model thinks of pictures: several opinions, and how far they part.

Asked are the first decoder on the plain picture; the other decoders, or the network
with its dropout on, where it really has one; and the first decoder again on a view with
strong changes of intensity, the student's view of semi-supervised training.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from src_core.augment import jitter
from src_core.rounds.tally import Voices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from src_core.devices import Device
    from src_core.nets import PromptNet, Read
    from src_core.predict import Predictor

NEAR: Final = 0.05
"""Probability from which on a pixel counts as near the target: the empty background
would drown a small one."""

PASSES: Final = 4
"""With dropout."""

STRENGTH: Final = 1.0
"""Of the changes of intensity, as training has them."""

CHANGES: Final = (1, 11)
"""Seeds of the changed views: the same changes for every image, or the one that drew
the strongest would look the least certain."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """What a model said of n views and K prompts, on the CPU.

    Attributes
    ----------
    first : Tensor
        (n, K, S, S) float32, probability by the decoder that prediction takes.
    others : Tensor
        (V, n, K, S, S), further opinions on the same view; V may be 0.
    moved : Tensor
        (W, n, K, S, S), the first decoder's on W changed views.
    presence : Tensor
        (n, K) logits that the target is there.
    features : Tensor or None
        (n, D), by which views can be likened.
    voices : Voices
        Whose opinions `others` are.
    """

    first: Tensor
    others: Tensor
    moved: Tensor
    presence: Tensor
    features: Tensor | None
    voices: Voices = Voices.NONE

    def entropy(self) -> Tensor:
        """(n, K, S, S) of the first opinion, in bits."""
        return bits(self.first)

    def margin(self) -> Tensor:
        """(n, K, S, S): 1 where both answers are as likely, 0 where one is sure."""
        return 1.0 - (2.0 * self.first - 1.0).abs()

    def bald(self) -> Tensor:
        """(n, K, S, S) mutual information of the voices, in bits; 0 if there is one."""
        return disagreement(torch.cat([self.first[None], self.others]))

    def consistency(self) -> Tensor:
        """(n, K, S, S) mutual information of plain and changed views, in bits."""
        return disagreement(torch.cat([self.first[None], self.moved]))

    def heat(self) -> Tensor:
        """(n, K, S, S) mutual information of all opinions, in bits: what is shown.

        0 away from the target, where a whisper of every pixel would add up.
        """
        voices = torch.cat([self.first[None], self.others, self.moved])
        return disagreement(voices) * self.near()

    def near(self) -> Tensor:
        """(n, K, S, S) bool: the pixels that some opinion holds possible."""
        voices = torch.cat([self.first[None], self.others, self.moved])
        return voices.amax(0) > NEAR

    def at(self, pixels: Tensor) -> Opinions:
        """Return the same of m pixels only, each array's last four axes one of m.

        Parameters
        ----------
        pixels : Tensor
            (n, K, S, S) bool, m of them true.
        """
        return replace(
            self,
            first=self.first[pixels],
            others=self.others[:, pixels],
            moved=self.moved[:, pixels],
        )


def bits(probability: Tensor) -> Tensor:
    """Binary entropy of probabilities of any shape, in bits: 0 to 1."""
    inside: Tensor = torch.special.entr(probability)
    outside: Tensor = torch.special.entr(1.0 - probability)
    return (inside + outside) / math.log(2.0)


def disagreement(voices: Tensor) -> Tensor:
    """Mutual information of V opinions (V, ...) -> (...), in bits, never below 0."""
    apart = bits(voices.mean(0)) - bits(voices).mean(0)
    return apart.clamp_min(0.0)


class Asker:
    """Asks one model for some targets.

    Parameters
    ----------
    predictor : Predictor
        The model.
    prompts : sequence of str
        K, one a target.
    """

    def __init__(self, predictor: Predictor, prompts: Sequence[str]) -> None:
        self.net: PromptNet = predictor.net
        self.device: Device = predictor.device
        self._text = predictor.encoder.encode(prompts).to(self.device.torch)
        self._prompts = len(prompts)
        self._reads: dict[int, Read] = {}

    @torch.inference_mode()
    def ask(self, views: Tensor) -> Opinions:
        """(n, 3, S, S), each of mean 0 and deviation 1 -> opinions."""
        count = len(views)
        plain, presence, features = self._answer(views)
        moved = [
            self._answer(changed(views, seed), first_only=True)[0][0]
            for seed in CHANGES
        ]
        others, voices = plain[1:], Voices.DECODERS
        if not len(others):
            voices = Voices.NONE
            if has_dropout(self.net):
                others, voices = self._with_dropout(views), Voices.DROPOUT
        return Opinions(
            plain[0],
            others,
            torch.stack(moved),
            presence.view(count, -1),
            features,
            voices,
        )

    def _with_dropout(self, views: Tensor) -> Tensor:
        """(n, 3, S, S) -> (V, n, K, S, S), one pass an opinion."""
        with dropout(self.net):
            passes = [self._answer(views, first_only=True)[0] for _ in range(PASSES)]
        return torch.cat(passes)

    def _answer(
        self, views: Tensor, *, first_only: bool = False
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return probabilities (V, n, K, S, S), presence (n·K,) and features."""
        count, prompts = len(views), self._prompts
        image = torch.arange(count).repeat_interleave(prompts).to(views.device)
        with self.device.autocast():
            view = views.contiguous(memory_format=torch.channels_last)
            seen = self.net.encode(view, first_only=first_only)
            answer = self.net.answer(
                seen.select(image), self._read(count), first_only=first_only
            )
            features = self.net.describe(seen)
        voices = [
            decoded.logits.float()
            .sigmoid()
            .cpu()
            .unflatten(0, (count, prompts))[:, :, 0]
            for decoded in answer.decoded
        ]
        told = None if features is None else features.float().cpu()
        return torch.stack(voices), answer.presence.float().cpu(), told

    def _read(self, count: int) -> Read:
        """Return all prompts, once for each of so many images."""
        if count not in self._reads:
            rows = torch.arange(self._prompts).repeat(count).to(self.device.torch)
            self._reads = {
                count: self.net.prompt(self._text.tokens[rows], self._text.mask[rows])
            }
        return self._reads[count]


def changed(views: Tensor, seed: int) -> Tensor:
    """(n, 3, S, S) -> the same views, each under the same change of intensity."""
    rng = torch.Generator()
    return torch.cat(
        [
            jitter(view, rng.manual_seed(seed), strength=STRENGTH)
            for view in views.split(1)
        ]
    )


def has_dropout(net: nn.Module) -> bool:
    """Whether a network has dropout that does anything."""
    return any(isinstance(m, _DropoutNd) and m.p > 0 for m in net.modules())


@contextmanager
def dropout(net: nn.Module) -> Iterator[None]:
    """Switch a network's dropout on, and nothing else of its training mode."""
    layers = [m for m in net.modules() if isinstance(m, _DropoutNd) and not m.training]
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()
