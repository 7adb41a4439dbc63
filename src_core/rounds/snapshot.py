"""A frozen position of a project as the pictures that a training sees."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from src_core.geometry import frame_size, tile_windows
from src_core.imaging.planes import Planes
from src_core.imaging.turn import Turn
from src_core.imaging.windows import PERCENTILES, windows_by_wording
from src_core.rounds.validation import effective_split
from src_core.store.truth import read_truth, truths
from src_core.train import Item
from src_core.types import Image, Split, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
        planes = Planes(project.pixels(image), image.axes, frame, image)
        masks = _Masks(
            {target: planes.show(mask) for target, mask in truth.items()},
            {target: planes.show(mask) for target, mask in proposed.items()},
        )
        for whole in _items(image, planes, split, masks, project.targets()):
            yield from tiles_of(whole, frame)


@dataclass(frozen=True, slots=True)
class _Masks:
    """Truth and proposals of an image, as stacks of slices that stand."""

    truth: Truth
    proposed: Truth


def _items(
    image: Image, planes: Planes, split: Split, masks: _Masks, targets: list[Target]
) -> Iterator[Item]:
    """Yield each slice of an image, once for each window that its targets need."""
    by_window: dict[str, list[str]] = {}
    for target in targets:
        window = planes.window_for(target.wordings[0])
        by_window.setdefault(window, []).append(target.id)
    flat = "z" not in image.axes
    for n in range(len(planes)):
        for window, asked in (by_window or {PERCENTILES: []}).items():
            truth = {t: masks.truth[t][n] for t in asked if t in masks.truth}
            guess = {t: masks.proposed[t][n] for t in asked if t in masks.proposed}
            yield Item(
                image.id if flat else f"{image.id}@{n}",
                planes.picture(n, window),
                split,
                truth,
                image.caption,
                # Where a proposer saw nothing in a plane, nothing is known.
                {t: mask for t, mask in guess.items() if mask.any()},
                # of several windows each picture is asked for its own targets only
                frozenset(asked) if len(by_window) > 1 else None,
            )


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
            asked=item.asked,
        )


SMALLEST_PIECE = 5.0
LOOKED_AT = 20


def choose_frame(project: Project, frame: FrameSettings) -> FrameSettings:
    """Fill in what the data decides: the square's side, whole or in tiles, windows.

    Images stand as radiologists look at them, so that left is left however a file is
    stored; a volume's slices are shown with their neighbours. CT gets the window of
    each target.

    Pictures are shown whole, because much of medicine needs the place in the picture
    (left and right), unless that would make the median piece of the true masks
    smaller than `SMALLEST_PIECE` pixels across: then they are cut into tiles.
    """
    images = project.images()
    shapes = [Turn.of(image).along(image.spatial_shape)[-2:] for image in images]
    size = frame.size or frame_size([(int(h), int(w)) for h, w in shapes])
    tiles = frame.tiles
    if tiles is None:
        tiles = 0 < _median_piece(project, images, size) < SMALLEST_PIECE
    volumes = any("z" in image.axes for image in images)
    return frame.model_copy(
        update={
            "size": size,
            "tiles": tiles,
            "standing": True if frame.standing is None else frame.standing,
            "slabs": volumes if frame.slabs is None else frame.slabs,
            "windows": windows_by_wording(project.targets())
            if frame.windows is None
            else frame.windows,
        }
    )


def _median_piece(project: Project, images: list[Image], size: int) -> float:
    """Diameter of the median connected piece of some true masks, as it is shown.

    In pixels of a square with the side `size`, into which each picture is shrunk as
    its own longer side asks: one large picture among small ones changes nothing.
    """
    from skimage.measure import label

    known = truths(project)
    labelled = [image for image in images if image.id in known]
    step = max(1, len(labelled) // LOOKED_AT)
    areas: list[float] = []
    for image in labelled[::step]:
        shown = Turn.of(image).along(image.spatial_shape)[-2:]
        shrunk = min(1.0, size / max(shown)) ** 2
        for mask in read_truth(project, image.id, known[image.id]).values():
            for plane in mask.reshape(-1, *mask.shape[-2:]):
                sizes = np.bincount(label(plane).ravel())[1:] * shrunk
                areas.extend(sizes.tolist())
    return float(np.sqrt(np.median(areas) * 4 / np.pi)) if areas else 0.0
