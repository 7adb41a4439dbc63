"""Tiles of whole-slide images, through tiffslide or openslide, which agree."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    Picture,
    ReadOptions,
    check_size,
    has_suffix,
)
from src_core.imaging.sources import Source, wanted
from src_core.imaging.tiff import open_tiff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_LIBRARIES: Final = (("tiffslide", "TiffSlide"), ("openslide", "OpenSlide"))
"""The first that is there and can read a slide reads it: openslide knows more
formats (MIRAX), tiffslide is Python all through."""

_TIFF: Final = (".tif", ".tiff", ".btf")
_LARGE_FILE: Final = 32 * 2**20
_LARGE_SIDE: Final = 8192

TILE: Final = 1024
"""Side of a tile, in pixels of its own level."""

RESOLUTION: Final = 0.5
"""Micrometres a pixel that tiles are cut at, or the nearest finer level: nuclei are
about 15 pixels across there."""

_THUMBNAIL: Final = 1024
_OVERVIEW: Final = 2**26
"""Pixels of the level that an overview is made from: 8192 squared."""
_MOST_BLOCKS: Final = 200_000
"""Blocks that such a level may be stored in, and tiles of a slide: a slide of
100,000 x 100,000 pixels has 10,000."""

_COLOURED: Final = 20
"""Least difference between the colours of a stained pixel, of 255; glass is grey."""
_TISSUE: Final = 0.1
"""Least share of a tile that must be stained."""


class SlideReader:
    """One tile of a slide: nobody holds a whole one in memory.

    `sources` lists the tiles with tissue in them. A tile is named by level, row and
    column of its corner in pixels of the finest level, and side in its own pixels.
    """

    name = "whole-slide image"
    suffixes = (".svs", ".ndpi", ".scn", ".mrxs", ".vms", ".vmu", ".bif", ".svslide")
    folders = False

    def can_read(self, path: Path) -> bool:
        """See `Reader`; a TIFF counts as a slide where it is large and in tiles."""
        if has_suffix(path, self.suffixes):
            return True
        large = has_suffix(path, _TIFF) and path.is_file()
        return large and path.stat().st_size > _LARGE_FILE and _is_pyramid(path)

    def sources(self, path: Path) -> list[Source]:
        """See `Reader`."""
        with _open(path) as slide:
            level = _level(slide)
            _check_overview(path, slide, level)
            tiles = list(_tiles(slide, level))
        if not tiles:
            raise BadInputError(
                f"'{path}' shows no stained tissue; name a tile, such as "
                f"'{path}#tile={level},0,0,{TILE}'."
            )
        return [Source(path, f"tile={level},{y},{x},{TILE}") for y, x in tiles]

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        with _open(path) as slide:
            level, y, x, side = _asked(path, slide, options.part)
            check_size(path, (side, side), 4)
            region = slide.read_region((x, y), level, (side, side))
            factor = float(slide.level_downsamples[level])
            sizes = [
                float(slide.properties.get(f"{kind}.mpp-{axis}") or 0) * factor
                for axis in "yx"
                for kind in (_kind(slide),)
            ]
            pixels = _on_white(np.asarray(region))
        known = min(sizes) > 0
        step = sizes if known else [1.0, 1.0]
        return Picture(
            pixels=pixels,
            axes="cyx",
            spacing=(step[0], step[1]),
            unit="micrometer" if known else "pixel",
            origin=(y / factor * step[0], x / factor * step[1]),
            orientation="",
            name=f"{path.name} {y} {x}",
            group=path.name,
            lossy=True,
            modality="SM",
        )


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open a slide with the first library that can."""
    reasons = []
    for module, name in _LIBRARIES:
        try:
            library = import_module(module)
        except (ImportError, OSError):
            continue
        try:
            slide = getattr(library, name)(str(path))
        except Exception as error:
            reasons.append(str(error).strip().split("\n")[0].rstrip("."))
            continue
        with slide:
            yield slide
        return
    if not reasons:
        raise MissingExtraError(f"Reading the slide '{path}'", "slides")
    raise BadInputError(
        f"'{path}' could not be read as a slide: {reasons[-1]}. It is damaged or of "
        "another format; openslide-python, where it is installed, knows some more."
    )


