"""Masks from COCO files, with pycocotools as the judge of what they mean."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from src_core.errors import BadInputError
from src_core.exchange import IntakeOptions, add_files, export_project, import_any
from src_core.imaging.coco import pieces
from src_core.imaging.coco_read import draw
from src_core.store import Project
from src_core.types import MaskStatus

ONE = IntakeOptions(workers=1)
SHAPE = (20, 30)
SQUARE = [[4, 3, 12, 3, 12, 9, 4, 9]]


def content(images=1, annotations=(), categories=("cell", "nucleus")):
    return {
        "images": [
            {"id": n, "file_name": f"{n}.png", "height": SHAPE[0], "width": SHAPE[1]}
            for n in range(1, images + 1)
        ],
        "categories": [{"id": n, "name": c} for n, c in enumerate(categories, 1)],
        "annotations": [
            {"id": n, "image_id": image, "category_id": category, "segmentation": drawn}
            for n, (image, category, drawn) in enumerate(annotations, 1)
        ],
    }


def write(folder, about, pictures=1):
    folder.mkdir(exist_ok=True)
    for n in range(1, pictures + 1):
        pixels = np.full(SHAPE, n * 20, np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
    path = folder / "annotations.json"
    path.write_text(json.dumps(about))
    return path


MASKS = arrays(np.uint8, SHAPE, elements=st.integers(0, 1))


@settings(deadline=None, max_examples=40)
@given(MASKS)
def test_what_we_write_is_read_back_to_the_pixel(mask):
    found = [piece["segmentation"] for piece in pieces(mask)]
    np.testing.assert_array_equal(draw(found, SHAPE), mask)


@settings(deadline=None, max_examples=40)
@given(MASKS)
def test_run_lengths_of_pycocotools_in_both_forms(mask):
    judge = pytest.importorskip("pycocotools.mask")
    packed = judge.encode(np.asfortranarray(mask))
    packed["counts"] = packed["counts"].decode()
    np.testing.assert_array_equal(draw([packed], SHAPE), mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(deadline=None, max_examples=40)
@given(st.integers(3, 9), st.integers(0, 2**32 - 1))
def test_polygons_mean_what_pycocotools_takes_them_for(corners, seed):
    judge = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, corners))
    x = 15 + rng.uniform(5, 14) * np.cos(turn)
    y = 10 + rng.uniform(4, 9) * np.sin(turn)
    points = np.stack([x, y], 1).ravel().tolist()
    theirs = judge.decode(judge.frPyObjects([points], *SHAPE))[..., 0]
    ours = draw([[points]], SHAPE)
    edge = 2 * np.hypot(np.diff(x, append=x[0]), np.diff(y, append=y[0])).sum()
    assert (ours != theirs).sum() <= max(2, edge / 4)  # along the outline only


def test_pictures_and_masks_are_taken_in(project, tmp_path):
    about = content(
        2, [(1, 1, SQUARE), (1, 2, SQUARE), (1, 1, [[20, 2, 24, 2, 24, 8]])]
    )
    done = import_any(project, write(tmp_path / "in", about, 2), who="ada", options=ONE)
    assert (done.added, done.masks, done.failed) == (2, 3 - 1, [])
    first, second = sorted(project.images(), key=lambda image: image.name)
    cell, nucleus = project.target("cell"), project.target("nucleus")
    square = np.zeros(SHAPE, np.uint8)
    square[3:9, 4:12] = 1
    np.testing.assert_array_equal(project.mask(first.id, nucleus.id).read(), square)
    drawn = project.mask(first.id, cell.id).read()
    assert (drawn >= square).all()
    assert drawn.sum() > square.sum()
    # of the second nothing is said, and that is no background
    assert project.mask(second.id, cell.id) is None


def test_again_changes_nothing(project, tmp_path):
    path = write(tmp_path / "in", content(1, [(1, 1, SQUARE)]))
    import_any(project, path, who="ada", options=ONE)
    again = import_any(project, path, who="ada", options=ONE)
    assert (again.added, again.known, again.masks, again.failed) == (0, 1, 0, [])


def test_what_left_the_project_comes_back(project, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "scan.png")
    add_files(project, [tmp_path / "scan.png"], who="ada", options=ONE)
    (image,) = project.images()
    ring = np.zeros(SHAPE, np.uint8)
    ring[3:15, 4:20] = 1
    ring[6:10, 8:12] = 0
    for name, mask in {"ring": ring, "nothing": ring * 0}.items():
        status = MaskStatus.DONE if mask.any() else MaskStatus.EMPTY
        target = project.add_target(name)
        project.save_mask(image.id, target.id, mask, status=status)
    (path,) = export_project(project, tmp_path / "out", "coco")
    with Project.create(tmp_path / "other", who="ada") as other:
        add_files(other, [tmp_path / "scan.png"], who="ada", options=ONE)
        done = import_any(other, path, who="ada", options=ONE)
        assert (done.known, done.masks, done.failed) == (1, 2, [])
        (same,) = other.images()
        back = other.mask(same.id, other.target("ring").id)
        np.testing.assert_array_equal(back.read(), ring)
        absent = other.mask(same.id, other.target("nothing").id)
        assert absent.status is MaskStatus.EMPTY


def test_a_picture_that_is_nowhere_is_named(project, tmp_path):
    path = write(tmp_path / "in", content(2, [(2, 1, SQUARE)]), pictures=1)
    done = import_any(project, path, who="ada", options=ONE)
    assert done.added == 1
    [(what, reason)] = done.failed
    assert what == "2.png"
    assert "copy it there" in reason


TOO_LONG = {"counts": [0, 700], "size": list(SHAPE)}


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ([[1, 2, 3]], "three or more points"),
        ([[1, 2, 3, 4, 5, float("nan")]], "no number"),
        (TOO_LONG, "do not fill"),
        ({"counts": [600], "size": [30, 20]}, "do not fill"),
        ({"counts": "zz", "size": list(SHAPE)}, "do not fill"),
        ([], "box without an outline"),
        (None, "box without an outline"),
    ],
)
def test_a_bad_outline_costs_its_mask_only(project, tmp_path, drawn, message):
    path = write(tmp_path / "in", content(1, [(1, 1, drawn), (1, 2, SQUARE)]))
    done = import_any(project, path, who="ada", options=ONE)
    assert (done.added, done.masks) == (1, 1)
    [(_, reason)] = done.failed
    assert message in reason
    assert [mask.target for mask in project.masks()] == ["nucleus"]


@pytest.mark.parametrize("twice_in", ["the project", "the file"])
def test_masks_of_pictures_of_one_name_are_laid_on_none(project, tmp_path, twice_in):
    for folder, grey in (("a", 10), ("b", 20)):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full(SHAPE, grey, np.uint8)).save(
            tmp_path / folder / "1.png"
        )
    about = content(1, [(1, 1, SQUARE)])
    folders = [tmp_path / "a", tmp_path / "b"]
    if twice_in == "the file":
        folders.pop()
        about = content(2, [(1, 1, SQUARE), (2, 2, SQUARE)])
        about["images"][1]["file_name"] = "1.png"
    add_files(project, folders, who="ada", options=ONE)
    path = write(tmp_path / "in", about, pictures=0)
    done = import_any(project, path, who="ada", options=ONE)
    assert done.masks == 0
    assert project.masks() == []
    assert {what for what, _ in done.failed} == {"1.png"}
    assert "2 pictures of" in done.failed[0][1]


def test_a_box_beside_an_outline_is_not_passed_over(project, tmp_path):
    path = write(tmp_path / "in", content(1, [(1, 1, SQUARE), (1, 1, [])]))
    done = import_any(project, path, who="ada", options=ONE)
    assert (done.added, done.masks, len(done.failed)) == (1, 0, 1)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"images": 3}', "null"])
def test_no_coco_file(project, tmp_path, text):
    path = tmp_path / "some.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match=r"some\.json"):
        import_any(project, path, who="ada", options=ONE)
