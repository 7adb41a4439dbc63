"""The exported table: volumes and areas in the units that they are measured in."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import dicoms
from scans import CODES, DRAWN, LIVER, OBLIQUE, VOLUME, nibabel, stored_as, with_mask
from src_core.exchange import export_project
from src_core.types import MaskStatus


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("code", [*CODES, OBLIQUE])
def test_volumes_are_measured_in_cubic_millimetres(project, tmp_path, code):
    source, drawn = stored_as(code)
    nibabel.save(source, tmp_path / "scan.nii.gz")
    with_mask(project, tmp_path / "scan.nii.gz", drawn.transpose(2, 1, 0))
    (path,) = export_project(project, tmp_path / "out", "table")
    [row] = rows_of(path)
    assert (row["target"], row["present"], row["area_mm2"]) == ("tumour", "yes", "")
    assert int(row["voxels"]) == DRAWN.sum()
    expected = DRAWN.sum() * 0.5 * 0.75 * 2
    assert float(row["volume_mm3"]) == pytest.approx(expected, rel=1e-5)


def test_a_tilted_gantry_is_measured_with_the_volume_that_it_has(project, tmp_path):
    dicoms.save_series(tmp_path / "ct", VOLUME, shear=1.5)
    with_mask(project, tmp_path / "ct", LIVER, "liver")
    (path,) = export_project(project, tmp_path / "out", "table")
    expected = LIVER.sum() * 2.0 * 0.5 * 0.25
    assert float(rows_of(path)[0]["volume_mm3"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("spacing", "unit", "area"),
    [
        ((0.5, 0.25), "millimeter", "1.5"),
        ((500, 250), "micrometer", "1.5"),
        ((1, 1), "pixel", ""),
    ],
)
def test_areas_are_measured_in_square_millimetres(
    project, tmp_path, spacing, unit, area
):
    mask = np.zeros((6, 5), np.uint8)
    mask[1:4, 1:5] = 1
    image, _ = project.add_image(
        mask, name="a", axes="yx", spacing=spacing, unit=unit, group="p"
    )
    for name, pixels, status in (
        ("there", mask, MaskStatus.DONE),
        ("absent", None, MaskStatus.EMPTY),
    ):
        target = project.add_target(name)
        project.save_mask(image.id, target.id, pixels, status=status)
    (path,) = export_project(project, tmp_path / "out", "table")
    found = {row["target"]: row for row in rows_of(path)}
    assert found["there"]["area_mm2"] == area
    assert found["absent"]["present"] == "no"
    assert found["there"]["group"] == "anon-0001"
    assert found["there"]["volume_mm3"] == ""
