"""Which known target a freely typed prompt means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from src_core.text.words import as_said, sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from src_core.text.base import TextEncoder
    from src_core.types import Target


@dataclass(frozen=True, slots=True)
class Match:
    """The target that a prompt was taken for.

    Attributes
    ----------
    target : Target
        The nearest known target.
    wording : str
        The known wording that is nearest to what was typed.
    similarity : float
        Cosine between the two, 1 for the same words.
    """

    target: Target
    wording: str
    similarity: float

    @property
    def is_exact(self) -> bool:
        """Whether the prompt is one of the target's own wordings."""
        return self.similarity >= 1.0


def match_target(
    prompt: str, targets: Sequence[Target], encoder: TextEncoder
) -> Match | None:
    """Return the known target nearest to `prompt`, None without targets.

    The same words are a match whatever the encoder says; "CD4+" and "CD4-" are not the
    same. Wordings that name the
    other side lose half of their similarity: encoders hardly tell "left lung" from
    "right lung" (cosine 0.92 in MiniLM), and to a patient it is everything.
    """
    known = [(target, wording) for target in targets for wording in target.wordings]
    if not known:
        return None
    typed = as_said(prompt)
    for target, wording in known:
        if as_said(wording) == typed:
            return Match(target, wording, 1.0)
    vectors = encoder.encode([prompt, *(wording for _, wording in known)]).pooled
    cosines = (vectors[1:] @ vectors[0]).tolist()
    side = sides(prompt)
    scored = []
    for (target, wording), cosine in zip(known, cosines, strict=True):
        other = sides(wording)
        wrong_side = bool(side and other and not side & other)
        scored.append(
            Match(target, wording, min(0.999, cosine * (0.5 if wrong_side else 1)))
        )
    return max(scored, key=lambda match: match.similarity)
