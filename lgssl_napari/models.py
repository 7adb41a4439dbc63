"""The model behind the prompt line: loading it, and asking it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lgssl_napari.results import Answer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from src_core.checkpoints import ModelCard
    from src_core.predict import Prediction
    from src_core.store import Project
    from src_core.types import Image, Target

TAKEN_FOR = 0.6
"""Similarity from which an unknown wording counts as a known target.

Measured with the default encoder on seven targets: other wordings of a target lie
above 0.66, words that mean something else below 0.58.
"""


class ModelLike(Protocol):
    """What is used of a :class:`src_core.predict.Predictor`."""

    card: ModelCard
    encoder: Any

    def predict(
        self,
        pixels: NDArray[np.generic],
        axes: str,
        prompts: Sequence[str],
        key: str = "",
    ) -> list[Prediction]:
        """Answer prompts about one picture."""
        ...


LoadModel = Callable[["Project", str], ModelLike]


def load_model(project: Project, version: str) -> ModelLike:
    """Load a model version; the first one brings torch into the process."""
    from src_core.predict import Predictor

    return Predictor.load(
        project.models_dir / version, text_cache=project.cache_dir / "text"
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer with its arrays, which the state does not hold."""

    answer: Answer
    probability: NDArray[np.float32]


def hear(
    model: ModelLike,
    image: Image,
    pixels: NDArray[np.generic],
    prompt: str,
    targets: Sequence[Target],
) -> Heard:
    """Ask a model; runs in its lane."""
    from src_core.text import match_target

    match = match_target(prompt, targets, model.encoder)
    prediction = model.predict(pixels, image.axes, [prompt], key=image.id)[0]
    target = match.target if match and match.similarity >= TAKEN_FOR else None
    answer = Answer(
        prompt=prompt,
        target=target,
        nearest=match.wording if match else "",
        similarity=match.similarity if match else 0.0,
        learned=target is not None and target.id in model.card.targets,
        present=prediction.present,
        score=prediction.score,
        threshold=model.card.presence.threshold,
        version=prediction.version,
        pixels=int(prediction.mask.sum()),
        milliseconds=prediction.milliseconds,
        shown=False,
    )
    return Heard(answer, prediction.probability)
