"""TIFF, OME-TIFF and ImageJ's TIFF, through tifffile."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.geometry import spatial_axes
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    Picture,
    ReadOptions,
    check_size,
    has_suffix,
)
from src_core.imaging.sources import Source, series_in_time, wanted_number
from src_core.imaging.units import common_unit

if TYPE_CHECKING:
    from pathlib import Path

    import tifffile

# tifffile's letters: samples are channels, pages of an unnamed axis are slices
_AXES = {"Y": "y", "X": "x", "Z": "z", "Q": "z", "I": "z", "C": "c", "S": "c"}
_LOSSY = ("JPEG", "OJPEG", "JPEG_LOSSY", "APERIO_JP2000_YCBC", "APERIO_JP2000_RGB")


class TiffReader:
    """The first image of a file at its full resolution; of a film, one frame.

    Voxel sizes come from OME or ImageJ metadata; plain resolution tags are ignored,
    because most programs write 72 dots an inch whatever was imaged. Black and white
    stand as a viewer shows them (a "min is white" file is inverted).
    """

    name = "TIFF"
    suffixes = (".tif", ".tiff", ".btf", ".tf8")
    folders = False

    def can_read(self, path: Path) -> bool:
        """See `Reader`."""
        return has_suffix(path, self.suffixes)

    def sources(self, path: Path) -> list[Source]:
        """See `Reader`."""
        with open_tiff(path) as tif:
            count = _frames(tif.series[0]) if tif.series else 1
        return series_in_time(path, "frame", count)

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        with open_tiff(path) as tif:
            if not tif.series:
                raise BadInputError(f"'{path}' holds no image; export it again.")
            series = tif.series[0]
            check_size(path, series.shape, np.dtype(series.dtype).itemsize)
            count = _frames(series)
            frame = wanted_number(options.part, "frame", count, str(path))
            pixels, axes = _decode(path, series, frame, options.labels)
            spacing, unit = _spacing(tif, spatial_axes(axes))
            lossy = series.keyframe.compression.name in _LOSSY
        return Picture(
            pixels=pixels,
            axes=axes,
            spacing=spacing,
            unit=unit,
            origin=(0.0,) * len(spacing),
            orientation="",
            name=path.name if count == 1 else f"{path.name} {options.part}",
            lossy=lossy,
        )


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a file; what is wrong with it is raised, and not logged as well."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    return tifffile.TiffFile(path)


def _frames(series: Any) -> int:
    """Return how many points in time there are."""
    return int(dict(zip(series.axes, series.shape, strict=True)).get("T", 1))


def _decode(
    path: Path, series: Any, frame: int, labels: bool
) -> tuple[np.ndarray[Any, Any], str]:
    """Return pixels and axes, in the order of ``"czyx"``."""
    try:
        pixels = np.asarray(series.asarray())
    except ValueError as error:
        if "imagecodecs" in str(error):
            raise MissingExtraError(
                f"The {series.keyframe.compression.name} compression of '{path}'",
                "tiff",
            ) from error
        raise
    names = str(series.axes)
    if "T" in names:
        pixels = np.take(pixels, frame, axis=names.index("T"))
        names = names.replace("T", "")
    keep = [
        axis
        for axis, (letter, length) in enumerate(zip(names, pixels.shape, strict=True))
        if length > 1 or letter in "YX"
    ]
    axes = "".join(_AXES.get(names[axis], "?") for axis in keep)
    if "?" in axes or len(set(axes)) < len(axes) or not {"y", "x"} <= set(axes):
        raise BadInputError(
            f"'{path}' has the axes {series.axes} of lengths {series.shape}; save one "
            "position, with at most channels, z, y and x."
        )
    pixels = pixels.reshape([pixels.shape[axis] for axis in keep])
    pixels, axes = _colours(pixels, axes, series.keyframe, labels)
    order = sorted(range(len(axes)), key=lambda axis: "czyx".index(axes[axis]))
    pixels = pixels.transpose(order)
    axes = "".join(axes[axis] for axis in order)
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8)
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(native), axes


def _colours(
    pixels: np.ndarray[Any, Any], axes: str, page: Any, labels: bool
) -> tuple[np.ndarray[Any, Any], str]:
    """Resolve palettes, invert "min is white", drop alpha."""
    kind = page.photometric.name
    if kind == "PALETTE" and page.colormap is not None:
        table = np.asarray(page.colormap) >> 8  # (3, N), 16 bits to 8
        if (table == table[:1]).all():
            return table[0].astype(np.uint8)[pixels], axes
        if not labels:
            return table.astype(np.uint8)[:, pixels], "c" + axes
    if kind == "MINISWHITE" and pixels.dtype.kind in "bu":
        most = 1 if pixels.dtype == np.bool_ else 2**page.bitspersample - 1
        pixels = np.asarray(most - pixels.astype(np.uint32), dtype=pixels.dtype)
    colours = {"RGB": 3, "YCBCR": 3, "MINISBLACK": 1}.get(kind)
    if page.samplesperpixel > 1 and page.extrasamples and colours and "c" in axes:
        pixels = np.take(pixels, range(colours), axis=axes.index("c"))
        if colours == 1:
            pixels, axes = pixels.squeeze(axes.index("c")), axes.replace("c", "")
    return pixels, axes


def _spacing(tif: Any, space: str) -> tuple[tuple[float, ...], str]:
    """Voxel size along the letters of `space`, and its unit."""
    sizes: dict[str, tuple[float, str]] = {}
    if tif.is_ome:
        sizes = _ome_sizes(tif.ome_metadata)
    elif tif.is_imagej:
        sizes = _imagej_sizes(tif)
    if not {"y", "x"} <= set(sizes):
        return (1.0,) * len(space), "pixel"
    # a stack whose slice distance nobody recorded: as thick as a pixel is wide
    sizes.setdefault("z", sizes["y"])
    factors, unit = common_unit([sizes[a][1] for a in space])
    return tuple(sizes[a][0] * f for a, f in zip(space, factors, strict=True)), unit


def _ome_sizes(text: str) -> dict[str, tuple[float, str]]:
    from xml.etree import ElementTree

    pixels = ElementTree.fromstring(text).find(".//{*}Pixels")
    if pixels is None:
        return {}
    sizes = {}
    for axis in "XYZ":
        size = float(pixels.get(f"PhysicalSize{axis}", 0))
        if 0 < size < float("inf"):
            unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
            sizes[axis.lower()] = (size, unit)
    return sizes


def _imagej_sizes(tif: Any) -> dict[str, tuple[float, str]]:
    about, tags = tif.imagej_metadata or {}, tif.pages[0].tags
    unit = str(about.get("unit", ""))
    sizes = {}
    for axis in "XY":
        tag = tags.get(f"{axis}Resolution")
        if tag is not None and tag.value[0] > 0:
            sizes[axis.lower()] = (tag.value[1] / tag.value[0], unit)
    if float(about.get("spacing", 0)) > 0:
        sizes["z"] = (float(about["spacing"]), unit)
    return sizes
