"""The sample data: reproducible, small, a valid table, sides and sizes as named."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sample_data
from sample_data import phantom_chest, phantom_slide
from sample_data.generate import (
    HEADER,
    WORDINGS,
    Phantom,
    generate,
    phantoms,
    truth,
)

FOLDER = Path(sample_data.__file__).parent


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with sample_data.table_path().open(newline="") as file:
        return list(csv.DictReader(file))


def mask_of(row: dict[str, str]) -> np.ndarray:
    labels = np.asarray(Image.open(FOLDER / row["mask"]))
    return labels == int(row["value"]) if row["value"] else labels > 0


@pytest.fixture(scope="module")
def labelled(rows: list[dict[str, str]]) -> dict[str, dict[str, np.ndarray]]:
    """Image to target to mask, for the rows that have one."""
    found: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for row in rows:
        if row["mask"]:
            found[row["image"]][row["target"]] = mask_of(row)
    return found


def test_one_run_reproduces_the_shipped_files_byte_for_byte(tmp_path):
    written = generate(tmp_path)
    shipped = {
        path.relative_to(FOLDER)
        for path in FOLDER.rglob("*")
        if path.suffix in (".png", ".csv")
    }
    assert {path.relative_to(tmp_path) for path in written} == shipped
    for name in sorted(shipped):
        new, old = tmp_path / name, FOLDER / name
        if new.read_bytes() != old.read_bytes():
            # another zlib packs the same pixels otherwise
            assert name.suffix == ".png", name
            np.testing.assert_array_equal(
                np.asarray(Image.open(new).convert("RGB")),
                np.asarray(Image.open(old).convert("RGB")),
                err_msg=str(name),
            )


@pytest.mark.parametrize("kind", ["chest", "slide"])
def test_drawing_the_same_phantom_twice_gives_the_same_bytes(kind):
    phantom = Phantom(kind, 5, 1, "train", labelled=False)
    one, other = phantom.draw(), phantom.draw()
    assert one.pixels.tobytes() == other.pixels.tobytes()
    assert one.caption == other.caption
    for target, mask in one.masks.items():
        assert mask.tobytes() == other.masks[target].tobytes()


def test_generator_and_output_are_small():
    files = [p for p in FOLDER.rglob("*") if p.is_file() and p.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) <= 2_000_000


def test_every_file_of_the_table_exists_and_none_is_left_over(rows):
    assert tuple(rows[0]) == HEADER
    named = {row[column] for row in rows for column in ("image", "mask")} - {""}
    assert named == {
        path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.png")
    }
    assert len({(row["image"], row["target"]) for row in rows}) == len(rows)


@pytest.mark.parametrize("kind", ["chest", "slide"])
def test_counts_of_images(rows, kind):
    images = defaultdict(set)
    for row in rows:
        if row["image"].startswith(kind):
            images[row["split"], bool(row["mask"])].add(row["image"])
    assert {key: len(found) for key, found in images.items()} == {
        ("train", True): 6,
        ("train", False): 18,
        ("val", True): 8,
        ("test", True): 12,
    }


def test_no_patient_is_divided_between_splits(rows):
    splits, images = defaultdict(set), defaultdict(set)
    for row in rows:
        splits[row["group"]].add(row["split"])
        images[row["group"]].add(row["image"])
    assert all(len(found) == 1 for found in splits.values())
    assert all(len(found) == 2 for found in images.values())


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("target", ["lung opacity", "gland"])
def test_a_target_is_absent_on_purpose_in_some_images(rows, split, target):
    present = [
        bool(mask_of(row).any())
        for row in rows
        if row["mask"] and row["split"] == split and row["target"] == target
    ]
    assert True in present
    assert False in present


def test_overlapping_targets_exist(labelled):
    def overlap(one: str, other: str) -> int:
        return sum(
            int((masks[one] & masks[other]).sum())
            for masks in labelled.values()
            if one in masks and other in masks
        )

    assert overlap("lung opacity", "left lung") > 500
    assert overlap("lung opacity", "right lung") > 500
    assert overlap("gland", "large nuclei") > 500
    assert overlap("gland", "small nuclei") > 500
    assert overlap("left lung", "right lung") == 0


def test_the_patients_left_is_on_the_right_of_the_picture(labelled):
    for name, masks in labelled.items():
        if "left lung" not in masks:
            continue
        columns = {
            target: np.nonzero(masks[target])[1].mean()
            for target in ("left lung", "right lung", "heart")
        }
        middle = (columns["left lung"] + columns["right lung"]) / 2
        assert columns["left lung"] > columns["right lung"] + 60, name
        assert columns["heart"] > middle, name


@pytest.mark.parametrize(("side", "other"), [("left", "right"), ("right", "left")])
def test_a_caption_names_the_lung_that_holds_the_opacity(labelled, rows, side, other):
    captions = {row["image"]: row["caption"] for row in rows}
    told = [n for n in labelled if f"{side} lung" in captions[n]]
    assert told
    for name in told:
        masks = labelled[name]
        assert (masks["lung opacity"] & masks[f"{side} lung"]).sum() > 100
        assert not (masks["lung opacity"] & masks[f"{other} lung"]).any()


def test_large_and_small_nuclei_differ_in_size_and_not_in_stain(labelled):
    low, high = (max(phantom_slide.RADII["small nuclei"]), 13.5)
    assert low < high == min(phantom_slide.RADII["large nuclei"])
    stains = defaultdict(list)
    for name, masks in labelled.items():
        if "large nuclei" not in masks:
            continue
        grey = np.asarray(Image.open(FOLDER / name).convert("L"), dtype=float)
        for target in ("large nuclei", "small nuclei"):
            assert masks[target].sum() > 400, name
            stains[target].append(np.median(grey[masks[target]]))
    gap = np.subtract(stains["large nuclei"], stains["small nuclei"])
    assert abs(gap.mean()) < 10


@pytest.mark.parametrize("target", list(WORDINGS))
def test_no_range_of_grey_finds_a_target(labelled, target):
    scores = []
    for name, masks in labelled.items():
        if target not in masks or not masks[target].any():
            continue
        truth_, grey = masks[target], np.asarray(Image.open(FOLDER / name).convert("L"))
        levels = np.unique(np.percentile(grey, np.linspace(0, 100, 21)))
        ranges = [(a, b) for a in levels for b in levels if a <= b]
        found = [(grey >= a) & (grey <= b) for a, b in ranges]
        scores.append(
            max(2 * (f & truth_).sum() / (f.sum() + truth_.sum()) for f in found)
        )
        if len(scores) == 5:
            break
    assert np.mean(scores) < 0.75


def test_every_wording_is_offered_for_a_labelled_training_image(rows):
    for target, wordings in WORDINGS.items():
        offered = {
            prompt
            for row in rows
            if row["target"] == target and row["mask"] and row["split"] == "train"
            for prompt in row["prompt"].split("|")
        }
        assert offered == set(wordings)


@pytest.mark.parametrize("number", [0, 30, 45, 80])
def test_truth_is_what_the_mask_files_hold(labelled, number):
    phantom = list(phantoms())[number]
    masks = truth(f"anywhere/{phantom.name}.png")
    kinds = {"chest": phantom_chest.TARGETS, "slide": phantom_slide.TARGETS}
    assert tuple(masks) == kinds[phantom.kind]
    shipped = labelled.get(f"{phantom.kind}/{phantom.name}.png", {})
    assert bool(shipped) == phantom.labelled
    for target, mask in shipped.items():
        # a nucleus never overlaps another, so that a label map loses nothing
        np.testing.assert_array_equal(masks[target], mask)


def test_truth_of_an_unknown_image_is_an_error():
    with pytest.raises(KeyError, match="nobody"):
        truth("nobody.png")


@pytest.mark.parametrize(
    ("load", "shape"),
    [(sample_data.chest, (192, 192)), (sample_data.slide, (192, 192, 3))],
)
def test_loaders_for_a_viewer(load, shape):
    pixels, about = load()
    assert pixels.shape == shape
    assert pixels.dtype == np.uint8
    assert pixels.std() > 20
    assert about["name"].startswith("Phantom")
    assert Path(about["metadata"]["path"]).is_file()
    assert about.get("rgb", False) == (len(shape) == 3)


def test_importing_the_package_loads_no_drawing_library():
    code = (
        "import sys, sample_data; sample_data.table_path();"
        "print([m for m in ('skimage', 'PIL', 'napari', 'torch') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
