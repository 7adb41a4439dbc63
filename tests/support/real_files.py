"""The real files of each format: what comes out of them, or why nothing does."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    """What one file holds, row by row of the table ``real_files.csv``.

    `path` lies below the folder of formats, with the part to read behind a ``#``;
    `crc32` is that of the pixels' bytes, or None where they are not compared.
    """

    path: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    spacing: tuple[float, ...]
    unit: str
    orientation: str
    modality: str
    crc32: int | None


def _read_cases() -> list[Case]:
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return [
            Case(
                **row
                | {
                    "shape": tuple(map(int, row["shape"].split())),
                    "spacing": tuple(map(float, row["spacing"].split())),
                    "crc32": int(row["crc32"]) if row["crc32"] else None,
                }
            )
            for row in csv.DictReader(file)
        ]


# The second level of invalid/image-04.zarr contradicts its first, which alone is read.
READ = _read_cases()

_EXAMPLES = "ome_zarr/ome-zarr-examples/data"
REFUSED = [
    ("nifti/nibabel/functional.nii", r"20 volumes; say which.*volume=19\.$"),
    ("nifti/nibabel/example4d.nii.gz", r"2 volumes; say which.*volume=1\.$"),
    ("nifti/nibabel/example_nifti2.nii.gz", r"2 volumes; say which.*volume=1\.$"),
    ("nifti/nibabel/test.mgz", r"2 volumes; say which.*volume=1\.$"),
    ("nifti/nibabel/small.mnc", "no supported format"),
    ("dicom/pydicom/examples_ybr_color.dcm", r"30 frames; say which.*frame=29\.$"),
    ("dicom/pydicom/MR_truncated.dcm", "less than expected"),
    (f"{_EXAMPLES}/valid/plate-01.zarr", "no 'multiscales'"),
    (f"{_EXAMPLES}/invalid/image-01.zarr", "no 'multiscales'"),
    (f"{_EXAMPLES}/invalid/image-02.zarr", "no 'multiscales'"),
    (f"{_EXAMPLES}/invalid/image-03.zarr", "'0' that is not there"),
]
