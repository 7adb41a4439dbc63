"""A DICOM series out as a segmentation and in again, with highdicom as witness."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dicoms
from scans import LIVER, ONE, VOLUME, with_mask
from src_core.errors import BadInputError
from src_core.exchange import (
    IntakeOptions,
    add_files,
    export_project,
    import_any,
    take_in,
)
from src_core.store import Project
from src_core.types import MaskStatus

pydicom = pytest.importorskip("pydicom")


@pytest.mark.parametrize(
    "across_down", [dicoms.AXIAL, dicoms.CORONAL, dicoms.SAGITTAL], ids="acs"
)
def test_dicom_out_as_segmentation_and_in_again(project, tmp_path, across_down):
    highdicom = pytest.importorskip("highdicom")
    dicoms.save_series(tmp_path / "ct", VOLUME, across_down=across_down)
    image = with_mask(project, tmp_path / "ct", LIVER, "liver")
    (path,) = export_project(project, tmp_path / "out", "dicom-seg")
    seg = highdicom.seg.segread(path)
    sources = {
        d.SOPInstanceUID: d for d in map(pydicom.dcmread, (tmp_path / "ct").iterdir())
    }
    found = seg.get_pixels_by_source_instance(
        list(sources),
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )[..., 0]
    for frame, data in zip(found, sources.values(), strict=True):
        z = np.flatnonzero((data.pixel_array == VOLUME).all(axis=(1, 2)))[0]
        np.testing.assert_array_equal(frame, LIVER[z])
    # into another project that has the series, by its identifiers alone
    with Project.create(tmp_path / "other") as other:
        add_files(other, [tmp_path / "ct"], who="ada", options=ONE)
        intake = import_any(other, tmp_path / "out", who="ada")
        assert (intake.masks, intake.failed, intake.notes) == (1, [], [])
        np.testing.assert_array_equal(other.mask(image.id, "liver").read(), LIVER)


def test_a_folder_of_a_series_and_its_segmentation_is_taken_in_at_once(
    project, tmp_path
):
    pytest.importorskip("highdicom")
    dicoms.save_series(tmp_path / "ct", VOLUME)
    image = with_mask(project, tmp_path / "ct", LIVER, "liver")
    (path,) = export_project(project, tmp_path / "out", "dicom-seg")
    path.rename(tmp_path / "ct" / "z.dcm")
    with Project.create(tmp_path / "other") as other:
        intake = take_in(other, [tmp_path / "ct"], who="ada", options=ONE)
        assert (intake.added, intake.masks) == (1, 1)
        assert (intake.failed, intake.notes) == ([], [])
        np.testing.assert_array_equal(other.mask(image.id, "liver").read(), LIVER)


@pytest.mark.parametrize("replace", [False, True])
def test_segments_of_one_name_are_one_mask(project, tmp_path, replace):
    pytest.importorskip("highdicom")
    dicoms.save_series(tmp_path / "ct", VOLUME)
    image = with_mask(project, tmp_path / "ct", LIVER, "lesion")
    second = np.zeros_like(LIVER)
    second[3:, :2, 3:] = 1
    target = project.add_target("another")
    project.save_mask(image.id, target.id, second, status=MaskStatus.DONE)
    (path,) = export_project(project, tmp_path / "out", "dicom-seg")
    data = pydicom.dcmread(path)
    data.SegmentSequence[0].SegmentLabel = "Lesion"
    data.SegmentSequence[1].SegmentLabel = "lesion"
    data.save_as(path)
    with Project.create(tmp_path / "other") as other:
        add_files(other, [tmp_path / "ct"], who="ada", options=ONE)
        options = IntakeOptions(workers=1, replace=replace)
        intake = import_any(other, path, who="ada", options=options)
        assert (intake.masks, intake.replaced, intake.failed) == (1, 0, [])
        found = other.mask(image.id, "lesion").read()
        np.testing.assert_array_equal(found, LIVER | second)


def test_a_segmentation_without_its_images_is_told(project, tmp_path):
    pytest.importorskip("highdicom")
    dicoms.save_series(tmp_path / "ct", VOLUME)
    with_mask(project, tmp_path / "ct", LIVER, "liver")
    (path,) = export_project(project, tmp_path / "out", "dicom-seg")
    with Project.create(tmp_path / "other") as other:
        intake = import_any(other, path, who="ada")
    assert "add the folder of their series" in intake.failed[0][1]


def test_what_is_no_dicom_has_no_segmentation(project, tmp_path):
    pytest.importorskip("highdicom")
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / "a.png")
    with_mask(project, tmp_path / "a.png", np.ones((6, 5), np.uint8))
    with pytest.raises(BadInputError, match="not imported from DICOM"):
        export_project(project, tmp_path / "out", "dicom-seg")
