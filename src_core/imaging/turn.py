"""Images the way they are looked at: by a person on a screen, and by the network.

Pixels stay in the store as their file had them, whichever way that is. A scan stored
from right to left and the same one stored from left to right must still look the same
where they are looked at, else what was learned of "left" in one is wrong in the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from src_core.imaging.space import reorient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from src_core.imaging.space import Placed

AXIAL = "SPL"

# Standing order of radiology: the patient's right on the left of the screen, the
# front on top of an axial plane, the head on top of the others, sagittal ones face
# the left of the screen.
_STANDING = {
    "S": "SPL",
    "P": "PIL",
    "L": "LIP",
    "LP": "PL",
    "LS": "IL",
    "PS": "IP",
}
_WORLD = {"R": "L", "A": "P", "I": "S"}
_AGAINST = dict(zip("LRPASI", "RLAPIS", strict=True))
_THICK = 1.5
"""Planes are cut across the longest side of a voxel that is this much longer than the
shortest: there, and only there, the picture is sharp."""


def standing(orientation: str, spacing: tuple[float, ...]) -> str:
    """Return the letters of the axes as a radiologist expects to see the image.

    Parameters
    ----------
    orientation : str
        Of the axes as they are stored; ``""`` stays as it is.
    spacing : tuple of float
        Along the same axes; thick slices stay slices, and what is thin all around is
        cut into axial planes.

    >>> standing("SAR", (1.0, 1.0, 1.0)), standing("PSL", (1.0, 1.0, 4.0))
    ('SPL', 'LIP')
    """
    worlds = [_WORLD.get(letter, letter) for letter in orientation]
    if len(worlds) == 2:
        return _STANDING["".join(sorted(worlds))]
    if not worlds:
        return ""
    thickest = int(np.argmax(spacing))
    if spacing[thickest] < _THICK * min(spacing):
        return AXIAL
    return _STANDING[worlds[thickest]]


def on_screen(orientation: str) -> str:
    """Return the letters of stored axes once the picture is turned upright in a window.

    Slices stay the slices that are stored, and rows rows: only what is upside down or
    mirrored is flipped.

    >>> on_screen("SAR"), on_screen("LSP"), on_screen("AL")
    ('SPL', 'LIP', 'PL')
    """
    found = ""
    for axis, stored in enumerate(orientation):
        across = len(orientation) == 3 and axis == 0
        world = _WORLD.get(stored, stored)
        found += "I" if world == "S" and not across else world
    return found


class Turn(NamedTuple):
    """The way from an image's stored axes to those it is looked at with, and back.

    Attributes
    ----------
    stored, shown : str
        Letters of the spatial axes; both ``""`` where they are unknown.
    """

    stored: str
    shown: str

    @classmethod
    def of(cls, placed: Placed) -> Turn:
        """Return the turn that makes an image stand as people expect it."""
        return cls.of_image(placed.orientation, placed.spacing)

    @classmethod
    def of_image(cls, orientation: str, spacing: tuple[float, ...]) -> Turn:
        """As `of`, from the letters and the spacing along the stored axes."""
        return cls(orientation, standing(orientation, spacing))

    @property
    def slices(self) -> int:
        """Stored axis, among the spatial ones, that slices are counted along."""
        if not self.stored:
            return 0
        worlds = [_WORLD.get(letter, letter) for letter in self.stored]
        return worlds.index(_WORLD.get(self.shown[0], self.shown[0]))

    def show(self, array: NDArray[Any]) -> NDArray[Any]:
        """Turn an array from the stored axes to those that are shown.

        Parameters
        ----------
        array : ndarray
            Its last axes are the image's; channels, where there are any, come first
            and stay.

        Returns
        -------
        ndarray
            A view: nothing is copied.
        """
        return self._turned(array, self.stored, self.shown)

    def store(self, array: NDArray[Any]) -> NDArray[Any]:
        """Turn an array back; see `show`."""
        return self._turned(array, self.shown, self.stored)

    def along(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Put lengths that belong to the stored axes into the shown axes' order."""
        if not self.stored:
            return values
        worlds = [_WORLD.get(letter, letter) for letter in self.stored]
        wanted = (_WORLD.get(letter, letter) for letter in self.shown)
        return tuple(values[worlds.index(letter)] for letter in wanted)

    def stored_at(self, place: tuple[float, ...]) -> tuple[float, ...]:
        """Return where a place in the shown axes, as shares of them, is stored."""
        if not self.stored:
            return place
        at = dict(zip(self.shown, place, strict=True))
        return tuple(at[a] if a in at else 1.0 - at[_AGAINST[a]] for a in self.stored)

    def _turned(self, array: NDArray[Any], have: str, want: str) -> NDArray[Any]:
        return array if have == want else reorient(array, have, want)
