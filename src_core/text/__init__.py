"""Text to frozen features: the table of encoders, and the cache before them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from src_core.errors import NoEncoderError
from src_core.text.base import TextEncoder, TextFeatures, stack
from src_core.text.cache import CachedEncoder
from src_core.text.match import Match, match_target
from src_core.text.paraphrase import paraphrases
from src_core.text.words import names_a_place, sides, swap_sides, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from src_core.config import TextSettings


def _minilm(settings: TextSettings) -> TextEncoder:
    from src_core.text.minilm import MiniLM

    folder = Path(settings.model).expanduser() if settings.model else None
    return MiniLM(folder, settings.max_tokens)


def _transformers(settings: TextSettings) -> TextEncoder:
    from src_core.text.huggingface import HuggingFaceEncoder

    return HuggingFaceEncoder(settings.model, settings.revision, settings.max_tokens)


def _hashed(settings: TextSettings) -> TextEncoder:
    from src_core.text.hashed import HashedEncoder

    return HashedEncoder(max_tokens=settings.max_tokens)


ENCODERS: dict[str, Callable[[TextSettings], TextEncoder]] = {
    "minilm": _minilm,
    "transformers": _transformers,
    "hashed": _hashed,
}


def load_encoder(settings: TextSettings, cache: Path | None = None) -> CachedEncoder:
    """Return the encoder that the settings name, with a cache before it.

    Parameters
    ----------
    settings : TextSettings
        Which encoder, and from where.
    cache : Path, optional
        A folder that keeps features between runs.

    Raises
    ------
    NoEncoderError
        If the table has no such encoder, or its model cannot be loaded.
    """
    make = ENCODERS.get(settings.encoder)
    if make is None:
        raise NoEncoderError(
            f"There is no text encoder '{settings.encoder}'; "
            f"choose one of {', '.join(ENCODERS)}."
        )
    return CachedEncoder(make(settings), cache)


__all__ = [
    "ENCODERS",
    "CachedEncoder",
    "Match",
    "TextEncoder",
    "TextFeatures",
    "load_encoder",
    "match_target",
    "names_a_place",
    "paraphrases",
    "sides",
    "stack",
    "swap_sides",
    "words",
]
