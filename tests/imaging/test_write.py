"""Masks on the way out, read back by other libraries."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from skimage.draw import polygon2mask

from src_core.errors import BadInputError
from src_core.imaging import (
    EXPORTERS,
    ExportItem,
    Picture,
    export,
    read_image,
    read_mask,
    write_mask,
)
from src_core.imaging.coco import pieces, run_lengths
from src_core.imaging.names import Names
from src_core.types import Image as ImageRecord

nibabel = pytest.importorskip("nibabel")

RNG = np.random.default_rng(8)
FLAT = RNG.random((6, 9)) > 0.5
VOLUME = RNG.random((4, 6, 9)) > 0.5


def picture(mask, orientation="", unit="millimeter", channels=0, name="film.png"):
    shape = (channels, *mask.shape) if channels else mask.shape
    return Picture(
        pixels=RNG.integers(0, 255, shape, dtype=np.uint8),
        axes="c" * bool(channels) + "zyx"[-mask.ndim :],
        spacing=(3.0, 2.0, 0.5)[-mask.ndim :],
        unit=unit,
        origin=(30.0, -20.0, 10.0)[-mask.ndim :],
        orientation=orientation,
        name=name,
    )


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_png_is_black_and_white(tmp_path, kind):
    write_mask(tmp_path / "new" / "m.png", FLAT.astype(kind))
    stored = np.asarray(Image.open(tmp_path / "new" / "m.png"))
    np.testing.assert_array_equal(stored, FLAT * 255)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["m.png"]


@pytest.mark.parametrize("letters", ["SAR", "SPL", "SAL", "RIP", "LSA"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_lies_where_the_image_lies(tmp_path, letters, suffix):
    like = picture(VOLUME, letters)
    path = tmp_path / f"m{suffix}"
    write_mask(path, VOLUME, like=like)
    back = nibabel.load(path)
    assert "".join(nibabel.aff2axcodes(back.affine)) == letters[::-1]
    np.testing.assert_array_equal(np.asarray(back.dataobj), VOLUME.transpose(2, 1, 0))
    assert back.header.get_zooms() == pytest.approx((0.5, 2.0, 3.0))
    assert back.header.get_xyzt_units()[0] == "mm"
    again = read_image(path)
    assert again.origin == pytest.approx(like.origin)
    assert again.orientation == letters


def test_nifti_of_a_nifti_has_the_same_matrix(tmp_path):
    affine = np.array(
        [[-0.7, 0.1, 0, 3], [0.1, 0.9, 0.2, 4], [0, 0.1, 2, 5], [0, 0, 0, 1]]
    )
    u, _, v = np.linalg.svd(affine[:3, :3])
    affine[:3, :3] = u @ v * (0.7, 0.9, 2.0)
    source = nibabel.Nifti1Image(VOLUME.transpose(2, 1, 0).astype(np.int16), affine)
    nibabel.save(source, tmp_path / "image.nii.gz")
    write_mask(
        tmp_path / "m.nii.gz", VOLUME, like=read_image(tmp_path / "image.nii.gz")
    )
    back = nibabel.load(tmp_path / "m.nii.gz")
    np.testing.assert_allclose(back.affine, source.affine, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(back.dataobj), source.dataobj)


def test_an_image_of_a_project_says_where_its_mask_lies(tmp_path):
    like = ImageRecord(
        id="a",
        name="a",
        sha256="",
        axes="zyx",
        shape=VOLUME.shape,
        dtype="uint8",
        spacing=(3.0, 2.0, 0.5),
        unit="millimeter",
        origin=(1.0, 2.0, 3.0),
        orientation="SPL",
    )
    write_mask(tmp_path / "m.nii", VOLUME, like=like)
    affine = nibabel.load(tmp_path / "m.nii").affine
    np.testing.assert_allclose(
        affine, [[-0.5, 0, 0, -3], [0, -2, 0, -2], [0, 0, 3, 1], [0, 0, 0, 1]]
    )


def test_spacing_alone_leaves_left_and_right_unknown(tmp_path):
    write_mask(tmp_path / "m.nii.gz", FLAT, spacing=(0.5, 0.25))
    back = read_image(tmp_path / "m.nii.gz")
    assert back.pixels.shape == (1, 6, 9)
    assert back.spacing == pytest.approx((1.0, 0.5, 0.25))
    assert back.orientation == ""
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nii.gz")[0], FLAT)


@pytest.mark.parametrize(
    ("name", "mask", "message"),
    [
        ("m.png", VOLUME, "PNG holds one slice"),
        ("m.jpg", FLAT, r"end the name in \.png or"),
        ("m.png", FLAT[0], r"shape \(9,\)"),
    ],
)
def test_refused(tmp_path, name, mask, message):
    with pytest.raises(BadInputError, match=message):
        write_mask(tmp_path / name, mask)
    assert list(tmp_path.iterdir()) == []


def items(mask=FLAT, **options):
    masks = {"left lung": mask.astype(np.uint8), "lung/opacity": np.zeros_like(mask)}
    return [
        ExportItem("film", picture(mask, **options), masks),
        ExportItem("Film", picture(mask, **options), {"left lung": ~mask}),
        ExportItem("plain", picture(mask, **options), {}),
    ]


def decoded(kind, out):
    """Image to target to mask, as far as other libraries see them."""
    if kind in ("png", "nifti"):
        found = {}
        for path in out.glob("*/*"):
            if path.name.startswith("labels."):
                continue
            target = path.name.removesuffix(".png").removesuffix(".nii.gz")
            data = (
                np.asarray(Image.open(path))
                if kind == "png"
                else np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)[0]
            )
            found[path.parent.name, target] = data > 0
        return found
    found = {}
    for path in out.glob("*.ome.zarr"):
        group = zarr.open_group(str(path), mode="r")
        labels = group["labels"].groups() if "labels" in group else ()
        for name, label in labels:
            found[path.name.removesuffix(".ome.zarr"), name] = label["0"][...] > 0
    return found


@pytest.mark.parametrize("kind", ["png", "nifti", "ome-zarr"])
def test_exported_masks_come_back(tmp_path, kind):
    written = export(kind, items(), tmp_path / "out")
    assert all(path.exists() for path in written)
    found = decoded(kind, tmp_path / "out")
    assert set(found) == {
        ("film", "left lung"),
        ("film", "lung_opacity"),
        ("Film 2", "left lung"),
    }
    np.testing.assert_array_equal(found["film", "left lung"], FLAT)
    np.testing.assert_array_equal(found["Film 2", "left lung"], ~FLAT)
    assert not found["film", "lung_opacity"].any()


@pytest.mark.parametrize("mask", [FLAT, VOLUME], ids=["flat", "volume"])
@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("unit", ["millimeter", "pixel"])
def test_ome_zarr_holds_the_image_and_where_it_lies(tmp_path, mask, channels, unit):
    item = ExportItem("v", picture(mask, "", unit, channels), {"nucleus": mask})
    (path,) = export("ome-zarr", [item], tmp_path)
    back = read_image(path)
    np.testing.assert_array_equal(back.pixels, item.picture.pixels)
    for name in ("axes", "spacing", "unit", "origin"):
        assert getattr(back, name) == getattr(item.picture, name)
    np.testing.assert_array_equal(read_mask(path, like=back), mask)
    group = zarr.open_group(str(path), mode="r")
    assert group.metadata.zarr_format == 3
    assert group.attrs["ome"]["version"] == "0.5"
    assert group["labels"].attrs["ome"]["labels"] == ["nucleus"]
    assert group["0"].metadata.dimension_names == tuple(item.picture.axes)
    with pytest.raises(BadInputError, match="there already"):
        export("ome-zarr", [item], tmp_path)


def test_ome_zarr_follows_the_specification(tmp_path):
    models = pytest.importorskip("ome_zarr_models.v05")
    item = ExportItem("v", picture(VOLUME, channels=3), {"nucleus": VOLUME})
    (path,) = export("ome-zarr", [item], tmp_path)
    group = zarr.open_group(str(path), mode="r")
    image = models.Image.from_zarr(group).ome_attributes.multiscales[0]
    assert [axis.name for axis in image.axes] == ["c", "z", "y", "x"]
    label = models.ImageLabel.from_zarr(group["labels/nucleus"])
    assert label.ome_attributes.image_label.source.image == "../../"


def from_runs(shape) -> np.ndarray:
    flat, value = [], 0
    for count in shape["counts"]:
        flat += [value] * count
        value = 1 - value
    return np.array(flat, bool).reshape(shape["size"], order="F")


def from_coco(shape, size) -> np.ndarray:
    if isinstance(shape, dict):
        return from_runs(shape)
    mask = np.zeros(size, bool)
    for outline in shape:
        points = np.array(outline).reshape(-1, 2)[:, ::-1] - 0.5
        mask |= polygon2mask(size, points)
    return mask


@given(mask=arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_run_lengths_are_exact(mask):
    np.testing.assert_array_equal(from_runs(run_lengths(mask)), mask)


@settings(max_examples=60, deadline=None)
@given(mask=arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_pieces_add_up_to_the_mask(mask):
    found = pieces(mask)
    whole = np.zeros(mask.shape, bool)
    for piece in found:
        part = from_coco(piece["segmentation"], mask.shape)
        left, top, width, height = piece["bbox"]
        rows, columns = np.nonzero(part)
        assert (rows.min(), columns.min()) == (top, left)
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (height, width)
        assert part.sum() == piece["area"]
        assert not (whole & part).any()
        whole |= part
    np.testing.assert_array_equal(whole, mask)


def test_coco(tmp_path):
    mask = np.zeros((20, 30), np.uint8)
    mask[2:8, 3:9] = 1
    mask[10:19, 12:25] = 1
    mask[13:15, 15:18] = 0  # a hole
    empty = np.zeros_like(mask)
    (path,) = export(
        "coco",
        [
            ExportItem("a", picture(mask, name="a.png"), {"gland": mask}),
            ExportItem(
                "b", picture(mask, name="b.png"), {"heart": mask, "gland": empty}
            ),
        ],
        tmp_path,
    )
    content = json.loads(path.read_text())
    assert [(i["file_name"], i["width"], i["absent"]) for i in content["images"]] == [
        ("a.png", 30, []),
        ("b.png", 30, ["gland"]),
    ]
    assert content["categories"] == [
        {"id": 1, "name": "gland"},
        {"id": 2, "name": "heart"},
    ]
    found = [
        (a["id"], a["image_id"], a["category_id"], a["area"], a["bbox"])
        for a in content["annotations"]
    ]
    assert found == [
        (1, 1, 1, 36, [3, 2, 6, 6]),
        (2, 1, 1, 111, [12, 10, 13, 9]),
        (3, 2, 2, 36, [3, 2, 6, 6]),
        (4, 2, 2, 111, [12, 10, 13, 9]),
    ]
    kinds = [type(a["segmentation"]) for a in content["annotations"]]
    assert kinds == [list, dict, list, dict]


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_pycocotools_reads_the_same_pixels(tmp_path):
    tools = pytest.importorskip("pycocotools.coco")
    mask = RNG.random((40, 50)) > 0.6
    item = ExportItem("a", picture(mask), {"gland": mask})
    (path,) = export("coco", [item], tmp_path)
    coco = tools.COCO(str(path))
    whole = np.zeros(mask.shape, bool)
    for annotation in coco.loadAnns(coco.getAnnIds()):
        whole |= coco.annToMask(annotation) > 0
    np.testing.assert_array_equal(whole, mask)


def test_coco_refuses_volumes(tmp_path):
    with pytest.raises(BadInputError, match="is a volume"):
        export("coco", items(VOLUME), tmp_path)


def test_an_unknown_format_names_those_there_are(tmp_path):
    with pytest.raises(BadInputError, match=", ".join(EXPORTERS)):
        export("docx", [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.lists(st.text(max_size=12), max_size=8))
def test_file_names_are_safe_and_never_shared(texts):
    names = Names()
    given_ = [names.new(text) for text in texts]
    assert len({name.lower() for name in given_}) == len(texts)
    for name in given_:
        assert name.strip(". ")
        assert not set(name) & set('/\\:*?"<>|\0\n')


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_takes_little_more_memory_than_its_mask(tmp_path, suffix):
    mask = RNG.random((60, 128, 128)) > 0.5
    write_mask(tmp_path / f"first{suffix}", mask[:1])  # what is imported on the way
    tracemalloc.start()
    try:
        write_mask(tmp_path / f"mask{suffix}", mask)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * mask.nbytes


def item():
    return ExportItem("case.png", picture(FLAT), {"heart": FLAT})


FOREIGN = [
    ("png", "labels.json", '{"heart": 7}'),
    ("png", "labels.json", "[1, 2]"),
    ("png", "labels.json", "no JSON"),
    ("png", "case.png", "an image of that name"),
    ("nifti", "case.png", "an image of that name"),
    ("coco", "annotations.json", '{"images": [{"id": 1}], "annotations": []}'),
    ("coco", "annotations.json", "[]"),
    ("table", "measurements.csv", "image,mine"),
]


@pytest.mark.parametrize(("kind", "name", "content"), FOREIGN)
def test_nothing_is_written_over_what_is_of_no_export(tmp_path, kind, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInputError, match=r"is there already.*new folder"):
        export(kind, [item()], tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        name: content
    }


@pytest.mark.parametrize("kind", ["png", "nifti", "coco", "table"])
def test_an_earlier_export_is_written_anew(tmp_path, kind):
    first = export(kind, [item()], tmp_path)
    again = ExportItem("case.png", picture(FLAT), {"heart": 1 - FLAT})
    assert export(kind, [again], tmp_path) == first
    if kind == "png":
        mask = read_mask(tmp_path / "case.png" / "heart.png")
        np.testing.assert_array_equal(mask, 1 - FLAT)


@pytest.mark.parametrize("kind", ["png", "nifti"])
def test_exported_again_targets_keep_their_numbers(tmp_path, kind):
    top, bottom = np.zeros((2, 6, 8), np.uint8)
    top[:3], bottom[3:] = 1, 1

    def write(**masks):
        export(kind, [ExportItem("case.png", picture(FLAT), masks)], tmp_path)
        return json.loads((tmp_path / "labels.json").read_text())

    first = write(liver=top, aorta=bottom)
    maps = list(tmp_path.glob("case*/labels.*"))
    assert len(maps) == 1
    assert write(aorta=bottom, liver=top) == first
    # What a label map cannot hold leaves no older one of other masks behind.
    assert write(aorta=bottom, liver=top | bottom) == first
    assert not maps[0].exists()
    assert write(spleen=top) == {**first, "spleen": 3}
