"""A frozen position of a project as the pictures that a training sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from src_core.geometry import frame_size, tile_windows
from src_core.imaging.prepare import prepare
from src_core.store.truth import read_truth, truths
from src_core.train import Item
from src_core.types import Image, Split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from src_core.config import FrameSettings
    from src_core.store import Project
    from src_core.store.truth import Truth


def pool_items(
    project: Project,
    held_out: frozenset[str],
    splits: frozenset[Split],
    frame: FrameSettings,
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
    """
    labelled = truths(project)
    for image in project.images():
        split = effective_split(image, held_out)
        if split not in splits or split is Split.TEST:
            continue
        truth = read_truth(project, image.id, labelled.get(image.id, []))
        if split is Split.VAL and not truth:
            continue
        pixels = np.asarray(project.pixels(image)[...])
        for name, plane, axes, masks in _planes(image, pixels, truth):
            whole = Item(name, prepare(plane, axes, frame), split, masks, image.caption)
            yield from tiles_of(whole, frame)


def tiles_of(item: Item, frame: FrameSettings) -> Iterator[Item]:
    """Yield the item's tiles, or itself where it is shown whole."""
    height, width = item.picture.pixels.shape[1:]
    if not frame.tiles or max(height, width) <= frame.size:
        yield item
        return
    for number, window in enumerate(tile_windows(height, width, frame.size)):
        truth = {target: mask[window] for target, mask in item.truth.items()}
        # The caption speaks of the whole picture: it would be wrong of a part.
        yield Item(
            f"{item.image}#{number}", item.picture.crop(window), item.split, truth
        )


def effective_split(image: Image, held_out: frozenset[str]) -> Split:
    """Return the image's split, validation for the groups that were held out."""
    if image.split is Split.TRAIN and image.group in held_out:
        return Split.VAL
    return image.split


def _planes(
    image: Image, pixels: NDArray[np.generic], truth: Truth
) -> Iterator[tuple[str, NDArray[np.generic], str, Truth]]:
    """Yield name, pixels, axes and truth of each 2-D picture of an image."""
    if "z" not in image.axes:
        yield image.id, pixels, image.axes, truth
        return
    depth = image.axes.index("z")
    axes = image.axes.replace("z", "")
    for z in range(pixels.shape[depth]):
        here = {target: mask[z] for target, mask in truth.items()}
        yield f"{image.id}@{z}", np.take(pixels, z, axis=depth), axes, here


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
