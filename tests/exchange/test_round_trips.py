"""Image and mask through a project and out again, with other libraries as witnesses."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import zarr
from PIL import Image

import dicoms
from src_core.errors import BadInputError, UserError
from src_core.exchange import (
    ExportOptions,
    IntakeOptions,
    add_files,
    export_project,
    import_any,
    take_in,
)
from src_core.exchange.references import References
from src_core.imaging import affine_of
from src_core.store import Project
from src_core.types import MaskStatus

nibabel = pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")

RNG = np.random.default_rng(9)
ONE = IntakeOptions(workers=1)
RAS = np.array([[0.5, 0, 0, -30], [0, 0.75, 0, 11], [0, 0, 2, 40], [0, 0, 0, 1.0]])
CODES = ["RAS", "LPS", "LAS", "PIR"]
OBLIQUE = "oblique"


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", who="ada") as opened:
        yield opened


def stored_as(code):
    """The same scan and mask, (x, y, z), in voxels that run as the code says."""
    image = nibabel.Nifti1Image(SCAN, RAS)
    mask = nibabel.Nifti1Image(DRAWN, RAS)
    if code == OBLIQUE:
        cos, sin = np.cos(0.4), np.sin(0.4)
        turn = np.eye(4)
        turn[1:3, 1:3] = [[cos, -sin], [sin, cos]]
        return nibabel.Nifti1Image(SCAN, turn @ RAS), DRAWN
    there = nibabel.orientations.axcodes2ornt(tuple(code))
    way = nibabel.orientations.ornt_transform(nibabel.io_orientation(RAS), there)
    turned = mask.as_reoriented(way)
    return image.as_reoriented(way), np.asarray(turned.dataobj)


SCAN = RNG.integers(-900, 900, (7, 6, 4)).astype(np.int16)
DRAWN = np.zeros(SCAN.shape, np.uint8)
DRAWN[1:4, 2:5, 1:3] = 1
DRAWN[1, 2, 1] = 0


def world(mask, affine):
    """Places in R, A, S of a mask's voxels (x, y, z), sorted."""
    at = np.argwhere(np.asarray(mask) != 0)
    places = np.c_[at, np.ones(len(at))] @ np.asarray(affine).T
    return np.array(sorted(np.round(places[:, :3], 3).tolist()))


def with_mask(project, path, mask, target="tumour"):
    """Import an image and save a mask over the axes that it is stored with."""
    add_files(project, [path], who="ada", options=ONE)
    (image,) = project.images()
    found = project.add_target(target)
    project.save_mask(image.id, found.id, mask, status=MaskStatus.DONE)
    return image


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
    import warnings

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


# ------------------------------------------------------------------- DICOM-SEG
VOLUME = RNG.integers(0, 3000, (5, 6, 7)).astype(np.uint16)
LIVER = np.zeros(VOLUME.shape, np.uint8)
LIVER[1:4, 2:5, 1:4] = 1
LIVER[1, 2, 1] = 0


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


def test_a_segmentation_without_its_images_is_told(project, tmp_path):
    pytest.importorskip("highdicom")
    dicoms.save_series(tmp_path / "ct", VOLUME)
    with_mask(project, tmp_path / "ct", LIVER, "liver")
    (path,) = export_project(project, tmp_path / "out", "dicom-seg")
    with Project.create(tmp_path / "other") as other:
        intake = import_any(other, path, who="ada")
    assert "add the folder of their series" in intake.failed[0][1]


def test_names_are_copied_only_on_demand(project, tmp_path):
    pytest.importorskip("highdicom")
    dicoms.save_series(tmp_path / "ct", VOLUME, PatientBirthDate="19640812")
    with_mask(project, tmp_path / "ct", LIVER, "liver")
    (path,) = export_project(project, tmp_path / "plain", "dicom-seg")
    assert b"Muster" not in path.read_bytes()
    options = ExportOptions(names=True)
    (named,) = export_project(project, tmp_path / "named", "dicom-seg", options)
    data = pydicom.dcmread(named)
    assert (str(data.PatientName), data.PatientID) == ("Muster^Erika", "4711")
    assert data.PatientBirthDate == "19640812"
    (tmp_path / "ct").rename(tmp_path / "gone")
    with pytest.raises(UserError, match="no longer at"):
        export_project(project, tmp_path / "again", "dicom-seg", options)


def test_what_is_no_dicom_has_no_segmentation(project, tmp_path):
    pytest.importorskip("highdicom")
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(tmp_path / "a.png")
    with_mask(project, tmp_path / "a.png", np.ones((6, 5), np.uint8))
    with pytest.raises(BadInputError, match="not imported from DICOM"):
        export_project(project, tmp_path / "out", "dicom-seg")


SECRETS = {
    "PatientName": "Geheim^Gerda",
    "PatientID": "ID-98765",
    "PatientBirthDate": "19520307",
    "PatientAddress": "Gartenweg 12",
    "PatientTelephoneNumbers": "0123456",
    "OtherPatientIDs": "OTHER-55",
    "AccessionNumber": "ACC-4242",
    "InstitutionName": "St. Elsewhere",
    "ReferringPhysicianName": "Doktor^Dora",
    "OperatorsName": "Operator^Otto",
    "StudyDescription": "studydescr",
    "SeriesDescription": "seriesdescr",
    "ImageComments": "commentary",
    "StudyDate": "20210304",
    "DeviceSerialNumber": "SN-1234567",
    "ProtocolName": "protoname",
}


def test_nothing_of_a_patient_is_in_the_project(project, tmp_path):
    """Every byte of every file, but the two private ones that are kept apart."""
    dicoms.save_series(
        tmp_path / "Geheim", VOLUME, **SECRETS, StudyInstanceUID="1.2.777.888"
    )
    with_mask(project, tmp_path / "Geheim", LIVER, "liver")
    kept_apart = {project.references_dir, project.path / "groups.jsonl"}
    words = [word for value in SECRETS.values() for word in value.split("^")]
    for path in project.path.rglob("*"):
        if not path.is_file() or kept_apart & {path, path.parent}:
            continue
        content = path.read_bytes()
        told = [w for w in (*words, "1.2.777.888") if w.encode() in content]
        assert told == [], path
    names = " ".join(str(p.relative_to(project.path)) for p in project.path.rglob("*"))
    assert not any(word in names for word in words)
    [private] = project.references_dir.iterdir()
    assert private.stat().st_mode & 0o077 == 0
    # the way to the files is kept, the patient's name and number are not
    content = private.read_text()
    assert "1.2.777.888" in content
    assert not any(word in content for word in words if word != "Geheim")


def test_a_backup_leaves_the_archives_identifiers_out(project, tmp_path):
    dicoms.save_series(tmp_path / "ct", VOLUME)
    image = with_mask(project, tmp_path / "ct", LIVER, "liver")
    for names in (False, True):
        file = project.backup(tmp_path / f"{names}.zip", names=names)
        with Project.from_backup(file, tmp_path / f"restored {names}") as restored:
            assert (References(restored).of(image.id) is not None) is names
            assert restored.verify() == []


# -------------------------------------------------------------------- the table
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
