"""The models behind the prompt line: loading, asking and comparing them.

:class:`Answers` is what the controller asks for. :class:`Answerer` does it with the
models that it keeps loaded; in the window's own process it would hold the brush up, so
:class:`lgssl_napari.answers_aside.AnswersAside` has it done in the helper process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lgssl_napari.results import Answer
from lgssl_napari.telling import report, telling
from src_core.errors import memory_ran_out

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lgssl_napari.guide import Named, Where
    from lgssl_napari.telling import Told
    from src_core.acquire import Pick
    from src_core.checkpoints import ModelCard
    from src_core.config import DeviceName
    from src_core.imaging.planes import Pixels
    from src_core.predict import Prediction
    from src_core.store import Project
    from src_core.types import Image, Target

    Mask = NDArray[np.uint8]

TAKEN_FOR = 0.6
"""Similarity from which an unknown wording counts as a known target.

Measured with the default encoder on seven targets: other wordings of a target lie
above 0.66, words that mean something else below 0.58.
"""
KEPT = 2
"""Loaded versions: the one that answers, and the one it is compared with."""


class ModelLike(Protocol):
    """What is used of a :class:`src_core.predict.Predictor`."""

    card: ModelCard
    encoder: Any

    def predict(
        self,
        pixels: Pixels,
        axes: str,
        prompts: Sequence[str],
        key: str = "",
        *,
        like: Image | None = None,
        watch: Told = report,
    ) -> list[Prediction]:
        """Answer prompts about one image."""
        ...


LoadModel = Callable[["Project", str, "DeviceName"], ModelLike]


def load_model(project: Project, version: str, device: DeviceName) -> ModelLike:
    """Load a model version."""
    from src_core.devices import pick_device
    from src_core.predict import Predictor

    return Predictor.load(
        project.models_dir / version,
        pick_device(device),
        text_cache=project.cache_dir / "text",
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer with its arrays, which the state does not hold.

    Attributes
    ----------
    answer : Answer
        What the panel shows.
    probability : ndarray
        In [0, 1], over the image's spatial shape.
    """

    answer: Answer
    probability: NDArray[np.floating[Any]]


class Answers(Protocol):
    """What the controller asks for; each call blocks."""

    def hear(
        self,
        project: Project,
        version: str,
        image: str,
        prompt: str,
        told: Told | None = None,
    ) -> Heard:
        """Ask a version for one prompt about one image; tell of its slices."""
        ...

    def stop(self) -> None:
        """Give up what is being asked, from another thread."""
        ...

    def picks(self, project: Project, version: str | None, count: int) -> list[Pick]:
        """Choose what to label next; by chance without a version."""
        ...

    def masks(
        self, project: Project, versions: Sequence[str], image: str, target: str
    ) -> list[Mask]:
        """Return the mask of one target by each version.

        Each 0 and 1 over the image's spatial shape.
        """
        ...

    def where(self, project: Project, version: str, image: str, target: str) -> Where:
        """Find where a version's opinions about an image part."""
        ...

    def doubted(self, project: Project, version: str) -> tuple[Named, ...]:
        """List the finished masks that a version doubts."""
        ...

    def warm(self, project: Project, version: str) -> None:
        """Load a version before it is needed."""
        ...


class Answerer:
    """Asks model versions of an open project, each loaded once.

    Parameters
    ----------
    load : callable
        Loads a version of a project on a device.
    """

    def __init__(self, load: LoadModel = load_model) -> None:
        self._load = load
        self._models: OrderedDict[tuple[Path, str], ModelLike] = OrderedDict()

    def model(self, project: Project, version: str) -> ModelLike:
        """Return a version, loaded once."""
        key = (project.path, version)
        if key not in self._models:
            self._keep(key, self._load(project, version, "auto"))
        self._models.move_to_end(key)
        return self._models[key]

    def warm(self, project: Project, version: str) -> None:
        """Load a version before it is needed."""
        self.model(project, version)

    def hear(
        self,
        project: Project,
        version: str,
        image: str,
        prompt: str,
        told: Told | None = None,
    ) -> Heard:
        """Ask a version for one prompt about one image; tell of its slices."""
        if told is not None:
            with telling(told):
                return self.hear(project, version, image, prompt)
        found = project.image(image)
        pixels = project.pixels(found)
        targets = project.targets()
        note = ""
        try:
            model = self.model(project, version)
            heard = hear(model, found, pixels, prompt, targets)
        except RuntimeError as error:
            if not memory_ran_out(error):
                raise
            # A GPU that trains may have no room for a second network.
            self._keep((project.path, version), self._load(project, version, "cpu"))
            note = "The GPU's memory ran out: this was computed on the CPU."
            heard = hear(self.model(project, version), found, pixels, prompt, targets)
        return heard if not note else _noted(heard, note)

    def stop(self) -> None:
        """Nothing: who would call is at work itself."""

    def picks(self, project: Project, version: str | None, count: int) -> list[Pick]:
        """Choose what to label next; by chance without a version."""
        from src_core.rounds.choose import next_picks

        def load() -> Any:
            return self.model(project, version or "")

        return next_picks(project, load if version else None, count)

    def masks(
        self, project: Project, versions: Sequence[str], image: str, target: str
    ) -> list[Mask]:
        """Return the mask of one target by each version."""
        found, wanted = project.image(image), project.target(target)
        pixels = project.pixels(found)
        asked = [wanted.wordings[0]]
        models = (self.model(project, version) for version in versions)
        return [
            m.predict(pixels, found.axes, asked, key=image, like=found)[0].mask
            for m in models
        ]

    def where(self, project: Project, version: str, image: str, target: str) -> Where:
        """Find where a version's opinions about an image part."""
        from lgssl_napari.guide import Where
        from src_core.rounds.explain import explain

        model: Any = self.model(project, version)
        found = explain(project, model, image, target)
        plane = found.regions[0].slice if found.regions else None
        return Where(found.heat, plane, found.sentence)

    def doubted(self, project: Project, version: str) -> tuple[Named, ...]:
        """List the finished masks that a version doubts."""
        from lgssl_napari.guide import find_doubted

        return find_doubted(project, self.model(project, version))

    def _keep(self, key: tuple[Path, str], model: ModelLike) -> None:
        self._models[key] = model
        while len(self._models) > KEPT:
            self._models.popitem(last=False)


def hear(
    model: ModelLike,
    image: Image,
    pixels: Pixels,
    prompt: str,
    targets: Sequence[Target],
) -> Heard:
    """Ask one loaded model.

    Parameters
    ----------
    model : ModelLike
        The model.
    image : Image
        Which image it is.
    pixels : Pixels
        Its pixels, over ``image.axes``; read as far as they are needed.
    prompt : str
        What to find.
    targets : sequence of Target
        Of the project: one of them may be meant.
    """
    from src_core.text import match_target

    match = match_target(prompt, targets, model.encoder)
    prediction = model.predict(
        pixels, image.axes, [prompt], key=image.id, like=image, watch=report
    )[0]
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
        peak=float(prediction.probability.max(initial=0.0)),
        version=prediction.version,
        pixels=int(prediction.mask.sum()),
        milliseconds=prediction.milliseconds,
        shown=False,
    )
    return Heard(answer, prediction.probability)


def _noted(heard: Heard, note: str) -> Heard:
    from dataclasses import replace

    return Heard(replace(heard.answer, note=note), heard.probability)
