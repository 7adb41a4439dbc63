"""Why this image, in words and as a picture: where a model's opinions part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from src_core.rounds.opinion import Asker
from src_core.rounds.places import places
from src_core.rounds.survey import VIEWS
from src_core.rounds.tally import Voices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from src_core.acquire.regions import Region
    from src_core.predict import Picture, Predictor
    from src_core.store import Project


LIGHT: Final = "answers under other brightness and contrast"
WHOSE: Final = {
    Voices.NONE: LIGHT,
    Voices.DECODERS: f"the two decoders, and {LIGHT}",
    Voices.DROPOUT: f"passes with dropout, and {LIGHT}",
}


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Where in an image a correction would teach most.

    Attributes
    ----------
    heat : ndarray
        (H, W) or (Z, H, W) float32, 0 to 1: how far the model's opinions part at each
        pixel, in bits.
    regions : list of Region
        The places with most of it, best first.
    voices : str
        Whose opinions were compared.
    sentence : str
        All of this in words.
    """

    heat: NDArray[np.float32]
    regions: list[Region]
    voices: str
    sentence: str


def explain(
    project: Project, predictor: Predictor, image: str, target: str, count: int = 3
) -> Explanation:
    """Ask the model several times over about one image, and show where it wavers.

    Parameters
    ----------
    project : Project
        Any.
    predictor : Predictor
        The model.
    image, target : str
        Ids or names.
    count : int
        At most so many regions.

    Raises
    ------
    NotFoundError
        If there is no such image or target.
    """
    found, wanted = project.image(image), project.target(target)
    prompt, voices = wanted.wordings[0], Voices.NONE
    asker = Asker(predictor, [prompt])
    view = predictor.look_at(project.pixels(found), found.axes, found)
    heat, shown = view.blank(np.float32)
    for n in range(len(view)):
        picture, views = predictor.views(view.picture(n, view.window_for(prompt)))
        maps = []
        for opinions in (asker.ask(part) for part in _several(views)):
            voices = opinions.voices
            maps += list(opinions.heat()[:, None].float().unbind())
        shown[n] = _assembled(picture, maps)
    regions = places(heat, found.orientation, count)
    return Explanation(heat, regions, WHOSE[voices], _sentence(regions, voices))


def _several(views: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Join views (1, 3, S, S) to batches."""
    held: list[torch.Tensor] = []
    for view in views:
        held.append(view)
        if len(held) == VIEWS:
            yield torch.cat(held)
            held.clear()
    if held:
        yield torch.cat(held)


def _assembled(picture: Picture, maps: list[torch.Tensor]) -> NDArray[np.float32]:
    """Bring the views' maps (1, 1, S, S) back to the picture: (H, W), 0 to 1."""
    joined = picture.assemble(maps)[0]
    return np.asarray(joined.clamp(0.0, 1.0).numpy(), np.float32)


def _sentence(regions: list[Region], voices: Voices) -> str:
    if not regions:
        return "The model's opinions agree everywhere in this image."
    first = regions[0]
    return (
        f"Look first {first.words}: {first.share:.0%} of the disagreement lies there "
        f"({WHOSE[voices]} were compared)."
    )
