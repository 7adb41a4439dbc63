"""Images with their masks to files, in a format by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from src_core.errors import BadInputError
from src_core.imaging.coco import export_coco
from src_core.imaging.dicom.write import export_dicom_seg
from src_core.imaging.masks_write import masks_as
from src_core.imaging.measure import export_measurements
from src_core.imaging.omezarr_write import export_ome_zarr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from src_core.imaging.base import Exporter, ExportItem

EXPORTERS: dict[str, Exporter] = {
    "png": masks_as(".png"),
    "nifti": masks_as(".nii.gz"),
    "ome-zarr": export_ome_zarr,
    "coco": export_coco,
    "dicom-seg": export_dicom_seg,
    "table": export_measurements,
}
"""Formats by the name that the command line takes."""


def export(kind: str, items: Iterable[ExportItem], out: str | Path) -> list[Path]:
    """Write images with their masks below the folder `out`; see `Exporter`.

    Raises
    ------
    BadInputError
        If the format is unknown, or cannot hold an item.
    MissingExtraError
        If it needs an optional library.
    """
    if kind not in EXPORTERS:
        raise BadInputError(
            f"There is no export format '{kind}'; choose one of {', '.join(EXPORTERS)}."
        )
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    return EXPORTERS[kind](items, out)
