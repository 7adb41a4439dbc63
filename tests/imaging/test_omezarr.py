"""OME-Zarr 0.4 and 0.5: axes, spacing, labels, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from src_core.errors import BadInputError
from src_core.imaging import read_image, read_mask

VOLUME = np.random.default_rng(1).integers(0, 999, (3, 4, 5), dtype=np.uint16)


def write(path, data, axes, version="0.5", steps=(), unit="micrometer", more=None):
    scale = {
        "axes": [
            {"name": a, "type": "space" if a in "zyx" else "channel"}
            | ({"unit": unit} if unit and a in "zyx" else {})
            for a in axes
        ],
        "datasets": [{"path": "0", "coordinateTransformations": list(steps)}],
        "version": version,
    } | (more or {})
    about = {"multiscales": [scale]}
    group = zarr.create_group(
        str(path),
        zarr_format=3 if version == "0.5" else 2,
        attributes={"ome": about | {"version": "0.5"}} if version == "0.5" else about,
    )
    group.create_array("0", data=data, chunks=data.shape)
    return group


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("axes", "shape", "kept"),
    [
        ("yx", (6, 10), "yx"),
        ("zyx", (3, 4, 5), "zyx"),
        ("cyx", (2, 5, 6), "cyx"),
        ("cyx", (1, 6, 10), "yx"),
        ("tczyx", (1, 1, 3, 4, 5), "zyx"),
        ("tczyx", (1, 3, 1, 4, 5), "czyx"),
    ],
)
def test_axes(tmp_path, version, axes, shape, kept):
    data = np.arange(np.prod(shape), dtype=">u2").reshape(shape)
    write(tmp_path / "a.zarr", data, axes, version)
    picture = read_image(tmp_path / "a.zarr")
    assert picture.axes == kept
    np.testing.assert_array_equal(picture.pixels.ravel(), data.ravel())
    assert picture.pixels.dtype == np.uint16
    assert picture.pixels.dtype.isnative


@pytest.mark.parametrize(
    ("unit", "steps", "more", "spacing", "origin", "told"),
    [
        (
            "nanometer",
            [{"type": "scale", "scale": [50, 4, 5]}],
            {},
            (0.05, 0.004, 0.005),
            (0, 0, 0),
            "micrometer",
        ),
        (
            "millimeter",
            [
                {"type": "scale", "scale": [2, 1, 1]},
                {"type": "translation", "translation": [5, 6, 7]},
            ],
            {
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1, 0.5, 0.5]},
                ]
            },
            (2, 0.5, 0.5),
            (5, 3, 3.5),
            "millimeter",
        ),
        (
            "",
            [{"type": "scale", "scale": [3, 2, 2]}],
            {},
            (3, 2, 2),
            (0, 0, 0),
            "pixel",
        ),
    ],
)
def test_place(tmp_path, unit, steps, more, spacing, origin, told):
    write(tmp_path / "a.zarr", VOLUME, "zyx", steps=steps, unit=unit, more=more)
    picture = read_image(tmp_path / "a.zarr")
    assert picture.spacing == pytest.approx(spacing)
    assert picture.origin == pytest.approx(origin)
    assert picture.unit == told


def add_label(path, name, data):
    about = {"image-label": {}, "version": "0.5"}
    write(path / "labels" / name, data, "zyx")
    label = zarr.open_group(str(path / "labels" / name), mode="a")
    label.attrs["ome"] = dict(label.attrs["ome"]) | about


def test_labels(tmp_path):
    path = tmp_path / "a.zarr"
    group = write(path, VOLUME, "zyx")
    group.create_group("labels")
    add_label(path, "liver", (VOLUME > 500).astype(np.uint8))
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, VOLUME)
    np.testing.assert_array_equal(read_mask(path, like=picture), VOLUME > 500)
    add_label(path, "spleen", (VOLUME < 100).astype(np.uint8))
    with pytest.raises(BadInputError, match="liver, spleen"):
        read_mask(path)
    mask = read_mask(path / "labels" / "spleen", 1, like=picture)
    np.testing.assert_array_equal(mask, VOLUME < 100)


def test_a_claim_beyond_the_limit_is_refused_before_memory_is_taken(tmp_path):
    group = write(tmp_path / "a.zarr", VOLUME, "zyx")
    del group["0"]
    group.create_array("0", shape=(9000, 9000, 90), chunks=(512, 512, 1), dtype="u2")
    with pytest.raises(BadInputError, match="GiB decoded"):
        read_image(tmp_path / "a.zarr")


def spoil_attributes(**changes):
    def spoil(path):
        group = zarr.open_group(str(path), mode="a")
        about = dict(group.attrs["ome"])
        about["multiscales"][0].update(changes)
        group.attrs["ome"] = about

    return spoil


def forget(path):
    zarr.open_group(str(path), mode="a").attrs["ome"] = {}


BAD = [
    ("no image", forget, "no 'multiscales'"),
    ("no array", spoil_attributes(datasets=[{"path": "7"}]), "'7' that is not there"),
    ("axes", spoil_attributes(axes=[{"name": "y"}, {"name": "x"}]), "2 axes"),
    ("order", spoil_attributes(axes=[{"name": a} for a in "xyz"]), "axes xyz"),
    ("datasets", spoil_attributes(datasets=[]), "could not be read as OME-Zarr"),
    (
        "scale",
        spoil_attributes(
            datasets=[
                {
                    "path": "0",
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [0, 1, 1]}
                    ],
                }
            ]
        ),
        "voxel size",
    ),
    (
        "rotation",
        spoil_attributes(coordinateTransformations=[{"type": "rotation"}]),
        "transformation",
    ),
]


@pytest.mark.parametrize(("name", "spoil", "message"), BAD, ids=[b[0] for b in BAD])
def test_refused(tmp_path, name, spoil, message):
    write(tmp_path / "a.zarr", VOLUME, "zyx")
    spoil(tmp_path / "a.zarr")
    with pytest.raises(BadInputError, match=message) as caught:
        read_image(tmp_path / "a.zarr")
    assert "a.zarr" in str(caught.value)


def test_a_frame_of_a_film_is_chosen(tmp_path):
    write(tmp_path / "a.zarr", VOLUME, "tyx")
    with pytest.raises(BadInputError, match=f"{len(VOLUME)} frames; say which"):
        read_image(tmp_path / "a.zarr")
    picture = read_image(f"{tmp_path / 'a.zarr'}#frame=2")
    assert picture.axes == "yx"
    np.testing.assert_array_equal(picture.pixels, VOLUME[2])
