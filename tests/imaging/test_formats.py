"""Real files of each format: what comes out of them, or the sentence why nothing."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from real_files import READ, REFUSED
from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging import affine_of, read_image, read_mask

pytestmark = pytest.mark.data

pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")


@pytest.mark.parametrize("case", READ, ids=[c.path for c in READ])
def test_what_comes_out(real_data, case):
    try:
        picture = read_image(str(real_data / "formats" / case.path))
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert picture.axes == case.axes
    assert picture.pixels.shape == case.shape
    assert picture.pixels.dtype == case.dtype
    assert picture.spacing == pytest.approx(case.spacing, abs=5e-5)
    assert picture.unit == case.unit
    assert picture.orientation == case.orientation
    assert picture.modality == case.modality
    if case.crc32 is not None:
        assert zlib.crc32(picture.pixels.tobytes()) == case.crc32


@pytest.mark.parametrize(("path", "message"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_is_refused(real_data, path, message):
    with pytest.raises(BadInputError, match=message) as caught:
        read_image(real_data / "formats" / path)
    assert path.rsplit("/", 1)[-1] in str(caught.value)


def test_every_listed_file_is_tried(real_data):
    listed = json.loads((real_data / "formats" / "list.json").read_text())
    tried = {case.path.split("#")[0] for case in READ} | {path for path, _ in REFUSED}
    left = {
        entry["path"] for entry in listed if "ts_ct_series/" not in entry["path"]
    } - tried
    assert left == {"ome_zarr/ome-zarr-examples"}


def test_one_stack_in_three_formats(real_data):
    formats = real_data / "formats"
    stack = read_image(formats / "tiff/vnc_em_stack.ome.tif").pixels
    old = read_image(formats / "ome_zarr/vnc_em_v04.zarr").pixels
    np.testing.assert_array_equal(stack, old)
    mask = read_mask(formats / "tiff/vnc_em_mitochondria.tif")
    labels = read_mask(formats / "ome_zarr/vnc_em_v04.zarr/labels/mitochondria")
    np.testing.assert_array_equal(mask, labels)
    whole = read_mask(formats / "ome_zarr/vnc_em_v04.zarr")
    np.testing.assert_array_equal(mask, whole)


def test_organs_fall_on_the_organs_of_a_scan_stored_the_other_way(real_data):
    """Spleen (label 1) and liver (5) are even tissue, ribs (92 to 115) are bone."""
    formats = real_data / "formats"
    labels = read_image(formats / "dicom/ts_ct_series_seg.nii.gz")
    to_voxel = np.linalg.inv(affine_of(labels))
    organs = {"spleen": (1, 1), "liver": (5, 5), "ribs": (92, 115)}
    values = {name: [] for name in organs}
    for path in sorted((formats / "dicom/ts_ct_series").glob("*.dcm"))[::5]:
        picture = read_image(path)
        assert picture.orientation == "PL"
        z = float(pydicom.dcmread(path).ImagePositionPatient[2])
        rows, columns = np.indices(picture.pixels.shape)
        down = picture.origin[0] + rows * picture.spacing[0]
        across = picture.origin[1] + columns * picture.spacing[1]
        world = np.stack([-across, -down, np.full_like(down, z), np.ones_like(down)])
        x, y, k = np.round(np.tensordot(to_voxel, world, 1)[:3]).astype(int)
        assert k.min() == k.max()
        found = labels.pixels[k, y, x]
        for name, (first, last) in organs.items():
            values[name].append(picture.pixels[(found >= first) & (found <= last)])
    spleen, liver, ribs = (np.concatenate(parts) for parts in values.values())
    assert min(spleen.size, liver.size, ribs.size) > 1000
    for organ in (spleen, liver):
        assert 60 < np.median(organ) < 120
        assert organ.std() < 30
    assert np.median(ribs) > 180
