"""MetaImage and NRRD volumes, through SimpleITK."""

from __future__ import annotations

from glob import escape
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    PACKED_AT_MOST,
    Picture,
    ReadOptions,
    check_claim,
    check_size,
    has_suffix,
)
from src_core.imaging.sources import Source, series_in_time, wanted_number
from src_core.imaging.space import place_of_columns

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_IO = {"mha": "MetaImageIO", "mhd": "MetaImageIO", "nrrd": "NrrdImageIO"}
_IO |= {"nhdr": "NrrdImageIO"}


class ItkReader:
    """An image as it is stored, placed by its header in L, P, S and millimetres.

    Both formats always have a matrix, even where nobody knew it: one that is the
    identity, at the origin, with voxels of 1 mm, is taken for unknown.
    """

    name = "MHA or NRRD"
    suffixes = (".mha", ".mhd", ".nrrd", ".nhdr")
    folders = False

    def can_read(self, path: Path) -> bool:
        """See `Reader`."""
        return has_suffix(path, self.suffixes)

    def sources(self, path: Path) -> list[Source]:
        """See `Reader`."""
        size = _header(path).GetSize()
        count = prod(size[3:])
        return series_in_time(path, "volume", count)

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        header = _header(path)
        size = [int(n) for n in header.GetSize()]
        channels = int(header.GetNumberOfComponents())
        shape = (channels, *size[:3][::-1])
        itemsize = _item_bytes(header)
        check_size(path, shape, itemsize)
        check_claim(path, prod(size) * channels * itemsize, _held(path))
        count = prod(size[3:])
        number = wanted_number(options.part, "volume", count, str(path))
        if len(size) > 3:
            # one volume is read, whatever the file holds
            index = [int(n) for n in np.unravel_index(number, size[3:])]
            header.SetExtractIndex([0, 0, 0, *index])
            header.SetExtractSize([*size[:3], *([0] * (len(size) - 3))])
        image = header.Execute()
        return _picture(path, image, number if count > 1 else None)


def _header(path: Path) -> Any:
    try:
        import SimpleITK
    except ImportError as error:
        raise MissingExtraError(f"Reading '{path}'", "itk") from error
    # its warnings are of the C++ library and go to the terminal otherwise
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(_IO[path.suffix.lower()[1:]])
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def _item_bytes(header: Any) -> int:
    import SimpleITK

    name = SimpleITK.GetPixelIDValueAsString(header.GetPixelID())
    for bits in ("8", "16", "32", "64"):
        if bits in name:
            return int(bits) // 8
    raise BadInputError(f"it stores {name}, and only whole and real numbers are read")


def _held(path: Path) -> int:
    """Return how many bytes of voxels a file, and those beside it, can hold."""
    beside = path.parent.glob(f"{escape(path.stem)}*")
    held = sum(file.stat().st_size for file in beside if file.is_file())
    return held * PACKED_AT_MOST


def _picture(path: Path, image: Any, number: int | None) -> Picture:
    import SimpleITK

    pixels = np.asarray(SimpleITK.GetArrayFromImage(image))
    axes = "zyx" if image.GetDimension() == 3 else "yx"
    if image.GetNumberOfComponentsPerPixel() > 1:
        pixels, axes = np.moveaxis(pixels, -1, 0), "c" + axes
    spacing, origin, orientation, direction = _place(image)
    is_plain = (
        origin == (0.0,) * len(origin) and set(spacing) == {1.0} and not direction
    )
    unknown = is_plain and orientation in ("SPL", "")
    return Picture(
        pixels=np.ascontiguousarray(pixels),
        axes=axes,
        spacing=spacing,
        unit="pixel" if unknown else "millimeter",
        origin=origin,
        orientation="" if unknown else orientation,
        name=path.name if number is None else f"{path.name} volume {number}",
        direction=direction,
    )


def _place(
    image: Any,
) -> tuple[tuple[float, ...], tuple[float, ...], str, tuple[float, ...]]:
    """Spacing, origin, orientation, direction; a flat image has no orientation."""
    spacing = np.array(image.GetSpacing(), dtype=float)
    origin = np.array(image.GetOrigin(), dtype=float)
    if image.GetDimension() == 2:
        sizes, start = (tuple(map(float, v[::-1])) for v in (spacing, origin))
        return sizes, start, "", ()
    directions: NDArray[Any] = np.array(image.GetDirection(), dtype=float)
    columns = directions.reshape(3, 3) * spacing
    place = place_of_columns(columns[:, ::-1], origin)
    return place.spacing, place.origin, place.orientation, place.direction
