"""A mask put right by a few strokes, on top of the model's probability.

A stroke that the mask contradicts frees the pixels around it, as far as the mask's
border lies from it and half as far again; within them the outline is found anew from
the picture's edges, the model's probability and the strokes. Elsewhere nothing moves:
what a person has looked at and left stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Mask = NDArray[np.uint8]
    Bool = NDArray[np.bool_]
    Float = NDArray[np.float32]

INSIDE, OUTSIDE = 1, 2
MARGIN = 6.0
"""Pixels that are freed beyond what the stroke must move."""
SLACK = 1.5
EDGES = 4.0
"""Weight of the picture's edges against the model's opinion, in the graph cut."""
TRUST = 0.1
"""How much the opinion counts where strokes contradict it: nothing at the stroke, and
this share of its logarithm at the rim of what was freed."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a refinement is given; arrays over (H, W) or (Z, H, W).

    Attributes
    ----------
    picture : ndarray
        float32 with the channels last, each of mean 0 and deviation 1.
    probability : ndarray
        float32 in [0, 1].
    mask : ndarray
        0 and 1: what stands outside the freed pixels.
    strokes : ndarray
        `INSIDE`, `OUTSIDE` or 0.
    spacing : tuple of float
        Distance of neighbours along each axis, in pixels of the finest: a step to the
        next slice may be a long one.
    """

    picture: Float
    probability: Float
    mask: Mask
    strokes: Mask
    spacing: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Refiner:
    """One way to find the outline: what it is called, and what it does.

    Attributes
    ----------
    label, tip : str
        Of its button.
    solve : callable
        Given a :class:`Task` and the freed pixels, bool over its mask's shape, it
        returns which of them lie inside, bool of the same shape.
    """

    label: str
    tip: str
    solve: Callable[[Task, Bool], Bool]


def refined(
    pixels: NDArray[np.generic],
    axes: str,
    probability: Float | None,
    mask: Mask,
    strokes: Mask,
    spacing: tuple[float, ...],
    method: str,
) -> Mask:
    """Return :func:`refine` of an image as it is stored; for the helper process.

    Parameters
    ----------
    pixels, axes
        As for :func:`standardised`.
    probability : ndarray or None
        Of the model, where it was asked.
    mask, strokes, method
        As for :func:`refine`.
    spacing : tuple of float
        Of the spatial axes, in any unit.
    """
    opinion = softened(mask) if probability is None else probability
    task = Task(standardised(pixels, axes), opinion, mask, strokes, relative(spacing))
    return refine(task, method)


def refine(task: Task, method: str) -> Mask:
    """Return the mask with the outline found anew around the strokes.

    Parameters
    ----------
    task : Task
        What there is to go by.
    method : str
        A row of :data:`REFINERS`.

    Returns
    -------
    ndarray
        uint8 of 0 and 1, of the shape of the task's mask.
    """
    free = freed(task.mask, task.strokes, task.spacing)
    result = task.mask.copy()
    if free.any():
        box = _box(free)
        inner = Task(
            task.picture[box],
            task.probability[box],
            task.mask[box],
            task.strokes[box],
            task.spacing,
        )
        inside = REFINERS[method].solve(inner, free[box])
        result[box] = np.where(free[box], inside, result[box])
    result[task.strokes == INSIDE] = 1
    result[task.strokes == OUTSIDE] = 0
    return result


def freed(mask: Mask, strokes: Mask, spacing: tuple[float, ...]) -> Bool:
    """Return the pixels that the strokes put up for decision.

    Parameters
    ----------
    mask, strokes, spacing
        As in :class:`Task`.

    Returns
    -------
    ndarray
        bool, of the mask's shape.
    """
    from scipy.ndimage import distance_transform_edt, label

    free = np.zeros(mask.shape, bool)
    for value, wrong in ((INSIDE, mask == 0), (OUTSIDE, mask != 0)):
        pieces, count = label((strokes == value) & wrong)
        if not count:
            continue
        # How far each pixel lies from where it would be right already.
        depth = distance_transform_edt(wrong, spacing) if not wrong.all() else None
        for piece in range(1, count + 1):
            here = pieces == piece
            reach = MARGIN if depth is None else SLACK * float(depth[here].max())
            free |= _within(here, reach + MARGIN, spacing)
        # A thing so small that a stroke frees all of it is not wholly wrong for that:
        # the half of it that lies farther away stays.
        if not (wrong & ~free).any() and not (strokes == 3 - value).any():
            away = distance_transform_edt(strokes != value, spacing)
            free &= ~(wrong & (away > np.median(away[wrong])))
    return free


def relative(spacing: tuple[float, ...]) -> tuple[float, ...]:
    """Return a spacing in pixels of the finest axis, as :class:`Task` wants it."""
    finest = min(spacing)
    return tuple(step / finest for step in spacing)


def standardised(pixels: NDArray[np.generic], axes: str) -> Float:
    """Return pixels as :class:`Task` wants them.

    Parameters
    ----------
    pixels : ndarray
        With the axes ``"yx"``, ``"cyx"``, ``"zyx"`` or ``"czyx"``.
    axes : str
        As above.
    """
    picture = np.asarray(pixels, np.float32)
    picture = np.moveaxis(picture, 0, -1) if "c" in axes else picture[..., None]
    spatial = tuple(range(picture.ndim - 1))
    mean, deviation = picture.mean(spatial), picture.std(spatial)
    scaled: Float = (picture - mean) / np.maximum(deviation, np.float32(1e-6))
    return scaled


def softened(mask: Mask) -> Float:
    """Return a probability where no model gave one: the mask with a soft border.

    float32 from 0.05 to 0.95, of the mask's shape.
    """
    from scipy.ndimage import gaussian_filter

    blurred: Float = gaussian_filter(mask.astype(np.float32), 2.0)
    return 0.05 + 0.9 * blurred


# ------------------------------------------------------------------------- the ways
def random_walker(task: Task, free: Bool) -> Bool:
    """Ask for each free pixel where a random walk from it arrives first.

    Grady 2006, by scikit-image; seeds are the strokes and all that is not free. The
    model's probability is one more channel of the picture, so that its own outline is
    an edge, too.
    """
    from skimage.segmentation import random_walker as walk

    seeds = np.where(free, 0, np.where(task.mask != 0, INSIDE, OUTSIDE))
    seeds = np.where(task.strokes != 0, task.strokes, seeds).astype(np.int32)
    if not ((seeds == INSIDE).any() and (seeds == OUTSIDE).any()):
        return np.full(free.shape, bool((seeds == INSIDE).any()))
    if seeds.all():  # strokes lie over all that was free
        settled: Bool = seeds == INSIDE
        return settled
    opinion = 2 * (task.probability[..., None] - 0.5)
    data = np.concatenate([task.picture, opinion], axis=-1)
    # Solved at once where that is small: iterating gives up after thirty steps, before
    # a faint border is settled. A volume takes a solver that needs no more than that.
    mode = "bf" if free.ndim == 2 else "cg_mg"
    found = walk(data, seeds, mode=mode, prob_tol=0.1, channel_axis=-1)
    inside: Bool = found == INSIDE
    return inside


def graph_cut(task: Task, free: Bool) -> Bool:
    """Cut where the border is cheapest: along edges, and as the model thinks.

    Boykov and Jolly 2001: each free pixel pays for what the model does not believe,
    each pair of neighbours that is cut for being alike; the cheapest cut is exact.
    """
    from scipy.ndimage import distance_transform_edt
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    count = free.size
    source, sink = count, count + 1
    numbers = np.arange(count).reshape(free.shape)
    rows, columns, weights = [], [], []
    for axis in range(free.ndim):
        near, far = _pairs(free.ndim, axis)
        step = ((task.picture[near] - task.picture[far]) ** 2).mean(-1)
        alike = EDGES * np.exp(-step / (2 * max(float(step.mean()), 1e-6)))
        alike /= task.spacing[axis]
        for a, b in ((near, far), (far, near)):
            rows.append(numbers[a].ravel())
            columns.append(numbers[b].ravel())
            weights.append(alike.ravel())
    inside = np.clip(task.probability, 0.02, 0.98)
    away = distance_transform_edt(task.strokes == 0, task.spacing)
    trust = TRUST * away / max(float(away[free].max(initial=1.0)), 1.0)
    likeness = _likeness(task, free)
    for_it = np.maximum(likeness, 0) - trust * np.log(1 - inside)
    against = np.maximum(-likeness, 0) - trust * np.log(inside)
    fixed = np.where(task.strokes != 0, task.strokes == INSIDE, task.mask != 0)
    hard = ~free | (task.strokes != 0)
    for_it = np.where(hard, np.where(fixed, _HARD, 0), for_it)
    against = np.where(hard, np.where(fixed, 0, _HARD), against)
    rows += [np.full(count, source), numbers.ravel()]
    columns += [numbers.ravel(), np.full(count, sink)]
    weights += [for_it.ravel(), against.ravel()]
    capacity = csr_matrix(
        (
            np.round(_FINE * np.concatenate(weights)).astype(np.int32),
            (np.concatenate(rows), np.concatenate(columns)),
        ),
        shape=(count + 2, count + 2),
    )
    left = capacity - maximum_flow(capacity, source, sink).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    side = np.zeros(count + 2, bool)
    side[reached] = True
    return side[:count].reshape(free.shape)


def _likeness(task: Task, free: Bool) -> Float:
    """How much more each pixel looks like what is inside than like what is outside.

    A normal distribution a side, of the strokes and of as many pixels that stand.
    """
    scores = []
    for value, standing in ((INSIDE, task.mask != 0), (OUTSIDE, task.mask == 0)):
        drawn = task.picture[task.strokes == value]
        stands = task.picture[standing & ~free & (task.strokes == 0)]
        if len(drawn) and len(stands) > len(drawn):
            stands = stands[:: len(stands) // len(drawn)]
        known = np.concatenate([drawn, stands])
        if not len(known):
            return np.zeros(free.shape, np.float32)
        mean, spread = known.mean(0), known.std(0) + 0.2
        off = ((task.picture - mean) / spread) ** 2 / 2 + np.log(spread)
        scores.append(-off.sum(-1))
    likeness: Float = np.clip(scores[0] - scores[1], -2, 2).astype(np.float32)
    return likeness


_FINE, _HARD = 200, 1e5
"""Weights are whole numbers for the flow: steps of 1/200, and what cannot be cut."""

REFINERS: dict[str, Refiner] = {
    "walker": Refiner(
        "Random walker",
        "A smooth outline, good where the border is faint.",
        random_walker,
    ),
    "cut": Refiner(
        "Graph cut",
        "Keeps to sharp edges and to what the model believes.",
        graph_cut,
    ),
}


# ------------------------------------------------------------------------- plumbing
def _within(here: Bool, reach: float, spacing: tuple[float, ...]) -> Bool:
    """Return what lies within a distance of some pixels, looking only near them."""
    from scipy.ndimage import distance_transform_edt

    box = _box(here, *(int(np.ceil(reach / step)) + 1 for step in spacing))
    found = np.zeros(here.shape, bool)
    found[box] = distance_transform_edt(~here[box], spacing) <= reach
    return found


def _box(where: Bool, *margins: int) -> tuple[slice, ...]:
    """Return the box around some pixels, with a margin that holds what stands."""
    slices = []
    margins = margins or (2,) * where.ndim
    for axis, (length, margin) in enumerate(zip(where.shape, margins, strict=True)):
        others = tuple(a for a in range(where.ndim) if a != axis)
        places = np.flatnonzero(where.any(axis=others))
        first, last = int(places[0]), int(places[-1])
        slices.append(slice(max(0, first - margin), min(length, last + margin + 1)))
    return tuple(slices)


def _pairs(ndim: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the index of each pixel that has a next one along an axis, and of that."""
    near, far = [slice(None)] * ndim, [slice(None)] * ndim
    near[axis], far[axis] = slice(None, -1), slice(1, None)
    return tuple(near), tuple(far)
