"""Masks laid over images: turned, shifted and sampled until they share the voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from src_core.errors import BadInputError
from src_core.imaging.space import columns_of, reorient

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from src_core.imaging.base import Picture

    Mask = NDArray[np.uint8]

NEAR = 0.25
"""Voxels that a mask's grid may lie off the image's before it is sampled anew: files
round what places them, and half a voxel is where a voxel becomes another one."""


class Fitted(NamedTuple):
    """A mask over an image's spatial axes, and what was done to it, if it matters.

    Attributes
    ----------
    mask : array
        0 and 1.
    note : str
        For a person.
    instead : (int, int) or ()
        The least and the greatest label of the file, where that which was asked for
        is nowhere in it, but others are.
    """

    mask: Mask
    note: str = ""
    instead: tuple[int, ...] = ()


def fit(what: Path, mask: Mask, picture: Picture, like: Picture) -> Fitted:
    """Lay a mask over an image.

    Where both know their place in the patient, that place decides, whichever way
    each is stored. Otherwise both must have the same size.

    Parameters
    ----------
    what : Path
        The mask's file, for messages.
    mask : (Y, X) or (Z, Y, X) array
        0 and 1, over the spatial axes of `picture`.
    picture, like : Picture
        What the mask was read from; the image that it belongs to.

    Raises
    ------
    BadInputError
        If the mask does not lie on the image, or has another size.
    """
    wanted = tuple(
        n for a, n in zip(like.axes, like.pixels.shape, strict=True) if a != "c"
    )
    if mask.ndim == 3 and len(wanted) == 2:
        mask = _slice_of(what, mask, picture, like)
    elif mask.ndim == 3 and _both_placed(picture, like):
        return _placed(what, mask, picture, like, wanted)
    elif mask.ndim == len(like.orientation) == len(picture.orientation):
        try:
            mask = reorient(mask, picture.orientation, like.orientation)
        except BadInputError as error:
            raise BadInputError(
                f"'{what}' does not fit '{like.name}': {error}."
            ) from error
    if mask.shape != wanted:
        raise _other_size(what, mask, like, wanted)
    return Fitted(np.ascontiguousarray(mask))


def _other_size(
    what: Path, mask: Mask, like: Picture, wanted: tuple[int, ...]
) -> BadInputError:
    return BadInputError(
        f"The mask '{what}' has the shape {mask.shape} and does not cover its image "
        f"'{like.name}' of {wanted}; give the mask of this very image."
    )


def _covers(
    shape: tuple[int, ...],
    matrix: NDArray[Any],
    shift: NDArray[Any],
    corners: NDArray[Any],
) -> bool:
    """Whether the image's outermost voxels lie within the mask's grid."""
    at = matrix @ corners + shift[:, None]
    last = np.asarray(shape)[:, None] - 1
    return bool((at > -1).all() and (at < last + 1).all())


def _both_placed(picture: Picture, like: Picture) -> bool:
    units = (picture.unit, like.unit)
    return (
        len(picture.orientation) == len(like.orientation) == 3
        and units == ("millimeter",) * 2
    )


def _slice_of(what: Path, mask: Mask, picture: Picture, like: Picture) -> Mask:
    """Return the slice of a volume that was drawn on a flat image."""
    drawn_on = picture.reference.instances if picture.reference else ()
    if like.reference and like.reference.instances[0] in drawn_on:
        return np.asarray(mask[drawn_on.index(like.reference.instances[0])])
    if mask.shape[0] == 1:
        # a volume of one slice is how NIfTI holds a flat mask
        if len(picture.orientation) == 3 and len(like.orientation) == 2:
            flat = picture.orientation[1:]
            try:
                return reorient(mask[0], flat, like.orientation)
            except BadInputError as error:
                raise BadInputError(
                    f"'{what}' does not fit '{like.name}': {error}."
                ) from error
        return np.asarray(mask[0])
    raise BadInputError(
        f"The mask '{what}' is a volume of {mask.shape[0]} slices, and '{like.name}' "
        "is flat; give the mask of this very image."
    )


def _placed(
    what: Path,
    mask: Mask,
    picture: Picture,
    like: Picture,
    wanted: tuple[int, ...],
) -> Fitted:
    """Move a volume's mask to where its voxels lie in the image's grid."""
    steps, start = columns_of(like)
    own_steps, own_start = columns_of(picture)
    matrix = np.linalg.solve(own_steps, steps)  # image voxels -> mask voxels
    shift = np.linalg.solve(own_steps, start - own_start)
    whole, near = np.round(matrix), np.round(shift)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in wanted])).reshape(3, -1)
    error = np.abs((matrix - whole) @ corners + (shift - near)[:, None]).max()
    is_turn = (np.abs(whole).sum(0) == 1).all() and (np.abs(whole).sum(1) == 1).all()
    if picture.modality != "SEG" and not _covers(mask.shape, matrix, shift, corners):
        # nobody has looked at what lies outside of it, and that is not background;
        # a DICOM segmentation leaves slices out where they are empty
        raise _other_size(what, mask, like, wanted)
    if is_turn and error < NEAR:
        moved = _moved(mask, whole.astype(int), near.astype(int), wanted)
        outside = int(mask.sum()) - int(moved.sum())
        note = f"{outside} voxels of it lie outside of the image" if outside else ""
    else:
        from scipy.ndimage import affine_transform

        moved = affine_transform(
            mask, matrix, shift, output_shape=wanted, order=0, mode="constant"
        )
        note = "it has another grid than its image and was sampled at its voxels"
    if mask.any() and not moved.any():
        raise BadInputError(
            f"The mask '{what}' lies nowhere on '{like.name}'; give the mask of this "
            "very image, or correct where the header places it."
        )
    return Fitted(np.ascontiguousarray(moved), note)


def _moved(
    mask: Mask,
    matrix: NDArray[np.int_],
    shift: NDArray[np.int_],
    wanted: tuple[int, ...],
) -> Mask:
    """Turn by right angles, flip, and shift by whole voxels; nothing is sampled."""
    axes = [int(np.flatnonzero(matrix[:, column])[0]) for column in range(3)]
    turned = mask.transpose(axes)
    out = np.zeros(wanted, np.uint8)
    into, of = [], []
    for axis, source in enumerate(axes):
        sign, first = int(matrix[source, axis]), int(shift[source])
        length, have = wanted[axis], turned.shape[axis]
        # voxel i of the image is voxel first + sign * i of the mask
        at = first + sign * np.arange(length)
        inside = np.flatnonzero((at >= 0) & (at < have))
        if not inside.size:
            return out
        into.append(slice(int(inside[0]), int(inside[-1]) + 1))
        of.append(at[inside])
    out[tuple(into)] = turned[np.ix_(*of)]
    return out