def _kind(slide: Any) -> str:
    return "tiffslide" if "tiffslide.mpp-x" in slide.properties else "openslide"


def _is_pyramid(path: Path) -> bool:
    try:
        with open_tiff(path) as tif:
            series = tif.series[0]
            large = max(series.shape) > _LARGE_SIDE
            return bool(large and series.is_pyramidal and series.keyframe.is_tiled)
    except Exception:
        # whatever is wrong with it, the TIFF reader will say it better
        return False


def _level(slide: Any) -> int:
    finest = float(slide.properties.get(f"{_kind(slide)}.mpp-x") or 0)
    if finest <= 0:
        return 0
    return int(slide.get_best_level_for_downsample(max(1.0, RESOLUTION / finest)))


def _check_overview(path: Path, slide: Any, level: int) -> None:
    """Refuse a slide that nobody could look over within seconds.

    The overview is made of the level that is just larger, which a slide without one,
    or with a damaged header, may claim to be the whole.
    """
    width, height = (int(n) for n in slide.dimensions)
    wanted_factor = max(width, height) / _THUMBNAIL
    best = int(slide.get_best_level_for_downsample(max(1.0, wanted_factor)))
    columns, rows = (int(n) for n in slide.level_dimensions[best])
    sides = [
        int(slide.properties.get(f"{_kind(slide)}.level[{best}].tile-{axis}") or 256)
        for axis in ("width", "height")
    ]
    blocks = columns * rows / max(1, sides[0] * sides[1])
    side = TILE * float(slide.level_downsamples[level])
    tiles = width * height / max(1.0, side * side)
    if columns * rows > _OVERVIEW or max(blocks, tiles) > _MOST_BLOCKS:
        raise BadInputError(
            f"'{path}' claims {width} x {height} pixels and has no small level to look "
            "for tissue in; write it again as a pyramid, or name its tiles, such as "
            f"'{path}#tile=0,0,0,{TILE}'."
        )


def _tiles(slide: Any, level: int) -> Iterator[tuple[int, int]]:
    """Yield row and column, at the finest level, of each tile with tissue."""
    width, height = slide.dimensions
    stained = _stained(np.asarray(slide.get_thumbnail((_THUMBNAIL, _THUMBNAIL))))
    side = round(TILE * float(slide.level_downsamples[level]))
    down, across = stained.shape[0] / height, stained.shape[1] / width
    for y in range(0, max(1, height - side // 2), side):
        for x in range(0, max(1, width - side // 2), side):
            part = stained[
                int(y * down) : max(int(y * down) + 1, int((y + side) * down)),
                int(x * across) : max(int(x * across) + 1, int((x + side) * across)),
            ]
            if part.size and part.mean() >= _TISSUE:
                yield y, x


def _stained(thumbnail: NDArray[Any]) -> NDArray[np.bool_]:
    colours = _on_white(thumbnail).astype(np.int16)
    return np.asarray(np.ptp(colours, axis=0) >= _COLOURED)


def _on_white(region: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W, 3 or 4) -> (3, H, W); what was not scanned is glass."""
    colours = region[..., :3]
    if region.shape[-1] == 4:
        colours = np.where(region[..., 3:] == 0, 255, colours)
    return np.ascontiguousarray(colours.transpose(2, 0, 1), dtype=np.uint8)


def _asked(path: Path, slide: Any, part: str) -> tuple[int, int, int, int]:
    """Return level, row, column and side of the tile that a part names."""
    width, height = slide.dimensions
    text = wanted(part, "tile")
    numbers = (text or "").split(",")
    if len(numbers) != 4 or not all(n.strip().isdecimal() for n in numbers):
        raise BadInputError(
            f"'{path}' is a slide of {width} x {height} pixels, which is read tile by "
            f"tile; name one, such as '{path}#tile=0,0,0,{TILE}' (level, row, column, "
            "side)."
        )
    level, y, x, side = (int(n) for n in numbers)
    if level >= len(slide.level_downsamples) or y >= height or x >= width or not side:
        raise BadInputError(
            f"'{path}' has {len(slide.level_downsamples)} levels of up to {width} x "
            f"{height} pixels, and no tile '{text}'; name one inside of it."
        )
    return level, y, x, side
