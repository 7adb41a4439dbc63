"""What every text encoder gives: token features, and one vector a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Frozen features of K prompts.

    Attributes
    ----------
    tokens : Tensor
        (K, L, D) float32, one row a token; rows beyond the prompt are zero.
    mask : Tensor
        (K, L) bool, True at real tokens.
    pooled : Tensor
        (K, D) float32, the mean over real tokens at unit length.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def select(self, rows: Tensor) -> TextFeatures:
        """Return the prompts at `rows` (P,) long, repeats allowed."""
        return TextFeatures(self.tokens[rows], self.mask[rows], self.pooled[rows])

    def to(self, device: torch.device | str) -> TextFeatures:
        """Return the same features on another device."""
        return TextFeatures(
            self.tokens.to(device), self.mask.to(device), self.pooled.to(device)
        )


@runtime_checkable
class TextEncoder(Protocol):
    """The seam: text in, frozen features out.

    Attributes
    ----------
    name : str
        Identifies encoder, weights and where prompts are cut; part of the cache's key.
    width : int
        D, the width of a token.
    """

    name: str
    width: int

    def encode(self, prompts: Sequence[str]) -> TextFeatures:
        """Return features of the prompts; equal text gives equal features."""
        ...


def pool(tokens: Tensor, mask: Tensor) -> TextFeatures:
    """Mean over real tokens at unit length, as sentence-transformers pools.

    Parameters
    ----------
    tokens : Tensor
        (K, L, D).
    mask : Tensor
        (K, L) bool.
    """
    weights = mask.unsqueeze(-1).to(tokens.dtype)
    tokens = tokens * weights
    mean = tokens.sum(1) / weights.sum(1).clamp_min(1.0)
    return TextFeatures(tokens, mask, torch.nn.functional.normalize(mean, dim=-1))


def stack(features: Sequence[TextFeatures]) -> TextFeatures:
    """Join features of several prompts into one, padded to the longest."""
    longest = max(f.tokens.shape[1] for f in features)

    def padded(x: Tensor) -> Tensor:
        missing = longest - x.shape[1]
        shape = (x.shape[0], missing, *x.shape[2:])
        return torch.cat([x, x.new_zeros(shape)], dim=1)

    return TextFeatures(
        torch.cat([padded(f.tokens) for f in features]),
        torch.cat([padded(f.mask) for f in features]),
        torch.cat([f.pooled for f in features]),
    )
