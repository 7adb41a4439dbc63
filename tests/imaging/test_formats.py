"""Real files of each format: what comes out of them, or the sentence why nothing."""

from __future__ import annotations

import json
import zlib
from typing import NamedTuple

import numpy as np
import pytest

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging import affine_of, read_image, read_mask

pytestmark = pytest.mark.data

pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")


class Case(NamedTuple):
    path: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    spacing: tuple[float, ...]
    unit: str
    orientation: str
    checksum: int
    modality: str = ""


MM, UM = "millimeter", "micrometer"
MR = ("yx", (64, 64), "int16", (0.3125, 0.3125), MM, "PL", 638863772, "MR")
EXAMPLES = "ome_zarr/ome-zarr-examples/data"
READ = [
    Case(
        "nifti/hippocampus_001_image.nii.gz",
        "zyx",
        (35, 51, 35),
        "uint8",
        (1.0,) * 3,
        MM,
        "SAR",
        2086927478,
    ),
    Case(
        "nifti/hippocampus_001_label.nii.gz",
        "zyx",
        (35, 51, 35),
        "uint8",
        (1.0,) * 3,
        MM,
        "SAR",
        2038169263,
    ),
    Case(
        "nifti/hippocampus_017_image.nii.gz",
        "zyx",
        (32, 48, 35),
        "float32",
        (1.0,) * 3,
        MM,
        "SAR",
        519012362,
    ),
    Case(
        "nifti/hippocampus_017_label.nii.gz",
        "zyx",
        (32, 48, 35),
        "uint8",
        (1.0,) * 3,
        MM,
        "SAR",
        368116103,
    ),
    Case(
        "nifti/ts_ct_sm.nii.gz",
        "zyx",
        (30, 101, 122),
        "int16",
        (3.0,) * 3,
        MM,
        "SAR",
        3644095090,
        "CT",
    ),
    Case(
        "nifti/ts_ct_sm_seg.nii.gz",
        "zyx",
        (30, 101, 122),
        "uint8",
        (3.0,) * 3,
        MM,
        "SAR",
        3870716328,
    ),
    Case(
        "nifti/nibabel/anatomical.nii",
        "zyx",
        (25, 41, 33),
        "int16",
        (2.0,) * 3,
        MM,
        "SAL",
        4110881043,
    ),
    Case(
        "nifti/nibabel/example4d.nii.gz#volume=1",
        "zyx",
        (24, 96, 128),
        "int16",
        (2.2, 2.0, 2.0),
        MM,
        "SAL",
        537903055,
    ),
    Case(
        "nifti/nibabel/functional.nii#volume=19",
        "zyx",
        (3, 21, 17),
        "float32",
        (8.0, 4.0, 4.0),
        MM,
        "SAL",
        746625214,
    ),
    Case(
        "nifti/nibabel/example_nifti2.nii.gz#volume=0",
        "zyx",
        (12, 20, 32),
        "int16",
        (2.2, 2.0, 2.0),
        MM,
        "SAL",
        280009001,
    ),
    Case(
        "nifti/nibabel/test.mgz#volume=1",
        "zyx",
        (5, 4, 3),
        "float32",
        (3.7417,) * 3,
        MM,
        "RAS",
        3437669477,
    ),
    Case(
        "dicom/ts_ct_series_seg.nii.gz",
        "zyx",
        (20, 512, 512),
        "uint8",
        (2.0, 0.9766, 0.9766),
        MM,
        "SAL",
        3037786202,
    ),
    Case(
        "dicom/pydicom/CT_small.dcm",
        "yx",
        (128, 128),
        "int16",
        (0.6615, 0.6615),
        MM,
        "PL",
        1160506573,
        "CT",
    ),
    Case(
        "dicom/ts_ct_series",
        "zyx",
        (20, 512, 512),
        "int16",
        (2.0, 0.9766, 0.9766),
        MM,
        "SPL",
        3506352060,
        "CT",
    ),
    Case("dicom/pydicom/MR_small.dcm", *MR),
    Case("dicom/pydicom/MR_small_bigendian.dcm", *MR),
    Case("dicom/pydicom/MR_small_RLE.dcm", *MR),
    Case("dicom/pydicom/MR_small_jp2klossless.dcm", *MR),
    Case("dicom/pydicom/MR_small_jpeg_ls_lossless.dcm", *MR),
    Case(
        "dicom/pydicom/JPEG2000.dcm",
        "yx",
        (1024, 256),
        "int16",
        (2.26, 2.26),
        MM,
        "",
        2923584017,
        "NM",
    ),
    Case(
        "dicom/pydicom/SC_rgb_jpeg_dcmtk.dcm",
        "cyx",
        (3, 100, 100),
        "uint8",
        (1.0, 1.0),
        MM,
        "",
        2329841926,
        "OT",
    ),
    Case(
        "dicom/pydicom/examples_rgb_color.dcm",
        "cyx",
        (3, 240, 320),
        "uint8",
        (1.0, 1.0),
        "pixel",
        "",
        1654240289,
        "US",
    ),
    Case(
        "dicom/pydicom/examples_ybr_color.dcm#frame=7",
        "cyx",
        (3, 240, 320),
        "uint8",
        (1.0, 1.0),
        "pixel",
        "",
        2701328176,
        "US",
    ),
    Case(
        "dicom/pydicom/liver_1frame.dcm",
        "zyx",
        (1, 512, 512),
        "uint8",
        (1.0, 0.8105, 0.8105),
        MM,
        "SPL",
        3396696408,
        "SEG",
    ),
    Case(
        "dicom/pydicom/image_dfl.dcm",
        "yx",
        (512, 512),
        "uint8",
        (1.0, 1.0),
        "pixel",
        "",
        3700532309,
        "OT",
    ),
    Case(
        "tiff/vnc_em_stack.ome.tif",
        "zyx",
        (20, 256, 256),
        "uint8",
        (0.05, 0.0046, 0.0046),
        UM,
        "",
        3314582923,
    ),
    Case(
        "tiff/vnc_em_mitochondria.tif",
        "zyx",
        (20, 256, 256),
        "uint8",
        (1.0,) * 3,
        "pixel",
        "",
        931321283,
    ),
    Case(
        "ome_zarr/vnc_em_v04.zarr",
        "zyx",
        (20, 256, 256),
        "uint8",
        (0.05, 0.0046, 0.0046),
        UM,
        "",
        3314582923,
    ),
    Case(
        "ome_zarr/vnc_em_v05.zarr",
        "zyx",
        (10, 256, 256),
        "uint8",
        (0.05, 0.0046, 0.0046),
        UM,
        "",
        2766219770,
    ),
    Case(
        "ome_zarr/vnc_em_v05.zarr/labels/mitochondria",
        "zyx",
        (10, 256, 256),
        "uint8",
        (0.05, 0.0046, 0.0046),
        UM,
        "",
        1456285378,
    ),
    Case(
        f"{EXAMPLES}/valid/image-01.zarr",
        "yx",
        (1000, 1000),
        "float32",
        (1.0, 1.0),
        UM,
        "",
        -1,
    ),
    Case(
        f"{EXAMPLES}/valid/image-02.zarr",
        "yx",
        (200, 200),
        "float32",
        (1.0, 1.0),
        UM,
        "",
        -1,
    ),
    Case(
        f"{EXAMPLES}/valid/image-03.zarr",
        "zyx",
        (2, 100, 100),
        "float32",
        (1.0,) * 3,
        UM,
        "",
        -1,
    ),
    Case(
        f"{EXAMPLES}/valid/image-04.zarr",
        "zyx",
        (2, 64, 64),
        "float32",
        (1.0,) * 3,
        UM,
        "",
        -1,
    ),
    # its second level contradicts the first one, which alone is read
    Case(
        f"{EXAMPLES}/invalid/image-04.zarr",
        "zyx",
        (2, 64, 64),
        "float32",
        (1.0,) * 3,
        UM,
        "",
        -1,
    ),
    Case(
        f"{EXAMPLES}/warning/image-01.zarr",
        "yx",
        (64, 64),
        "int64",
        (1.0, 1.0),
        UM,
        "",
        -1,
    ),
]

REFUSED = [
    ("nifti/nibabel/functional.nii", r"20 volumes; say which.*volume=19\.$"),
    ("nifti/nibabel/example4d.nii.gz", r"2 volumes; say which.*volume=1\.$"),
    ("nifti/nibabel/example_nifti2.nii.gz", r"2 volumes; say which.*volume=1\.$"),
    ("nifti/nibabel/test.mgz", r"2 volumes; say which.*volume=1\.$"),
    ("nifti/nibabel/small.mnc", "no supported format"),
    ("dicom/pydicom/examples_ybr_color.dcm", r"30 frames; say which.*frame=29\.$"),
    ("dicom/pydicom/MR_truncated.dcm", "less than expected"),
    (f"{EXAMPLES}/valid/plate-01.zarr", "no 'multiscales'"),
    (f"{EXAMPLES}/invalid/image-01.zarr", "no 'multiscales'"),
    (f"{EXAMPLES}/invalid/image-02.zarr", "no 'multiscales'"),
    (f"{EXAMPLES}/invalid/image-03.zarr", "'0' that is not there"),
]


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
    if case.checksum >= 0:
        assert zlib.crc32(picture.pixels.tobytes()) == case.checksum


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
