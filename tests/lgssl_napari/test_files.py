"""Files dropped on napari's window, and layers saved from it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import dicoms
from lgssl_napari.placing import KEPT
from lgssl_napari.reading import get_reader, read
from lgssl_napari.writing import write
from src_core.errors import BadInputError
from src_core.imaging import read_image, read_mask

pytest.importorskip("napari")
nibabel = pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")


RNG = np.random.default_rng(5)
AFFINES = {
    "RAS": np.diag([0.5, 0.75, 2.0, 1.0]),
    "LPS": np.diag([-0.5, -0.75, 2.0, 1.0]),
    "LAS": np.diag([-0.5, 0.75, 2.0, 1.0]),
    "tilted": np.array(
        [[0.48, -0.21, 0, 3], [0.14, 0.72, 0, 4], [0, 0, 2, 5], [0, 0, 0, 1.0]]
    ),
}
SHAPE = (7, 6, 4)  # x, y, z


def nifti(path, kind="RAS", shape=SHAPE):
    values = RNG.integers(0, 900, shape).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, AFFINES[kind]), path)
    return path


def layers(path):
    from napari.layers import Layer

    return [Layer.create(*data) for data in read(str(path))]


def saved(path, *made):
    return write(str(path), [layer.as_layer_data_tuple() for layer in made])


def drawn_on(image, name="liver"):
    from napari.layers import Labels

    mask = np.zeros(image.data.shape, np.uint8)
    mask[1, 2:4, 3:6] = 1
    return Labels(mask, name=name, scale=image.scale, affine=image.affine)


# ------------------------------------------------------------------------ in
@pytest.mark.parametrize("kind", AFFINES)
def test_a_nifti_lies_where_its_matrix_says(tmp_path, kind):
    (layer,) = layers(nifti(tmp_path / "scan.nii.gz", kind))
    right, front, up, _ = AFFINES[kind] @ [6, 2, 3, 1]
    world = layer.data_to_world((3, 2, 6))
    np.testing.assert_allclose(world, [up, -front, -right], atol=1e-5)
    assert tuple(layer.axis_labels) == ("z", "y", "x")
    assert {str(unit) for unit in layer.units} == {"millimeter"}
    assert layer.name == "scan.nii.gz"


def test_a_series_in_time_is_one_layer(tmp_path):
    (layer,) = layers(nifti(tmp_path / "film.nii", shape=(7, 6, 4, 3)))
    assert layer.data.shape == (3, 4, 6, 7)
    assert tuple(layer.axis_labels) == ("t", "z", "y", "x")
    assert tuple(layer.scale) == (1.0, 2.0, 0.75, 0.5)


def test_a_folder_of_two_series_is_two_layers(tmp_path):
    for number in (1, 2):
        volume = RNG.integers(0, 2000, (3, 5, 6)).astype(np.int16)
        dicoms.save_series(tmp_path / "study" / f"s{number}", volume)
    assert get_reader(str(tmp_path / "study")) is read
    made = layers(tmp_path / "study")
    assert [layer.data.shape for layer in made] == [(3, 5, 6)] * 2
    for layer in made:
        assert tuple(layer.contrast_limits) == (-160.0, 240.0)  # soft tissue
        assert "Muster" not in layer.name


def test_colours_are_colours(tmp_path):
    from PIL import Image

    pixels = RNG.integers(0, 255, (8, 9, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (layer,) = layers(tmp_path / "a.png")
    assert layer.rgb
    np.testing.assert_array_equal(layer.data, pixels)


def test_what_nobody_can_read_is_left_to_others(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    assert get_reader(str(tmp_path / "a.txt")) is None
    assert get_reader([str(nifti(tmp_path / "a.nii")), str(tmp_path / "a.txt")]) is None
    assert get_reader(str(tmp_path / "a.nii")) is read
    # a folder of pictures is a stack to napari
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_bytes(b"")
    assert get_reader(str(tmp_path / "folder")) is None


def test_a_broken_file_is_told_in_a_sentence(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"no")
    with pytest.raises(BadInputError, match=r"a\.nii"):
        read(str(tmp_path / "a.nii"))


# ----------------------------------------------------------------------- out
@pytest.mark.parametrize("kind", AFFINES)
def test_labels_leave_with_the_matrix_of_their_image(tmp_path, kind):
    (image,) = layers(nifti(tmp_path / "scan.nii.gz", kind))
    labels = drawn_on(image)
    assert saved(tmp_path / "mask.nii.gz", image, labels) == [
        str(tmp_path / "mask.nii.gz")
    ]
    back = nibabel.load(tmp_path / "mask.nii.gz")
    np.testing.assert_allclose(back.affine, AFFINES[kind], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(back.dataobj).T, labels.data)


def test_labels_of_the_panel_know_their_place_alone(tmp_path):
    (image,) = layers(nifti(tmp_path / "scan.nii.gz", "LAS"))
    labels = drawn_on(image)
    labels.metadata = {KEPT: image.metadata[KEPT]}
    saved(tmp_path / "mask.nii", labels)
    affine = nibabel.load(tmp_path / "mask.nii").affine
    np.testing.assert_allclose(affine, AFFINES["LAS"], atol=1e-6)


def test_an_image_leaves_with_its_masks_as_ome_zarr(tmp_path):
    models = pytest.importorskip("ome_zarr_models.v05")
    import zarr

    (image,) = layers(nifti(tmp_path / "scan.nii.gz", "LPS"))
    liver, spleen = drawn_on(image), drawn_on(image, "spleen")
    out = tmp_path / "out.ome.zarr"
    saved(out, image, liver, spleen)
    models.Image.from_zarr(zarr.open_group(str(out), mode="r"))
    back = read_image(out)
    np.testing.assert_array_equal(back.pixels, image.data)
    assert (back.orientation, back.spacing) == ("SPL", (2.0, 0.75, 0.5))
    np.testing.assert_array_equal(read_mask(out / "labels" / "spleen"), spleen.data)
    assert [path.name for path in tmp_path.iterdir() if path.name[0] == "."] == []


def test_labels_of_a_series_leave_as_dicom_seg_and_come_back(tmp_path):
    highdicom = pytest.importorskip("highdicom")
    volume = RNG.integers(0, 2000, (3, 6, 7)).astype(np.int16)
    dicoms.save_series(tmp_path / "ct", volume)
    (image,) = layers(tmp_path / "ct")
    labels = drawn_on(image)
    labels.data[2, 0, 0] = 2
    labels.features = {"index": [0, 1, 2], "target": [None, "liver", "cyst"]}
    out = tmp_path / "mask.seg.dcm"
    saved(out, image, labels)
    segmentation = highdicom.seg.segread(out)
    said = [segmentation.get_segment_description(n).segment_label for n in (1, 2)]
    assert said == ["liver", "cyst"]
    assert "Muster" not in str(segmentation.get("PatientName"))
    (back,) = layers(out)
    assert type(back).__name__ == "Labels"
    at = np.argwhere(labels.data == 2)[0]
    there = np.argwhere(back.data == 2)[0]
    np.testing.assert_allclose(back.data_to_world(there), image.data_to_world(at))


def test_labels_of_one_name_leave_as_one_target(tmp_path):
    (image,) = layers(nifti(tmp_path / "scan.nii.gz"))
    lesions = drawn_on(image, "lesions")
    lesions.data[3, 4:, :2] = 2
    lesions.features = {"index": [0, 1, 2], "target": [None, "lesion", "lesion"]}
    (path,) = saved(tmp_path / "out.ome.zarr", image, lesions)
    found = read_mask(f"{path}/labels/lesion")
    np.testing.assert_array_equal(found, lesions.data != 0)


def test_sizes_and_outlines(tmp_path):
    from napari.layers import Image as Layer
    from napari.layers import Labels

    image = Layer(np.zeros((9, 9)), name="film", scale=(0.5, 0.5), units="millimeter")
    mask = np.zeros((9, 9), np.uint8)
    mask[2:4, 2:8] = 1
    labels = Labels(mask, name="bone")
    saved(tmp_path / "sizes.csv", image, labels)
    (row,) = csv.DictReader((tmp_path / "sizes.csv").read_text().splitlines())
    assert (row["target"], row["voxels"], row["area_mm2"]) == ("bone", "12", "3")
    saved(tmp_path / "film.json", image, labels)
    about = json.loads((tmp_path / "film.json").read_text())
    assert about["annotations"][0]["area"] == 12


def bad_shape(image):
    from napari.layers import Labels

    return [image, Labels(np.zeros((2, 2), np.uint8))]


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("a.nii", lambda image: [image], "Select a layer of labels"),
        ("a.nii", bad_shape, "is not drawn on"),
        ("a.nii", lambda image: [drawn_on(image), *bad_shape(image)[1:]], "another"),
        ("a.nii", lambda image: [drawn_on(image), drawn_on(image)], "one layer"),
        ("a.png", lambda image: [drawn_on(image)], "PNG holds one slice"),
        ("a.seg.dcm", lambda image: [image, drawn_on(image)], "not imported from"),
        ("scan.ome.zarr", lambda image: [image, drawn_on(image)], "there already"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, chosen, message):
    (tmp_path / "scan.ome.zarr").mkdir()
    (image,) = layers(nifti(tmp_path / "scan.nii"))
    with pytest.raises(BadInputError, match=message):
        saved(tmp_path / name, *chosen(image))


# ------------------------------------------------------------------ manifest
def test_the_manifest_offers_what_napari_cannot_read_itself():
    from npe2 import PluginManifest

    root = Path(__file__).parents[2]
    contributed = PluginManifest.from_file(
        root / "lgssl_napari" / "napari.yaml"
    ).contributions
    (reader,) = contributed.readers
    assert reader.accepts_directories
    from src_core.imaging import READERS

    own = {"TIFF", "PNG, JPEG, BMP or WebP", "whole-slide image"}
    expected = {
        f"*{suffix}"
        for one in READERS
        if one.name not in own
        for suffix in one.suffixes
    }
    assert expected <= set(reader.filename_patterns)
    endings = {end for one in contributed.writers for end in one.filename_extensions}
    assert endings == {
        ".nii.gz",
        ".nii",
        ".png",
        ".ome.zarr",
        ".seg.dcm",
        ".json",
        ".csv",
    }
