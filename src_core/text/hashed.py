"""A text encoder without weights: each word is a fixed random vector of its hash.

It knows words but no meaning. It is for tests, and for machines where no encoder
can be installed: wordings of a target must then share words with its prompts.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch

from src_core.text.base import TextFeatures, pool
from src_core.text.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence


class HashedEncoder:
    """Words to fixed vectors through SHA-256.

    Parameters
    ----------
    width : int
        D.
    max_tokens : int
        Longer prompts are cut.
    """

    def __init__(self, width: int = 384, max_tokens: int = 32) -> None:
        self.name = f"hashed-{width}, {max_tokens} tokens"
        self.width = width
        self.max_tokens = max_tokens

    def _vector(self, word: str) -> np.ndarray:
        digest = hashlib.sha256(word.encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        return generator.standard_normal(self.width, dtype=np.float32)

    def encode(self, prompts: Sequence[str]) -> TextFeatures:
        """Return features of the prompts; an empty prompt has one empty word."""
        rows = [(words(p) or [""])[: self.max_tokens] for p in prompts]
        longest = max(len(row) for row in rows)
        tokens = np.zeros((len(rows), longest, self.width), np.float32)
        mask = np.zeros((len(rows), longest), bool)
        for k, row in enumerate(rows):
            tokens[k, : len(row)] = [self._vector(word) for word in row]
            mask[k, : len(row)] = True
        return pool(torch.from_numpy(tokens), torch.from_numpy(mask))
