"""Axes, spacing, and the way from a picture to the network's grid and back."""

from __future__ import annotations

from dataclasses import dataclass

SPATIAL = "zyx"


def spatial_axes(axes: str) -> str:
    """Return the spatial letters of `axes`, in order.

    >>> spatial_axes("cyx")
    'yx'
    """
    return "".join(a for a in axes if a in SPATIAL)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture scaled to fit a square, centred, its aspect kept.

    The square is what the network sees, in training and in prediction alike, so
    that a place in the picture is the same place on the prompt's map.

    Attributes
    ----------
    height, width : int
        Of the picture, in pixels.
    size : int
        Side of the square, in pixels.
    """

    height: int
    width: int
    size: int

    @property
    def scaled(self) -> tuple[int, int]:
        """Height and width of the picture inside the square, in pixels."""
        scale = self.size / max(self.height, self.width)
        return (
            max(1, round(self.height * scale)),
            max(1, round(self.width * scale)),
        )

    @property
    def offset(self) -> tuple[int, int]:
        """Rows and columns of padding above and to the left of the picture."""
        h, w = self.scaled
        return (self.size - h) // 2, (self.size - w) // 2

    @property
    def window(self) -> tuple[slice, slice]:
        """Where in the square the picture lies."""
        (h, w), (top, left) = self.scaled, self.offset
        return slice(top, top + h), slice(left, left + w)


def tile_windows(height: int, width: int, size: int) -> list[tuple[slice, slice]]:
    """Cut a picture into squares that overlap by at least an eighth of their side.

    Parameters
    ----------
    height, width : int
        Of the picture, in pixels; a side shorter than `size` is taken whole.
    size : int
        Side of a tile, in pixels.

    Returns
    -------
    list of (slice, slice)
        Rows and columns; together they cover the picture.
    """

    def starts(length: int) -> list[int]:
        if length <= size:
            return [0]
        count = -(-(length - size) // (size - size // 8)) + 1
        return [round(i * (length - size) / (count - 1)) for i in range(count)]

    return [
        (slice(y, min(height, y + size)), slice(x, min(width, x + size)))
        for y in starts(height)
        for x in starts(width)
    ]


def frame_size(shapes: list[tuple[int, int]], largest: int = 192) -> int:
    """Side of the square for pictures of these heights and widths, in pixels.

    The smallest multiple of 32 that holds the median picture's longer side, at most
    `largest`: on two cores a step's time grows with the square of it.

    >>> frame_size([(160, 160), (160, 150)])
    160
    """
    if not shapes:
        return largest
    longer = sorted(max(shape) for shape in shapes)
    middle = longer[len(longer) // 2]
    return int(min(largest, max(64, -(-middle // 32) * 32)))
