"""Any encoder that ``transformers`` can load, from a folder or by hub id.

Medical encoders such as Bio_ClinicalBERT or the text towers of BiomedCLIP and
CXR-BERT come this way. Only safetensors are read, and never a model's own code.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from src_core.errors import NoEncoderError
from src_core.text.base import TextFeatures, pool

if TYPE_CHECKING:
    from collections.abc import Sequence


class HuggingFaceEncoder:
    """A frozen encoder of the transformers library.

    Parameters
    ----------
    model : str
        A local folder, or a hub id.
    revision : str
        The commit of a hub id; must be given for one, so that the same settings
        always mean the same weights.
    max_tokens : int
        Longer prompts are cut.

    Raises
    ------
    NoEncoderError
        If the model cannot be had, or a hub id comes without a revision.
    """

    def __init__(self, model: str, revision: str = "", max_tokens: int = 32) -> None:
        from transformers import AutoModel, AutoTokenizer

        local = Path(model).expanduser()
        is_local = bool(model) and local.is_dir()
        if not is_local and not revision:
            raise NoEncoderError(
                f"The text encoder '{model}' is not a folder here; to fetch it from "
                "the hub, set text.revision to the commit you trust."
            )
        where = str(local) if is_local else model
        pinned = {} if is_local else {"revision": revision}
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                where, trust_remote_code=False, **pinned
            )
            encoder = AutoModel.from_pretrained(
                where, trust_remote_code=False, use_safetensors=True, **pinned
            )
        except (OSError, ValueError) as error:
            raise NoEncoderError(
                f"The text encoder '{model}' cannot be loaded: "
                f"{str(error).splitlines()[0]} Check the folder or the hub id; it "
                "must hold safetensors and a tokenizer."
            ) from error
        # CLIP-like models keep the words in a tower of their own.
        self._model = (
            getattr(encoder, "text_model", encoder).eval().requires_grad_(False)
        )
        self._max_tokens = max_tokens
        weights = f"{where}@{revision}" if revision else where
        self.name = f"{weights}, {max_tokens} tokens"
        self.width = int(
            getattr(self._model.config, "hidden_size", 0)
            or encoder.config.text_config.hidden_size
        )

    def encode(self, prompts: Sequence[str]) -> TextFeatures:
        """Return the last hidden states (K, L, D) of the prompts."""
        # A tokenizer without special tokens would give a blank prompt no token at all.
        blank = self._tokenizer.unk_token or "."
        rows = self._tokenizer(
            [prompt if prompt.strip() else blank for prompt in prompts],
            padding=True,
            truncation=True,
            max_length=self._max_tokens,
            return_tensors="pt",
        )
        with torch.no_grad():
            hidden = self._model(**rows).last_hidden_state
        return pool(hidden.float(), rows["attention_mask"].bool())
