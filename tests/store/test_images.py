"""What a project keeps of an image, and gives back."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from src_core.errors import BadInputError, NotFoundError
from src_core.store import Project
from src_core.types import Split

PIXELS = [
    ("yx", np.uint8, (5, 7)),
    ("yx", np.bool_, (5, 7)),
    ("cyx", np.uint16, (3, 5, 7)),
    ("zyx", np.int16, (4, 5, 7)),
    ("zyx", np.float32, (4, 5, 7)),
    ("czyx", np.float64, (2, 4, 5, 7)),
    ("yx", ">i2", (5, 7)),
]


@pytest.mark.parametrize(("axes", "dtype", "shape"), PIXELS)
def test_pixels_come_back_as_they_were(project, axes, dtype, shape):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 2 if dtype == np.bool_ else 200, shape).astype(dtype)
    image, new = project.add_image(pixels, name="a.png", axes=axes)
    stored = project.pixels(image)
    assert new
    assert (image.axes, image.shape) == (axes, shape)
    assert stored.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(stored[...], pixels)
    with pytest.raises(ValueError, match="read-only"):
        stored[...] = 0


def test_a_record_keeps_all_that_was_said(project, volume):
    with Project.open(project.path) as reader:
        found = reader.image("Volume")
    assert found == volume
    assert found.spacing == (5.0, 0.7, 0.7)
    assert found.origin == (-10.0, 3.0, 4.5)
    assert (found.unit, found.orientation) == ("millimeter", "SPL")
    assert found.split is Split.TRAIN
    assert found.spatial_shape == (6, 40, 30)


def test_images_are_ome_zarr_05(project, volume):
    group = zarr.open_group(project.path / f"images/{volume.id}.ome.zarr", mode="r")
    ome = group.attrs["ome"]
    scale, translation = ome["multiscales"][0]["datasets"][0][
        "coordinateTransformations"
    ]
    assert ome["version"] == "0.5"
    assert [axis["name"] for axis in ome["multiscales"][0]["axes"]] == ["z", "y", "x"]
    assert {axis["unit"] for axis in ome["multiscales"][0]["axes"]} == {"millimeter"}
    assert scale == {"type": "scale", "scale": [5.0, 0.7, 0.7]}
    assert translation["translation"] == [-10.0, 3.0, 4.5]
    assert group["0"].shape == (6, 40, 30)


CHUNKS = [
    ("yx", (300, 200), 1, (300, 200)),
    ("cyx", (3, 300, 200), 2, (3, 300, 200)),
    ("zyx", (100, 512, 512), 2, (8, 512, 512)),
    ("zyx", (3, 64, 64), 2, (3, 64, 64)),
    ("yx", (20_000, 20_000), 1, (2048, 2048)),
]


@pytest.mark.parametrize(("axes", "shape", "itemsize", "chunk"), CHUNKS)
def test_one_chunk_for_a_plane_and_slabs_for_a_volume(axes, shape, itemsize, chunk):
    from src_core.store.images import chunk_shape

    assert chunk_shape(shape, axes, itemsize) == chunk


def test_the_same_pixels_are_imported_once(project, image):
    pixels = project.pixels(image)[...]
    again, new = project.add_image(pixels, name="other name", axes="yx")
    assert (again, new) == (image, False)
    other, new = project.add_image(pixels.T.copy(), name="Case 1", axes="yx")
    assert new
    assert other.id == f"case-1-{other.id[-8:]}"
    # the same bytes of another type are other pixels
    assert project.add_image(pixels.view(np.int16), name="i", axes="yx")[1]
    assert len(project.images()) == 3


REFUSED_IMAGES = [
    ({"axes": "xy"}, "order"),
    ({"axes": "zx"}, "y and x"),
    ({"axes": "zyx"}, "shape"),
    ({"axes": "yyx"}, "order"),
    ({"spacing": (1.0,)}, "2 positive spacings"),
    ({"spacing": (1.0, 0.0)}, "positive"),
    ({"spacing": (1.0, float("nan"))}, "positive"),
    ({"origin": (1.0,)}, "2 origins"),
    ({"unit": "parsec"}, "parsec"),
    ({"name": " \n"}, "empty"),
    ({"name": "x" * 3000}, "2000"),
]


@pytest.mark.parametrize(("said", "message"), REFUSED_IMAGES)
def test_an_image_that_cannot_be_is_refused(project, said, message):
    given = {"name": "a", "axes": "yx", **said}
    with pytest.raises(BadInputError, match=message):
        project.add_image(np.zeros((4, 4), np.uint8), **given)
    assert project.images() == []
    assert not list((project.path / "images").iterdir())


@pytest.mark.parametrize("dtype", [object, complex, "datetime64[s]", "U3", "V4"])
def test_only_numbers_are_pixels(project, dtype):
    with pytest.raises(BadInputError, match="convert them"):
        project.add_image(np.zeros((4, 4), dtype), name="a", axes="yx")


NAMES = [
    ("Fall 01.nii.gz", "fall-01.nii.gz"),
    ("../../etc/passwd", "etc-passwd"),
    ("Müller", "muller"),
    ("zarr.json", None),
    ("con", None),
    ("com1.png", None),
    ("左肺", None),
    ("...", None),
    ("__x__", "x"),
    ("a" * 300, "a" * 80),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_identifiers_are_safe_file_names(project, name, expected):
    image, _ = project.add_image(np.ones((4, 4), np.uint8), name=name, axes="yx")
    assert image.name == name
    if expected is not None:
        assert image.id == expected
    assert (project.path / "images" / f"{image.id}.ome.zarr" / "0").is_dir()
    assert project.image(image.id) == image
    assert project.image(name) == image
    assert project.verify() == []


def test_images_are_read_in_one_query_and_only_what_changed_again(project):
    for n in range(20):
        pixels = np.full((4, 5), n, np.uint8)
        project.add_image(pixels, name=f"i{n:02d}", axes="yx", spacing=(0.5, 2.0))
    with Project.open(project.path) as other:
        asked: list[str] = []

        def trace(_cursor, sql, _values):
            asked.extend([sql] if "FROM entry" in sql else [])
            return True

        other.ledger.database.connection.exec_trace = trace
        images = other.images()
        assert [image.id for image in images] == [f"i{n:02d}" for n in range(20)]
        assert len(asked) <= 2  # a page, and that there is no other
        # What they have in common is held once.
        assert len({id(image.spacing) for image in images}) == 1
        assert images[3].spacing == (0.5, 2.0)
        images.clear()
        project.update_image("i03", caption="a heart")
        asked.clear()
        assert [i.caption for i in other.images()] == [
            "a heart" * (n == 3) for n in range(20)
        ]
        assert len(asked) == 1


def test_an_unknown_image_suggests_a_known_one(project, image):
    with pytest.raises(NotFoundError, match="did you mean 'Case 1'"):
        project.image("Case 11")


def test_two_images_of_one_name_are_told_apart(project):
    for value in (1, 2):
        pixels = np.full((4, 4), value, np.uint8)
        project.add_image(pixels, name="Scan A", axes="yx")
    with pytest.raises(BadInputError, match="2 images are called 'Scan A'"):
        project.image("Scan A")
    assert project.image("scan-a").name == "Scan A"
