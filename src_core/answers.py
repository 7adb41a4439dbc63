"""Whatever answers a prompt about an image, and the answer that it gives.

A model version is asked like this; before there is one, a published model (a proposer).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.presence import Evidence, extents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from src_core.config import FrameSettings
    from src_core.imaging.planes import Looked, Pixels, Planes
    from src_core.imaging.prepare import Prepared
    from src_core.presence import PresenceRule
    from src_core.text import TextEncoder

    Watch = Callable[[int, int], None]

_NOTHING: Final = np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's answer to one prompt about one picture.

    Attributes
    ----------
    probability : ndarray
        (H, W) float32 in [0, 1], or (Z, H, W) float16 for a volume, over the axes
        that the image is stored with.
    score : float
        How sure the model is that the target is there at all, 0 to 1.
    present : bool
        Whether it counts as found: the score passes the version's threshold and at
        least one pixel is likelier inside than outside.
    version : str
        The model that answered.
    milliseconds : float
        For this prompt, the picture's encoding included where it was new.
    evidence : Evidence or None
        What the score was made of; of a volume, that of its best plane.
    plane_scores : tuple of float
        The score of each plane of a volume, as it stands; of a picture its own.
    """

    probability: NDArray[np.floating[Any]]
    score: float
    present: bool
    version: str
    milliseconds: float
    evidence: Evidence | None = None
    plane_scores: tuple[float, ...] = ()

    @property
    def mask(self) -> NDArray[np.uint8]:
        """0 and 1 over the shape of `probability`, cut at one half.

        All 0 where nothing was found.
        """
        if not self.present:
            return np.zeros(self.probability.shape, np.uint8)
        return self.shape_mask

    @property
    def shape_mask(self) -> NDArray[np.uint8]:
        """As `mask`, but whatever the score: for who wants to see it all the same."""
        return (self.probability > 0.5).view(np.uint8)


class Answerer(ABC):
    """What answers prompts: a model version, or a proposer before there is one.

    Attributes
    ----------
    encoder : TextEncoder
        Tells which known target a wording means.
    """

    encoder: TextEncoder

    @property
    @abstractmethod
    def name(self) -> str:
        """What the history calls it."""

    @property
    @abstractmethod
    def threshold(self) -> float:
        """The score from which a target counts as found."""

    @property
    @abstractmethod
    def learned(self) -> frozenset[str]:
        """Ids of the targets that it has learned from finished masks."""

    @property
    @abstractmethod
    def frame(self) -> FrameSettings:
        """How it is shown images."""

    def look_at(self, pixels: Pixels, axes: str, like: Looked | None = None) -> Planes:
        """Return an image as it is shown; parameters as :meth:`predict`."""
        # Not above: it brings torch, which a window never needs.
        from src_core.imaging.planes import Planes

        return Planes(pixels, axes, self.frame, like)

    def predict(
        self,
        pixels: Pixels,
        axes: str,
        prompts: Sequence[str],
        key: str = "",
        *,
        like: Looked | None = None,
        watch: Watch = lambda done, total: None,
    ) -> list[Prediction]:
        """Answer prompts about one picture or volume.

        Parameters
        ----------
        pixels : array
            With the axes ``"yx"``, ``"cyx"``, ``"zyx"`` or ``"czyx"``; of one on the
            disk (zarr) only the slices in work are read.
        axes : str
            As above.
        prompts : sequence of str
            Each is answered on its own; masks may overlap.
        key : str
            Identifies the pixels; if given, a picture's features are kept for a while.
        like : picture or image, optional
            Tells how the patient lies in it and what took it; without it the image
            is shown as it is stored, and windowed by percentiles.
        watch : callable
            Called with planes done and planes in all; what it raises ends the work.

        Returns
        -------
        list of Prediction
            One a prompt.
        """
        view = self.look_at(pixels, axes, like)
        volume = "z" in axes
        out = [view.blank(np.float16 if volume else np.float32) for _ in prompts]
        joined = [_Joined() for _ in prompts]
        for n, answers in enumerate(self.planes(view, prompts, key)):
            for (_, shown), whole, answer in zip(out, joined, answers, strict=True):
                shown[n] = _halved(answer) if volume else answer.probability
                whole.add(answer)
            watch(n + 1, len(view))
        for (_, shown), whole in zip(out, joined, strict=True):
            if whole.present:
                shown[np.flatnonzero(~np.array(whole.found))] = 0
        return [
            whole.over(stored) for whole, (stored, _) in zip(joined, out, strict=True)
        ]

    def planes(
        self, view: Planes, prompts: Sequence[str], key: str = ""
    ) -> Iterator[list[Prediction]]:
        """Yield the answers plane by plane, as the image stands.

        A picture is its own only plane. Only the plane at hand is in memory; who
        stops asking, stops the work.

        Parameters
        ----------
        view : Planes
            From :meth:`look_at`.
        prompts, key
            As :meth:`predict`.
        """
        by_window: dict[str, list[int]] = {}
        for place, prompt in enumerate(prompts):
            by_window.setdefault(view.window_for(prompt), []).append(place)
        for n in range(len(view)):
            answers: dict[int, Prediction] = {}
            for window, places in by_window.items():
                found = self.answer_plane(
                    partial(view.picture, n, window),
                    [prompts[place] for place in places],
                    f"{key}@{n}@{window}" if key else "",
                )
                answers |= zip(places, found, strict=True)
            yield [answers[place] for place in range(len(prompts))]

    @abstractmethod
    def answer_plane(
        self, shown: Callable[[], Prepared], prompts: Sequence[str], key: str
    ) -> list[Prediction]:
        """Answer prompts about one picture.

        Parameters
        ----------
        shown : callable
            Gives the picture as it is shown, if nothing is remembered of it.
        prompts : sequence of str
            As :meth:`predict`.
        key : str
            Identifies the picture, its window included; ``""`` remembers nothing.
        """


