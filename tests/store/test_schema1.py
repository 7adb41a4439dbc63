"""A project written when layout 1 was current: every later version must read it."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from src_core.store import Project, StrokeJournal
from src_core.types import HUMAN, MaskStatus, Source, SourceKind, Split

DATA = Path(__file__).parent / "data"

_SPEC = importlib.util.spec_from_file_location("make_schema1", DATA / "make_schema1.py")
MAKE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(MAKE)

CHAIN = {
    1: "f8e5207a1edfbd7d31b0175fdb00dc842befb490aab9540883510e951ed8cf6e",
    15: "efb0c8ecd77222b6e8a2110a56204a3cbbfed96087bb067f6c8faf63c65b1344",
}


@pytest.fixture
def root(tmp_path):
    return Path(shutil.copytree(DATA / "schema1", tmp_path / "project"))


def test_it_is_small():
    files = [path for path in (DATA / "schema1").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 100_000


def test_it_is_whole(root):
    with Project.open(root) as project:
        assert project.name == "Layout 1"
        assert project.position == 15
        assert project.verify() == []
        for number, sha256 in CHAIN.items():
            assert project.ledger.revision(number).sha256 == sha256


def test_its_images_and_targets(root):
    with Project.open(root) as project:
        plane, slab = project.images()
        assert (plane.id, plane.name, plane.axes) == ("case-1.png", "Case 1.png", "yx")
        assert (plane.caption, plane.split) == ("A bright disc.", Split.TRAIN)
        assert project.group_name(plane.group) == "Patient 7"
        assert (slab.unit, slab.orientation) == ("millimeter", "SPL")
        assert (slab.spacing, slab.origin) == ((5.0, 0.5, 0.5), (-1.0, 2.0, 3.0))
        assert (slab.split, slab.group) == (Split.TEST, "")
        pixels = project.pixels(plane)[...]
        np.testing.assert_array_equal(pixels, MAKE.disc((32, 24), 9) * 200)
        np.testing.assert_array_equal(project.pixels(slab)[...], MAKE.volume())
        left, right = project.targets()
        assert (left.id, left.name) == ("left-lung", "Left lung")
        assert left.prompts == ("left lung", "the lung on the left")
        assert right.prompts == ()


def test_its_masks_and_their_history(root):
    stack = np.zeros((3, 16, 16), np.uint8)
    stack[1] = MAKE.disc((16, 16), 4)
    expected = {
        ("case-1.png", "left-lung"): (15, MaskStatus.DONE, MAKE.disc((32, 24), 9)),
        ("case-1.png", "right-lung"): (9, MaskStatus.EMPTY, np.zeros((32, 24))),
        ("volume", "left-lung"): (10, MaskStatus.DONE, stack),
        ("volume", "right-lung"): (11, MaskStatus.FLAGGED, stack[::-1]),
    }
    with Project.open(root) as project:
        assert len(project.masks()) == len(expected)
        for key, (revision, status, pixels) in expected.items():
            mask = project.mask(*key)
            assert (mask.revision, mask.status) == (revision, status)
            np.testing.assert_array_equal(mask.read(), pixels)
        assert project.mask("volume", "right-lung").note == "is this the right side?"
        rows = project.history("case-1.png", "left-lung")
        assert [(row.number, row.who, row.what) for row in rows] == [
            (15, "ada", "restore"),
            (14, "bob", "restore"),
            (8, "bob", "sign-off"),
            (7, "ada", "mask"),
            (6, "ada", "mask"),
        ]
        assert rows[-1].source == Source(SourceKind.MODEL, "v1", "left lung")
        assert (rows[3].source, rows[3].seconds_spent) == (HUMAN, 12.5)
        assert rows[3].parent == 6
    with Project.open(root, at=8) as then:
        mask = then.mask("case-1.png", "left-lung")
        assert (mask.who, mask.reviewer) == ("ada", "bob")
        assert then.mask("volume", "left-lung") is None


def test_its_documents_and_strokes(root):
    with Project.open(root) as project:
        versions = project.documents("documents/promoted.json")
        assert [document["version"] for _, document in versions] == ["v2", "v1"]
        journal = StrokeJournal(project)
        (pending,) = journal.pending()
        assert (pending.image, pending.target) == ("case-1.png", "right-lung")
        assert (pending.parent, pending.stale) == (9, False)
        np.testing.assert_array_equal(
            journal.read("case-1.png", "right-lung"), MAKE.disc((32, 24), 2)
        )


def test_work_goes_on_in_it(root):
    with Project.open(root, mode="rw", who="carol") as project:
        row = project.save_mask(
            "case-1.png",
            "right-lung",
            MAKE.disc((32, 24), 3),
            status=MaskStatus.DONE,
            parent=9,
        )
        assert row.number == 16
        _, new = project.add_image(
            MAKE.disc((9, 9), 2), name="new", axes="yx", group="Patient 7"
        )
        assert new
        assert project.image("new").group == project.image("case-1.png").group
        assert project.verify() == []
        assert {path.name for path in root.iterdir()} >= {"models", "tmp", "jobs"}
