"""How large what was found is: a table of areas and volumes."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import numpy as np

from src_core.imaging.ours import check_head
from src_core.imaging.space import voxel_size

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from src_core.imaging.base import ExportItem, Picture

FILE_NAME: Final = "measurements.csv"
COLUMNS: Final = (
    *("image", "name", "group", "target", "present", "voxels"),
    *("area_mm2", "volume_mm3"),
)
_MILLIMETRES: Final = {"millimeter": 1.0, "micrometer": 1e-3}


def export_measurements(items: Iterable[ExportItem], out: Path) -> list[Path]:
    """Write ``measurements.csv``: a row for each image and target.

    A flat image has an area, a volume a volume; neither where nobody knows how large
    a pixel is. Sheared voxels (a tilted gantry) count with the volume that they have.

    Raises
    ------
    BadInputError
        If a file of this name is there that no export wrote.
    """
    path = out / FILE_NAME
    check_head(path, ",".join(COLUMNS))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for item in items:
            for target, mask in item.masks.items():
                voxels = int(np.count_nonzero(mask))
                table.writerow(
                    (
                        *(item.stem, item.picture.name, item.picture.group, target),
                        *("yes" if voxels else "no", voxels),
                        *_sizes(item.picture, voxels),
                    )
                )
    return [path]


def _sizes(picture: Picture, voxels: int) -> tuple[str, str]:
    factor = _MILLIMETRES.get(picture.unit)
    if factor is None:
        return "", ""
    dimensions = len(picture.spacing)
    size = f"{voxels * voxel_size(picture) * factor**dimensions:.6g}"
    return ("", size) if dimensions == 3 else (size, "")