def _halved(answer: Prediction) -> NDArray[np.float16]:
    """Return a plane's probability in half the memory, cut where it was cut before."""
    half = answer.probability.astype(np.float16)
    inside = (answer.probability > 0.5) & (half <= 0.5)
    half[inside] = np.nextafter(np.float16(0.5), np.float16(1))
    return half


@dataclass(slots=True)
class _Joined:
    """The answers to the planes of a volume, all but their probabilities."""

    best: Prediction | None = None
    found: list[bool] = field(default_factory=list)
    milliseconds: float = 0.0
    scores: list[float] = field(default_factory=list)

    def add(self, answer: Prediction) -> None:
        if self.best is None or answer.score > self.best.score:
            self.best = replace(answer, probability=_NOTHING)
        self.found.append(answer.present)
        self.milliseconds += answer.milliseconds
        self.scores.append(answer.score)

    @property
    def present(self) -> bool:
        """Whether the target is in any plane; those without it are then left empty."""
        return any(self.found)

    def over(self, probability: NDArray[np.floating[Any]]) -> Prediction:
        assert self.best is not None
        return replace(
            self.best,
            probability=probability,
            present=self.present,
            milliseconds=self.milliseconds,
            plane_scores=tuple(self.scores),
        )


def judged(
    probability: NDArray[np.float32],
    presence: float,
    top: float,
    rule: PresenceRule,
    version: str,
    milliseconds: float,
) -> Prediction:
    """Return an answer to one picture as a presence rule sees it.

    Parameters
    ----------
    probability : ndarray
        (H, W) float32.
    presence, top : float
        Logits: the network's own that the target is there, and of the likeliest pixel.
    rule : PresenceRule
        Decides.
    version : str
        What answered.
    milliseconds : float
        How long it took.
    """
    if not (probability > 0.5).any():  # rounded: a logit can be positive all the same
        top = min(top, 0.0)
    evidence = Evidence(min(presence, top), top, extents(probability))
    score = rule.score(evidence)
    return Prediction(
        probability,
        score,
        rule.finds(evidence),
        version,
        milliseconds,
        evidence,
        (score,),
    )
