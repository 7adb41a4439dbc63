"""A frozen position of a project as the pictures that a training sees."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from src_core.geometry import frame_size, tile_windows
from src_core.imaging.prepare import prepare
from src_core.rounds.validation import effective_split
from src_core.store.truth import read_truth, truths
from src_core.train import Item
from src_core.types import Image, Split

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from src_core.config import FrameSettings
    from src_core.store import Project
    from src_core.store.truth import Truth


def pool_items(
    project: Project,
    held_out: frozenset[str],
    splits: frozenset[Split],
    frame: FrameSettings,
    teachers: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Iterator[Item]:
    """Yield every picture of the wanted splits, volumes slice by slice.

    Parameters
    ----------
    project : Project
        At the position to train from.
    held_out : frozenset of str
        Groups that are kept for validation although their split says train.
    splits : frozenset of Split
        Test images never enter a training, whatever is asked.
    frame : FrameSettings
        Complete; with tiles a picture larger than a tile becomes several items.
    teachers : mapping
        Image id -> ids of the targets whose proposal may teach there.
    """
    labelled = truths(project)
    for image in project.images():
        split = effective_split(image, held_out)
        if split not in splits or split is Split.TEST:
            continue
        truth = read_truth(project, image.id, labelled.get(image.id, []))
        if split is Split.VAL and not truth:
            continue
        guesses = teachers.get(image.id, ()) if split is Split.TRAIN else ()
        proposed = read_truth(project, image.id, list(guesses))
        pixels = np.asarray(project.pixels(image)[...])
        for plane in _planes(image, pixels):
            whole = Item(
                plane.name,
                prepare(plane.pixels, plane.axes, frame),
                split,
                plane.of(truth),
                image.caption,
                # Where a proposer saw nothing in a plane, nothing is known.
                {t: mask for t, mask in plane.of(proposed).items() if mask.any()},
            )
            yield from tiles_of(whole, frame)


def tiles_of(item: Item, frame: FrameSettings) -> Iterator[Item]:
    """Yield the item's tiles, or itself where it is shown whole."""
    height, width = item.picture.pixels.shape[1:]
    if not frame.tiles or max(height, width) <= frame.size:
        yield item
        return
    for number, window in enumerate(tile_windows(height, width, frame.size)):
        truth = {target: mask[window] for target, mask in item.truth.items()}
        guess = {target: mask[window] for target, mask in item.proposed.items()}
        # The caption speaks of the whole picture: it would be wrong of a part.
        yield Item(
            f"{item.image}#{number}",
            item.picture.crop(window),
            item.split,
            truth,
            proposed={target: mask for target, mask in guess.items() if mask.any()},
        )


@dataclass(frozen=True, slots=True)
class _Plane:
    """One 2-D picture of an image; `z` is None where the image is one itself."""

    name: str
    pixels: NDArray[np.generic]
    axes: str
    z: int | None

    def of(self, masks: Truth) -> Truth:
        """Return this plane of masks over the image."""
        if self.z is None:
            return masks
        return {target: mask[self.z] for target, mask in masks.items()}


def _planes(image: Image, pixels: NDArray[np.generic]) -> Iterator[_Plane]:
    """Yield each 2-D picture of an image."""
    if "z" not in image.axes:
        yield _Plane(image.id, pixels, image.axes, None)
        return
    depth = image.axes.index("z")
    axes = image.axes.replace("z", "")
    for z in range(pixels.shape[depth]):
        yield _Plane(f"{image.id}@{z}", np.take(pixels, z, axis=depth), axes, z)


SMALLEST_PIECE = 5.0
LOOKED_AT = 20


def choose_frame(project: Project, frame: FrameSettings) -> FrameSettings:
    """Fill in what the data decides: the square's side, and whole or in tiles.

    Pictures are shown whole, because much of medicine needs the place in the picture
    (left and right), unless that would make the median piece of the true masks
    smaller than `SMALLEST_PIECE` pixels across: then they are cut into tiles.
    """
    images = project.images()
    shapes = [image.spatial_shape[-2:] for image in images]
    size = frame.size or frame_size([(int(h), int(w)) for h, w in shapes])
    tiles = frame.tiles
    if tiles is None:
        across = _median_piece(project, images)
        longest = max((max(shape) for shape in shapes), default=size)
        shrunk = across * min(1.0, size / longest)
        tiles = 0 < shrunk < SMALLEST_PIECE
    return frame.model_copy(update={"size": size, "tiles": tiles})


def _median_piece(project: Project, images: list[Image]) -> float:
    """Diameter of the median connected piece of some true masks, in pixels."""
    from skimage.measure import label

    known = truths(project)
    labelled = [image for image in images if image.id in known]
    step = max(1, len(labelled) // LOOKED_AT)
    areas: list[int] = []
    for image in labelled[::step]:
        for mask in read_truth(project, image.id, known[image.id]).values():
            for plane in mask.reshape(-1, *mask.shape[-2:]):
                areas.extend(np.bincount(label(plane).ravel())[1:].tolist())
    return float(np.sqrt(np.median(areas) * 4 / np.pi)) if areas else 0.0
