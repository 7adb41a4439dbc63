"""Remembers what prompts were encoded to, in memory and in one file on disk."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from src_core.errors import StoreError
from src_core.files import write_private
from src_core.text.base import TextEncoder, TextFeatures, stack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class CachedEncoder:
    """An encoder that encodes each wording once.

    Parameters
    ----------
    encoder : TextEncoder
        Does the work when a wording is new.
    folder : Path, optional
        Keeps the features between runs; memory alone if not given. File names are
        hashes: prompts may hold what must not appear in a path.
    """

    def __init__(self, encoder: TextEncoder, folder: Path | None = None) -> None:
        self._encoder = encoder
        self._folder = folder
        self._known: dict[str, TextFeatures] = {}
        self.name = encoder.name
        self.width = encoder.width

    def encode(self, prompts: Sequence[str]) -> TextFeatures:
        """Return features of the prompts, encoding only those not met before."""
        for prompt in prompts:
            if prompt not in self._known and (stored := self._read(prompt)):
                self._known[prompt] = stored
        new = list(dict.fromkeys(p for p in prompts if p not in self._known))
        if new:
            features = self._encoder.encode(new)
            for k, prompt in enumerate(new):
                length = int(features.mask[k].sum())
                one = TextFeatures(
                    features.tokens[k : k + 1, :length].clone(),
                    features.mask[k : k + 1, :length].clone(),
                    features.pooled[k : k + 1].clone(),
                )
                self._known[prompt] = one
                self._write(prompt, one)
        return stack([self._known[prompt] for prompt in prompts])

    def _path(self, prompt: str) -> Path | None:
        if self._folder is None:
            return None
        key = hashlib.sha256(f"{self.name}\0{prompt}".encode()).hexdigest()
        return self._folder / f"{key}.safetensors"

    def _read(self, prompt: str) -> TextFeatures | None:
        path = self._path(prompt)
        if path is None or not path.exists():
            return None
        try:
            stored = load_file(path)
            tokens, pooled = stored["tokens"], stored["pooled"]
        except (SafetensorError, OSError, KeyError):  # a torn file is encoded anew
            return None
        return TextFeatures(
            tokens, torch.ones(tokens.shape[:2], dtype=torch.bool), pooled
        )

    def _write(self, prompt: str, features: TextFeatures) -> None:
        path = self._path(prompt)
        if path is None:
            return
        data = save({"tokens": features.tokens, "pooled": features.pooled})
        with suppress(OSError, StoreError):  # else it is encoded anew the next time
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(path, data, durable=False)
