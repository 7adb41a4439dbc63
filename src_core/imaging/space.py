"""Between a matrix that places voxels in the patient and letters, spacing, origin.

Matrices here are nibabel's: voxel indices (x, y, z) to millimetres that grow towards
Right, Anterior, Superior. A picture's own words are in the order z, y, x and grow
towards Left, Posterior, Superior, as in DICOM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from src_core.errors import BadInputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_LETTERS = ("LR", "PA", "SI")
_PLACES = {
    letter: (axis, 1.0 if sign == 0 else -1.0)
    for axis, pair in enumerate(_LETTERS)
    for sign, letter in enumerate(pair)
}


class Placed(Protocol):
    """Anything with a place in the world: a picture, or an image of a project."""

    @property
    def spacing(self) -> tuple[float, ...]: ...
    @property
    def origin(self) -> tuple[float, ...]: ...
    @property
    def orientation(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def direction(self) -> tuple[float, ...]: ...


class Place(NamedTuple):
    """Spacing, origin, orientation and direction, as a `Picture` has them."""

    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    orientation: str
    direction: tuple[float, ...]


def letters_of(directions: NDArray[Any]) -> str:
    """Name the way each column runs.

    Parameters
    ----------
    directions : (3, N) array
        Vectors in L, P, S; N is 2 or 3.

    Returns
    -------
    str
        N letters, all along different world axes.
    """
    left = np.abs(np.asarray(directions, dtype=float))
    names = [""] * left.shape[1]
    for _ in names:
        row, column = np.unravel_index(np.argmax(left), left.shape)
        names[column] = _LETTERS[row][0 if directions[row, column] >= 0 else 1]
        left[row, :] = -1
        left[:, column] = -1
    return "".join(names)


def place_of(affine: NDArray[Any]) -> Place:
    """Put a matrix into a picture's words.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel x, y, z to R, A, S in millimetres.

    Raises
    ------
    BadInputError
        If it is singular or not finite.
    """
    matrix = _RAS_TO_LPS @ np.asarray(affine, dtype=float)
    return place_of_columns(matrix[:3, 2::-1], matrix[:3, 3])


def place_of_columns(columns: NDArray[Any], origin: NDArray[Any]) -> Place:
    """Put steps in the patient into a picture's words.

    Parameters
    ----------
    columns : (3, 3) array
        In L, P, S and millimetres: one step along z, y and x, a column each.
    origin : (3,) array
        The first voxel's centre.

    Raises
    ------
    BadInputError
        If they are not finite, or lie in a plane.
    """
    spacing = np.linalg.norm(columns, axis=0)
    finite = np.isfinite(columns).all() and np.isfinite(origin).all()
    unusable = not finite or spacing.min() <= 0
    if unusable or abs(np.linalg.det(columns / spacing)) < 1e-3:
        raise BadInputError(
            "the matrix that places its voxels in the patient is not usable; repair "
            "the header or export the image again"
        )
    directions = columns / spacing
    letters = letters_of(directions)
    # a tilt of 1e-5 moves the far end of 1000 voxels by a hundredth of one
    straight = np.sort(np.abs(directions), axis=0)[:2].max() < 1e-5
    return Place(
        tuple(float(s) for s in spacing),
        tuple(float(origin[_PLACES[a][0]]) for a in letters),
        letters,
        () if straight else tuple(float(d) for d in directions.ravel()),
    )


def columns_of(placed: Placed) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return an image's steps in the patient: the inverse of `place_of_columns`.

    A flat image gets a first axis of spacing 1 at the origin of the world axis that
    is left over. Without an orientation the axes are taken to grow towards S, A, R.

    Returns
    -------
    columns : (3, 3) array
        In L, P, S: one step along z, y and x, a column each, in the image's unit.
    origin : (3,) array
        The first voxel's centre.
    """
    count = len(placed.spacing)
    letters = placed.orientation or "SAR"[-count:]
    spacing, at = list(placed.spacing), list(placed.origin or (0.0,) * count)
    if count == 2:
        used = {_PLACES[letter][0] for letter in letters}
        letters = "LPS"[({0, 1, 2} - used).pop()] + letters
        spacing, at = [1.0, *spacing], [0.0, *at]
    columns, origin = np.zeros((3, 3)), np.zeros(3)
    for column, letter in enumerate(letters):
        axis, sign = _PLACES[letter]
        columns[axis, column] = sign * spacing[column]
        origin[axis] = at[column]
    if placed.direction and count == 3:
        directions = np.asarray(placed.direction, dtype=float).reshape(3, 3)
        columns = directions * spacing
    return columns, origin


def affine_of(placed: Placed) -> NDArray[np.float64]:
    """Return the (4, 4) matrix of a place: the inverse of `place_of`."""
    columns, origin = columns_of(placed)
    matrix = np.eye(4)
    matrix[:3, :3] = columns[:, ::-1]
    matrix[:3, 3] = origin
    return np.asarray(_RAS_TO_LPS @ matrix, dtype=np.float64)


def voxel_size(placed: Placed) -> float:
    """Return the area or volume of a voxel in the image's unit, sheared or not."""
    size = float(np.prod(placed.spacing))
    if placed.direction:
        columns = np.asarray(placed.direction, dtype=float).reshape(3, 3)
        size *= abs(float(np.linalg.det(columns)))
    return size


def side_words(orientation: str) -> str:
    """Say in a sentence what "left" and "right" mean in an image.

    >>> side_words("SPL")
    "Left and right are the patient's: the file tells how the patient lies."
    """
    if not orientation:
        return (
            "Left and right are those of the picture: its file does not tell the "
            "patient's."
        )
    if not set("LR").intersection(orientation):
        return "It shows the patient from one side: left and right do not occur in it."
    return "Left and right are the patient's: the file tells how the patient lies."


def reorient(array: NDArray[Any], have: str, want: str) -> NDArray[Any]:
    """Turn an array so that its axes grow as `want` says; no voxel is changed.

    Parameters
    ----------
    array : array
        One axis for each letter; further ones come first and stay as they are.
    have, want : str
        Letters of the axes, such as ``"SAR"`` and ``"SPL"``.

    Returns
    -------
    array
        A view: nothing is copied.

    Raises
    ------
    BadInputError
        If the two name different world axes.
    """
    worlds = [_PLACES[letter][0] for letter in have]
    wanted = [_PLACES[letter][0] for letter in want]
    if sorted(worlds) != sorted(wanted):
        raise BadInputError(
            f"axes '{have}' cannot be turned into '{want}': they lie in different "
            "planes of the patient"
        )
    before = array.ndim - len(have)
    order = [worlds.index(world) for world in wanted]
    flips = [
        before + axis
        for axis, (source, letter) in enumerate(zip(order, want, strict=True))
        if have[source] != letter
    ]
    moved = [*range(before), *(before + axis for axis in order)]
    return np.asarray(np.flip(array.transpose(moved), tuple(flips)))
