"""Every way to ask for every target, encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from src_core.text import (
    TextEncoder,
    TextFeatures,
    names_a_place,
    paraphrases,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from src_core.types import Target


class Wordings:
    """Text features of the targets' wordings and of the pictures' captions.

    Parameters
    ----------
    targets : sequence of Target
        In the pool's order.
    captions : sequence of str
        One a picture, ``""`` where there is none. They are used as prompts only where
        the project has one target: of several, a caption does not say which is meant.
    encoder : TextEncoder
        Encodes each distinct wording once.

    Every wording is also asked in other words that mean the same
    (:func:`src_core.text.paraphrases`), half of the time; a network that met one
    wording alone answers no other. What another target is called, or could be called,
    is never among them.
    """

    def __init__(
        self, targets: Sequence[Target], captions: Sequence[str], encoder: TextEncoder
    ) -> None:
        per_target = [list(target.wordings) for target in targets]
        others = in_other_words(per_target)
        captions = captions if len(targets) == 1 else [""] * len(captions)
        asked = [w for ws in (*per_target, *others) for w in ws]
        texts = list(dict.fromkeys(asked + [c for c in captions if c]))
        self.texts = texts
        row = {text: k for k, text in enumerate(texts)}
        self._of_target = [[row[w] for w in ws] for ws in per_target]
        self._paraphrased = [[row[w] for w in ws] for ws in others]
        self._of_image = [row[c] if c else -1 for c in captions]
        self.features = encoder.encode(texts)

    @property
    def name_a_place(self) -> bool:
        """Whether any wording says left or upper: then pictures must not be flipped.

        Nor would exchanging the two words make a flip right. A mirrored left ventricle
        is not a right one; a mirrored left lung lies beside a heart on the wrong side;
        and whether a wording means the side of the picture or of the patient, no
        picture tells. What is flipped is turned by right angles, too: upper is then
        lower.
        """
        return any(names_a_place(text) for text in self.texts)

    def first(self, target: int) -> int:
        """Row of the usual wording of a target."""
        return self._of_target[target][0]

    def caption(self, image: int) -> int | None:
        """Row of a picture's caption, None where it has none."""
        row = self._of_image[image]
        return row if row >= 0 else None

    def draw(self, targets: Tensor, images: Tensor, rng: Generator) -> Tensor:
        """Draw one wording a pair.

        Every second time it is the picture's caption, if any; else one that a person
        wrote as often as a paraphrase.

        Parameters
        ----------
        targets, images : Tensor
            (P,) long.
        rng : Generator
            On the CPU.

        Returns
        -------
        Tensor
            (P,) long, rows of :attr:`features`.
        """
        chance = torch.rand((len(targets), 3), generator=rng).tolist()
        rows = []
        for target, image, (which, how, pick) in zip(
            targets.tolist(), images.tolist(), chance, strict=True
        ):
            own, caption = self._of_target[target], self._of_image[image]
            if self._paraphrased[target] and how < 0.5:
                own = self._paraphrased[target]
            use_caption = caption >= 0 and which < 0.5
            rows.append(caption if use_caption else own[int(pick * len(own))])
        return torch.tensor(rows, dtype=torch.long)

    def select(self, rows: Tensor, device: torch.device) -> TextFeatures:
        """Return the features at `rows` (P,), cut to the longest, on a device."""
        chosen = self.features.select(rows)
        longest = int(chosen.mask.sum(1).max())
        cut = TextFeatures(
            chosen.tokens[:, :longest], chosen.mask[:, :longest], chosen.pooled
        )
        return cut.to(device)


def in_other_words(per_target: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return paraphrases of each target's wordings that can mean no other target.

    Parameters
    ----------
    per_target : sequence of sequence of str
        What people call each target.
    """
    others = [
        list(dict.fromkeys(p for wording in wordings for p in paraphrases(wording)))
        for wordings in per_target
    ]
    meant: dict[tuple[str, ...], set[int]] = {}
    for target, (own, other) in enumerate(zip(per_target, others, strict=True)):
        for text in (*own, *other):
            meant.setdefault(tuple(words(text)), set()).add(target)
    written = {tuple(words(text)) for texts in per_target for text in texts}
    kept: list[list[str]] = []
    for texts in others:
        keys = [(tuple(words(text)), text) for text in texts]
        unique = {k: t for k, t in keys if len(meant[k]) == 1 and k not in written}
        kept.append(list(unique.values()))
    return kept
