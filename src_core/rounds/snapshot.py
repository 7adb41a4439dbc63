"""A frozen position of a project as the pictures that a training sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from src_core.geometry import frame_size
from src_core.train import Item
from src_core.types import Image, Split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from src_core.store import Project

Truth = dict[str, NDArray[np.uint8]]


def truths(project: Project, split: Split | None = None) -> dict[str, list[str]]:
    """Return image id -> ids of the targets whose mask is truth, in one query."""
    found: dict[str, list[str]] = {}
    for mask in project.masks(split):
        if mask.status is not None and mask.status.is_truth:
            found.setdefault(mask.image, []).append(mask.target)
    return found


def read_truth(project: Project, image: str, targets: list[str]) -> Truth:
    """Read the truth of one image, target by target, over its spatial axes."""
    read = {}
    for target in targets:
        mask = project.mask(image, target)
        if mask is not None:
            read[target] = mask.read()
    return read


def pool_items(
    project: Project, held_out: frozenset[str], splits: frozenset[Split]
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
        yield from _planes(image, pixels, truth, split)


def effective_split(image: Image, held_out: frozenset[str]) -> Split:
    """Return the image's split, validation for the groups that were held out."""
    if image.split is Split.TRAIN and image.group in held_out:
        return Split.VAL
    return image.split


def _planes(
    image: Image, pixels: NDArray[np.generic], truth: Truth, split: Split
) -> Iterator[Item]:
    if "z" not in image.axes:
        yield Item(image.id, pixels, image.axes, split, truth, image.caption)
        return
    depth = image.axes.index("z")
    axes = image.axes.replace("z", "")
    for z in range(pixels.shape[depth]):
        plane = np.take(pixels, z, axis=depth)
        here = {target: mask[z] for target, mask in truth.items()}
        yield Item(f"{image.id}@{z}", plane, axes, split, here, image.caption)


def project_frame(project: Project) -> int:
    """Side of the network's square that suits the project's images, in pixels."""
    shapes = [image.spatial_shape[-2:] for image in project.images()]
    return frame_size([(int(h), int(w)) for h, w in shapes])
