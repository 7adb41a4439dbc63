"""NIfTI: values, orientation, spacing, scaling, and lying headers."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from src_core.errors import BadInputError
from src_core.imaging import affine_of, read_image, read_mask

nibabel = pytest.importorskip("nibabel")

RNG = np.random.default_rng(5)
VOLUME = RNG.integers(-1000, 1000, (4, 5, 6), dtype=np.int16)  # x, y, z


def affine_for(codes: str, spacing=(0.5, 2.0, 3.0), origin=(10.0, -20.0, 30.0)):
    worlds = {"R": (1, 0, 0), "A": (0, 1, 0), "S": (0, 0, 1)}
    worlds |= {o: tuple(-n for n in worlds[c]) for o, c in ("LR", "PA", "IS")}
    matrix = np.array([worlds[code] for code in codes]).T * spacing
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, origin
    return affine


def save(path, data, affine=None, version=1, **header):
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    image = kind(data, affine)
    image.header.set_xyzt_units(header.get("unit", "mm"))
    if "slope" in header:
        image.header.set_slope_inter(header["slope"], header["inter"])
    nibabel.save(image, path)


CODES = ["RAS", "LPS", "LAS", "PIR", "ASL", "SRP"]


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("version", [1, 2])
def test_orientation_is_kept_and_no_voxel_moves(tmp_path, codes, version):
    path = tmp_path / "v.nii.gz"
    affine = affine_for(codes)
    assert "".join(nibabel.aff2axcodes(affine)) == codes
    save(path, VOLUME, affine, version)
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, VOLUME.transpose(2, 1, 0))
    assert picture.pixels.dtype == np.int16
    assert picture.axes == "zyx"
    assert picture.orientation == codes[::-1]
    assert picture.spacing == pytest.approx((3.0, 2.0, 0.5))
    assert picture.unit == "millimeter"
    assert picture.direction == ()
    np.testing.assert_allclose(affine_of(picture), affine, atol=1e-5)


def test_an_oblique_volume_keeps_its_matrix(tmp_path):
    cos, sin = np.cos(0.3), np.sin(0.3)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    affine = affine_for("LPS")
    affine[:3, :3] = turn @ affine[:3, :3]
    save(tmp_path / "v.nii", VOLUME, affine)
    picture = read_image(tmp_path / "v.nii")
    assert picture.orientation == "SPL"
    assert len(picture.direction) == 9
    assert picture.spacing == pytest.approx((3.0, 2.0, 0.5), abs=1e-5)
    np.testing.assert_allclose(affine_of(picture), affine, atol=1e-5)


def test_without_a_matrix_left_and_right_are_unknown(tmp_path):
    image = nibabel.Nifti1Image(VOLUME, None)
    image.header.set_zooms((0.5, 2.0, 3.0))
    nibabel.save(image, tmp_path / "v.nii")
    picture = read_image(tmp_path / "v.nii")
    assert picture.orientation == ""
    assert picture.spacing == pytest.approx((3.0, 2.0, 0.5))
    assert picture.unit == "millimeter"


@pytest.mark.parametrize(
    ("unit", "spacing"), [("micron", 1e-3), ("mm", 1.0), ("meter", 1e3)]
)
def test_units_become_millimetres(tmp_path, unit, spacing):
    save(tmp_path / "v.nii", VOLUME, np.eye(4), unit=unit)
    picture = read_image(tmp_path / "v.nii")
    assert picture.spacing == pytest.approx((spacing,) * 3)


@pytest.mark.parametrize(
    ("slope", "inter", "dtype"),
    [(1.0, 0.0, np.int16), (2.0, -1024.0, np.int16), (0.5, 0.25, np.float32)],
)
def test_slope_and_intercept(tmp_path, slope, inter, dtype):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(VOLUME.shape)
    header["scl_slope"], header["scl_inter"] = slope, inter
    header["magic"], header["vox_offset"] = b"n+1", 352
    raw = header.binaryblock + b"\0" * 4 + VOLUME.tobytes(order="F")
    (tmp_path / "v.nii").write_bytes(raw)
    picture = read_image(tmp_path / "v.nii")
    assert picture.pixels.dtype == dtype
    expected = VOLUME.transpose(2, 1, 0) * slope + inter
    np.testing.assert_allclose(picture.pixels, expected)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("highest", [1, 2, 3, 7, 40])
def test_labels_that_were_stretched_over_whole_numbers(tmp_path, kind, highest):
    drawn = RNG.integers(0, highest + 1, VOLUME.shape)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(kind)
    image = nibabel.Nifti1Image(drawn.astype(float), np.eye(4), header)
    nibabel.save(image, tmp_path / "m.nii.gz")
    for value in range(1, highest + 1):
        mask = read_mask(tmp_path / "m.nii.gz", value)
        np.testing.assert_array_equal(mask.T, drawn == value)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz").T, drawn != 0)


def test_what_is_between_labels_stays_there(tmp_path):
    likely = np.linspace(0, 1, 256).reshape(4, 8, 8)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(likely, np.eye(4), header), tmp_path / "p.nii")
    assert read_mask(tmp_path / "p.nii").sum() == 255


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((4, 5), (1, 5, 4)), ((4, 5, 6, 1), (6, 5, 4)), ((4, 5, 6, 1, 1), (6, 5, 4))],
)
def test_axes_of_length_one(tmp_path, shape, expected):
    save(tmp_path / "v.nii", np.ones(shape, np.uint8), np.eye(4))
    assert read_image(tmp_path / "v.nii").pixels.shape == expected


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("scale", [(1, 0), (2, 3), (0.5, 0)])
def test_a_volume_of_a_series_is_chosen(tmp_path, suffix, scale):
    path = tmp_path / f"t{suffix}"
    values = np.arange(4 * 5 * 6 * 3, dtype=np.int16).reshape(4, 5, 6, 3)
    image = nibabel.Nifti1Image(values, np.eye(4))
    image.header.set_slope_inter(*scale)
    nibabel.save(image, path)
    with pytest.raises(BadInputError, match=r"3 volumes; say which.*#volume=0"):
        read_image(path)
    with pytest.raises(BadInputError, match="no volume '3'"):
        read_image(f"{path}#volume=3")
    expected = np.asarray(nibabel.load(path).dataobj)
    for number in range(3):
        picture = read_image(f"{path}#volume={number}")
        np.testing.assert_allclose(picture.pixels, expected[..., number].T)
        assert picture.name == f"t{suffix} volume={number}"
    together = read_image(f"{path}#channels")
    assert together.axes == "czyx"
    np.testing.assert_allclose(together.pixels, expected.T)


def test_colours_are_refused(tmp_path):
    colours = np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    save(tmp_path / "c.nii", colours, np.eye(4))
    with pytest.raises(BadInputError, match="stores values of type"):
        read_image(tmp_path / "c.nii")


def test_what_is_not_finite_becomes_zero(tmp_path):
    values = np.array([1.5, np.nan, np.inf, -np.inf, 1e300, 2.0]).reshape(1, 2, 3)
    save(tmp_path / "v.nii", values, np.eye(4))
    pixels = read_image(tmp_path / "v.nii").pixels
    assert pixels.dtype == np.float32
    assert sorted(pixels.ravel().tolist()) == [0, 0, 0, 0, 1.5, 2.0]


def lying_header(shape) -> bytes:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    header["magic"], header["vox_offset"] = b"n+1", 352
    return header.binaryblock + b"\0" * 1000


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("v.nii", (2000, 2000, 2000), r"GiB decoded, more than the limit"),
        ("v.nii.gz", (2000, 2000, 2000), r"GiB decoded, more than the limit"),
        ("v.nii", (300, 300, 300), r"claims 54,000,000 bytes.*cut off"),
        ("v.nii.gz", (300, 300, 300), r"claims 54,000,000 bytes.*cut off"),
    ],
)
def test_a_header_that_claims_too_much_is_refused(tmp_path, name, shape, message):
    raw = lying_header(shape)
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    with pytest.raises(BadInputError, match=message):
        read_image(tmp_path / name)


def test_a_cut_off_volume_is_refused(tmp_path):
    save(tmp_path / "v.nii", VOLUME, np.eye(4))
    raw = (tmp_path / "v.nii").read_bytes()
    (tmp_path / "v.nii").write_bytes(raw[:-1])
    with pytest.raises(BadInputError, match="cut off"):
        read_image(tmp_path / "v.nii")


def test_a_singular_matrix_is_refused(tmp_path):
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 2] = affine[:3, 1]
    image = nibabel.Nifti1Image(VOLUME, np.eye(4))
    image.header.set_sform(affine, code=1)
    nibabel.save(image, tmp_path / "v.nii")
    raw = bytearray((tmp_path / "v.nii").read_bytes())
    raw[280:328] = affine[:3].astype("<f4").tobytes()
    (tmp_path / "v.nii").write_bytes(raw)
    with pytest.raises(BadInputError, match=r"v\.nii.*matrix"):
        read_image(tmp_path / "v.nii")


@pytest.mark.parametrize("stored", CODES)
@pytest.mark.parametrize("image_codes", CODES)
def test_a_mask_is_turned_to_lie_as_its_image(tmp_path, stored, image_codes):
    """The world position of each voxel decides, however both files are stored."""

    def stored_as(data, codes):
        image = nibabel.Nifti1Image(data, affine_for("RAS"))
        ornt = nibabel.orientations.ornt_transform(
            nibabel.orientations.axcodes2ornt("RAS"),
            nibabel.orientations.axcodes2ornt(tuple(codes)),
        )
        return image.as_reoriented(ornt)

    nibabel.save(stored_as(VOLUME, image_codes), tmp_path / "image.nii")
    labels = (VOLUME > 500).astype(np.uint8) * 3
    nibabel.save(stored_as(labels, stored), tmp_path / "mask.nii")
    picture = read_image(tmp_path / "image.nii")
    mask = read_mask(tmp_path / "mask.nii", 3, like=picture)
    np.testing.assert_array_equal(mask, picture.pixels > 500)


def test_a_mask_of_another_size_is_refused(tmp_path):
    save(tmp_path / "image.nii", VOLUME, np.eye(4))
    save(tmp_path / "mask.nii", VOLUME[:, :, :3], np.eye(4))
    with pytest.raises(BadInputError, match=r"mask\.nii.*\(3, 5, 4\).*\(6, 5, 4\)"):
        read_mask(tmp_path / "mask.nii", like=read_image(tmp_path / "image.nii"))


def test_a_voxel_without_size_is_mended_without_a_word_in_between(tmp_path, caplog):
    header = nibabel.Nifti1Header()
    header.set_data_shape((3, 4, 5))
    header.set_data_dtype(np.uint8)
    raw = bytearray(header.binaryblock)
    raw[80:92] = bytes(12)  # pixdim[1] to [3]
    (tmp_path / "a.nii").write_bytes(bytes(raw) + bytes(4 + 60))
    assert read_image(tmp_path / "a.nii").pixels.shape == (5, 4, 3)
    assert caplog.records == []
