"""napari's way in: files dropped on its window, through the same table of readers."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgssl_napari.looks import black_and_white, for_display
from lgssl_napari.placing import KEPT, Place, arguments

LOOKED_AT = 200
"""Files of a folder that are looked into before it is left to others."""

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from src_core.imaging import Source

    LayerData = tuple[Any, dict[str, Any], str]
    ReadLayers = Callable[[str | Sequence[str]], list[LayerData]]


def get_reader(path: str | Sequence[str]) -> ReadLayers | None:
    """Return what reads these files, None where some are of no known format."""
    paths = [path] if isinstance(path, str) else list(path)
    return read if paths and all(_is_known(Path(one)) for one in paths) else None


def _is_known(path: Path) -> bool:
    """Whether it is a file that we read, or a folder with DICOM files below it.

    Folders of anything else are left to napari, which stacks them.
    """
    from src_core.imaging import can_read
    from src_core.imaging.dicom.headers import has_mark

    if can_read(path):
        return True
    below = (
        Path(folder) / file for folder, _, files in os.walk(path) for file in files
    )
    return any(has_mark(file) for file in islice(below, LOOKED_AT))


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read files and folders into layers; DICOM files are put together into series.

    A series in time is one layer with an axis more; a DICOM-SEG is a layer of labels.

    Raises
    ------
    UserError
        If something in them cannot be read; napari shows its sentence.
    """
    from src_core.errors import BadInputError
    from src_core.imaging import find_sources

    paths = [path] if isinstance(path, str) else list(path)
    found = find_sources(paths)
    layers = [_image(sources) for sources in _in_time(found.sources)]
    layers += [_labels(file) for file in found.segmentations]
    if not layers:
        told = [sentence for _, sentence in found.failed]
        raise BadInputError(told[0] if told else f"'{paths[0]}' holds no picture.")
    return layers


def _in_time(sources: Sequence[Source]) -> list[list[Source]]:
    """Put the pictures of one series in time together, in its order."""
    series: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        stem = source.part.rpartition("&")[0] if source.count > 1 else source.part
        series.setdefault((str(source.path), stem), []).append(source)
    return [
        sorted(together, key=lambda one: one.number) for together in series.values()
    ]


def _image(sources: Sequence[Source]) -> LayerData:
    from src_core.imaging import read_image

    pictures = [read_image(source) for source in sources]
    first = pictures[0]
    pixels, is_rgb = for_display(first.pixels, first.axes)
    before = "" if is_rgb else first.axes.partition("c")[1]
    if len(pictures) > 1:
        pixels = np.stack([for_display(one.pixels, one.axes)[0] for one in pictures])
        before = f"t{before}"
    place = Place.of(first)
    about = {
        "name": first.name,
        "rgb": is_rgb,
        "metadata": {KEPT: place},
        **arguments(place, pixels.ndim - is_rgb, before),
    }
    window = first.window or black_and_white(pixels, first.modality)
    if window and not is_rgb:
        about["contrast_limits"] = window
    return pixels, about, "image"


def _labels(path: Path) -> LayerData:
    from src_core.imaging import ReadOptions, read_image
    from src_core.imaging.dicom.segmentation import read_segmentation_info

    picture = read_image(path, ReadOptions(labels=True))
    segments = read_segmentation_info(path).segments
    place = Place.of(picture)
    about = {
        "name": picture.name,
        "metadata": {KEPT: place},
        # a row for what is not drawn, too: napari wants one
        "features": {
            "index": [0, *segments],
            "target": [None, *segments.values()],
        },
        **arguments(place, picture.pixels.ndim),
    }
    return picture.pixels, about, "labels"
