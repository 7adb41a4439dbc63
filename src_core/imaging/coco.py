"""COCO JSON: polygons where they say it all, run lengths where there are holes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError
from src_core.imaging.ours import check_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from src_core.imaging.base import ExportItem

FILE_NAME = "annotations.json"


def export_coco(items: Iterable[ExportItem], out: Path) -> list[Path]:
    """Write ``annotations.json``: an annotation for each connected piece of a mask.

    A target that was looked for and is absent gives no annotation; the image's entry
    lists it under ``absent``, which other programs pass over.

    Raises
    ------
    BadInputError
        If an item is a volume: COCO knows flat pictures only. Or if a file of this
        name is there that no export wrote, such as the one that was imported.
    """
    path = out / FILE_NAME
    check_json(path, lambda found: all("absent" in one for one in found["images"]))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[str, int] = {}
    for item in items:
        picture = item.picture
        if "z" in picture.axes:
            raise BadInputError(
                f"COCO holds flat pictures, and '{picture.name}' is a volume; export "
                "it as nifti or ome-zarr."
            )
        height, width = picture.pixels.shape[-2:]
        entry = {
            "id": len(images) + 1,
            "file_name": picture.name,
            "width": width,
            "height": height,
            "absent": [name for name, mask in item.masks.items() if not mask.any()],
        }
        images.append(entry)
        for target, mask in item.masks.items():
            category = categories.setdefault(target, len(categories) + 1)
            for piece in pieces(mask):
                identity = {"id": len(annotations) + 1, "image_id": entry["id"]}
                annotations.append({**identity, "category_id": category, **piece})
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for name, n in categories.items()],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return [path]


def pieces(mask: np.ndarray) -> list[dict[str, Any]]:
    """Describe each connected piece (corners connect) of a mask.

    Parameters
    ----------
    mask : (H, W) array
        Anything that is not 0 belongs to it.

    Returns
    -------
    list of dict
        ``segmentation``, ``area`` in pixels, ``bbox`` (x, y, width, height) and
        ``iscrowd`` 0. Polygons are in pixel coordinates of which (0, 0) is the
        picture's corner; a piece with holes has uncompressed run lengths, which are
        exact.
    """
    from skimage.measure import find_contours, label, regionprops

    found = []
    for region in regionprops(label(mask != 0, connectivity=2)):
        top, left, bottom, right = region.bbox
        padded = np.pad(region.image.astype(float), 1)
        outlines = find_contours(padded, 0.5, fully_connected="high")
        if len(outlines) == 1:
            # centres of pixels lie at halves, and the padding moved them by one
            corners = outlines[0][:-1, ::-1] - 0.5 + (left, top)
            shape: Any = [corners.ravel().round(2).tolist()]
        else:
            whole = np.zeros(mask.shape, dtype=np.bool_)
            whole[top:bottom, left:right] = region.image
            shape = run_lengths(whole)
        found.append(
            {
                "segmentation": shape,
                "area": int(region.area),
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": 0,
            }
        )
    return found


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """Return COCO's uncompressed run lengths of an (H, W) mask, column by column."""
    flat = np.asarray(mask, dtype=np.bool_).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate([[0], changes, [flat.size]])
    counts = np.diff(bounds).tolist()
    # the first count is always of background
    return {
        "counts": [0, *counts] if flat[0] else counts,
        "size": [int(n) for n in mask.shape],
    }
