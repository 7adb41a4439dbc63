"""Image and mask through a project and out again, with other libraries as witnesses."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import zarr
from PIL import Image

from scans import CODES, DRAWN, OBLIQUE, ONE, RAS, nibabel, stored_as, with_mask, world
from src_core.exchange import add_files, export_project
from src_core.imaging import affine_of
from src_core.store import Project
from src_core.types import MaskStatus


@pytest.mark.parametrize("code", [*CODES, OBLIQUE])
def test_nifti_keeps_the_matrix_and_every_voxel(project, tmp_path, code):
    source, drawn = stored_as(code)
    nibabel.save(source, tmp_path / "scan.nii.gz")
    with_mask(project, tmp_path / "scan.nii.gz", drawn.transpose(2, 1, 0))
    out = tmp_path / "out"
    export_project(project, out, "nifti")
    back = nibabel.load(out / "scan.nii.gz" / "tumour.nii.gz")
    np.testing.assert_allclose(back.affine, source.affine, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(back.dataobj), drawn)
    if code != OBLIQUE:
        places = world(back.dataobj, back.affine)
        np.testing.assert_allclose(places, world(DRAWN, RAS), atol=1e-3)
    labels = nibabel.load(out / "scan.nii.gz" / "labels.nii.gz")
    np.testing.assert_array_equal(np.asarray(labels.dataobj), drawn)
    legend = json.loads((out / "labels.json").read_text())
    assert legend == {"background": 0, "tumour": 1}


@pytest.mark.parametrize("code", CODES)
def test_ome_zarr_says_where_each_axis_runs(project, tmp_path, code):
    source, drawn = stored_as(code)
    nibabel.save(source, tmp_path / "scan.nii.gz")
    with_mask(project, tmp_path / "scan.nii.gz", drawn.transpose(2, 1, 0))
    (path,) = export_project(project, tmp_path / "out", "ome-zarr")
    models = pytest.importorskip("ome_zarr_models.v05")
    group = zarr.open_group(str(path), mode="r")
    models.Image.from_zarr(group)
    label = group["labels/tumour"]
    models.ImageLabel.from_zarr(label)
    places = ome_places(label)
    np.testing.assert_allclose(places, world(DRAWN, RAS), atol=1e-3)
    pixels = np.asarray(group["0"][...])
    np.testing.assert_array_equal(pixels, np.asarray(source.dataobj).T)


def ome_places(group):
    """Places in R, A, S by what the metadata of OME-Zarr alone says."""
    scale = group.attrs["ome"]["multiscales"][0]
    steps = {
        step["type"]: step[step["type"]]
        for step in scale["datasets"][0]["coordinateTransformations"]
    }
    at = np.argwhere(np.asarray(group["0"][...]))
    along = at * steps["scale"] + steps["translation"]
    towards = {
        "left-to-right": (0, 1),
        "right-to-left": (0, -1),
        "posterior-to-anterior": (1, 1),
        "anterior-to-posterior": (1, -1),
        "inferior-to-superior": (2, 1),
        "superior-to-inferior": (2, -1),
    }
    places = np.zeros((len(at), 3))
    for column, axis in enumerate(scale["axes"]):
        assert axis["unit"] == "millimeter"
        world_axis, sign = towards[axis["orientation"]["value"]]
        places[:, world_axis] = sign * along[:, column]
    return np.array(sorted(np.round(places, 3).tolist()))


@pytest.mark.parametrize("code", [*CODES, OBLIQUE])
def test_what_leaves_as_ome_zarr_comes_back_in_its_place(project, tmp_path, code):
    source, drawn = stored_as(code)
    nibabel.save(source, tmp_path / "scan.nii.gz")
    image = with_mask(project, tmp_path / "scan.nii.gz", drawn.transpose(2, 1, 0))
    export_project(project, tmp_path / "out", "ome-zarr")
    with Project.create(tmp_path / "again") as other:
        add_files(other, [tmp_path / "out"], who="ada", options=ONE)
        (back,) = other.images()
    assert back.orientation == image.orientation
    np.testing.assert_allclose(affine_of(back), affine_of(image), atol=1e-9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("code", CODES)
def test_naparis_own_reader_of_ome_zarr_sees_image_and_labels(project, tmp_path, code):
    theirs = pytest.importorskip("napari_ome_zarr")
    source, drawn = stored_as(code)
    nibabel.save(source, tmp_path / "scan.nii.gz")
    with_mask(project, tmp_path / "scan.nii.gz", drawn.transpose(2, 1, 0))
    (path,) = export_project(project, tmp_path / "out", "ome-zarr")
    seen = {}
    for pixels, about, kind in theirs.napari_get_reader(str(path))(str(path)):
        finest = pixels[0] if isinstance(pixels, list) else pixels
        seen[kind] = np.asarray(finest), about
    np.testing.assert_array_equal(seen["image"][0], np.asarray(source.dataobj).T)
    np.testing.assert_array_equal(seen["labels"][0], drawn.T)
    sizes = nibabel.affines.voxel_sizes(source.affine)[::-1]
    for _, about in seen.values():
        np.testing.assert_allclose(about["scale"], sizes)
        assert set(about["units"]) == {"millimeter"}


@pytest.mark.parametrize("code", CODES)
def test_coco_draws_the_same_pixels(project, tmp_path, code):
    coco = pytest.importorskip("pycocotools.coco")
    _, drawn = stored_as(code)
    flat = drawn.max(axis=2).T
    Image.fromarray(flat * 200).save(tmp_path / "film.png")
    with_mask(project, tmp_path / "film.png", flat)
    (path,) = export_project(project, tmp_path / "out", "coco")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tools = coco.COCO(str(path))
        whole = sum(tools.annToMask(a) for a in tools.loadAnns(tools.getAnnIds()))
    np.testing.assert_array_equal(whole > 0, flat > 0)


def test_png_of_a_volume_is_a_folder_of_slices(project, tmp_path):
    source, drawn = stored_as("LPS")
    nibabel.save(source, tmp_path / "scan.nii.gz")
    with_mask(project, tmp_path / "scan.nii.gz", drawn.transpose(2, 1, 0))
    export_project(project, tmp_path / "out", "png")
    folder = tmp_path / "out" / "scan.nii.gz"
    names = [f"{z:04d}.png" for z in range(4)]
    for name, inside in (("tumour", 255), ("labels", 1)):
        assert sorted(p.name for p in (folder / name).iterdir()) == names
        found = np.stack([np.asarray(Image.open(folder / name / n)) for n in names])
        np.testing.assert_array_equal(found, drawn.T * inside)


def test_overlapping_targets_have_no_label_map(project, tmp_path):
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / "a.png")
    mask = np.zeros((6, 5), np.uint8)
    mask[1:4, 1:4] = 1
    with_mask(project, tmp_path / "a.png", mask, "lung")
    project.add_target("opacity")
    project.save_mask("a.png", "opacity", mask, status=MaskStatus.DONE)
    export_project(project, tmp_path / "out", "png")
    assert sorted(p.name for p in (tmp_path / "out" / "a.png").iterdir()) == [
        "lung.png",
        "opacity.png",
    ]
