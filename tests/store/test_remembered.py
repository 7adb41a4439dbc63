"""The images of a large project are read from a cache, and only where that is right."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest

from src_core.store import Project, catalogue
from src_core.types import Split

COUNT = 12


@pytest.fixture(autouse=True)
def small_projects_are_large(monkeypatch):
    monkeypatch.setattr(catalogue, "WORTH_IT", 10)


def make(root, name="Chest"):
    """Make a project with images of several kinds, remembered; return its folder."""
    with Project.create(root, name, who="ada") as project:
        for n in range(COUNT):
            shape = (4, 5) if n % 2 else (2, 4, 5)
            project.add_image(
                np.full(shape, n, np.uint8 if n % 3 else np.int16),
                name=f"Müller {n}.png",
                axes="yx" if n % 2 else "zyx",
                spacing=(0.1 + n,) * len(shape),
                origin=() if n % 4 else (1.0,) * len(shape),
                orientation="" if n % 2 else "SPL",
                direction=(1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0) if n % 6 == 0 else (),
                group=f"Patient {n // 3}",
                split=Split.VAL if n < 3 else Split.TRAIN,
                caption=f"a heart, {name}" if n % 2 else "",
                modality="MR" if n % 2 else "",
            )
        project.remember_images()
    return root


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "project")


def images(root, at=None):
    """Return the images and how many records of images were read from the ledger."""
    with Project.open(root, at=at) as project:
        read = []
        values = project.ledger.values

        def counted(prefix, **where):
            for key, data in values(prefix, **where):
                read.append(key)
                yield key, data

        project.ledger.values = counted
        found = project.images()
        assert [image.id for image in found] == sorted(image.id for image in found)
        return found, len(read)


def from_the_ledger(root, at=None):
    with Project.open(root, at=at) as project:
        return catalogue.Catalogue(project.ledger, at).images()


def test_no_record_is_read_again(root):
    found, read = images(root)
    assert found == from_the_ledger(root)
    assert (len(found), read) == (COUNT, 0)
    assert {type(image.shape) for image in found} == {tuple}
    assert {type(image.split) for image in found} == {Split}


def test_what_changed_since_is_read(root):
    with Project.open(root, mode="rw") as project:
        ids = [image.id for image in project.images()]
        project.update_image(ids[4], caption="a lung")
        project.add_image(np.ones((9, 9), np.uint8), name="new", axes="yx")
        known, new = project.add_image(
            np.full((4, 5), 1, np.uint8), name="x", axes="yx"
        )
        assert (known.name, new) == ("Müller 1.png", False)
        assert [image.group for image in project.images()].count("anon-0001") == 3
    found, read = images(root)
    assert found == from_the_ledger(root)
    assert (len(found), read) == (COUNT + 1, 2)
    assert next(image for image in found if image.id == ids[4]).caption == "a lung"


def test_an_earlier_position_does_not_see_it(root):
    found, read = images(root, at=4)
    assert found == from_the_ledger(root, at=4)
    assert len(found) == read - 1 == 3  # and the record of the folder itself


def test_it_is_written_again_when_there_are_many_more(root):
    file = root / "cache" / "images.json"
    before = file.read_bytes()
    for n, is_new in enumerate((False, True)):
        with Project.open(root, mode="rw") as project:
            pixels = np.full((7, 7), n, np.uint8)
            project.add_image(pixels, name=f"more {n}", axes="yx")
            project.remember_images()
        assert (file.read_bytes() != before) == is_new
    assert images(root)[1] == 0


def test_a_small_project_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "WORTH_IT", COUNT + 1)
    assert list((make(tmp_path / "p") / "cache").iterdir()) == []


def forged(root, change):
    """Alter what the file says, and give it a sum that fits."""
    file = root / "cache" / "images.json"
    content = json.loads(file.read_bytes()[64:])
    change(content)
    body = json.dumps(content).encode()
    file.write_bytes(hashlib.sha256(body).hexdigest().encode() + body)


def put(where, value):
    def change(content):
        *path, last = where
        for step in path:
            content = content[step]
        content[last] = value

    return change


FORGERIES = {
    "of a revision to come": put(["position"], 99),
    "of no revision": put(["position"], 0),
    "of another history": put(["sha256"], "0" * 64),
    "an identifier that leads out": put(["columns", "id", 3], "../../etc/passwd"),
    "a name that is a number": put(["columns", "name", 3], 7),
    "a column that is too short": put(["columns", "caption"], ["a"]),
    "a split that is none": put(["columns", "split", 3], "holdout"),
    "a grid that is not there": put(["columns", "grid", 3], 400),
    "axes that are none": put(["grids", 0, 0], "tyx"),
    "lengths that do not fit": put(["grids", 0, 2], [4]),
    "columns that are none": put(["columns"], [1, 2]),
    "nothing": dict.clear,
}


@pytest.mark.parametrize("what", FORGERIES)
def test_what_does_not_fit_is_passed_over(root, what):
    forged(root, FORGERIES[what])
    found, read = images(root)
    assert found == from_the_ledger(root)
    assert read == COUNT + 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"anon-0002", b"anon-0003"),
        lambda data: b"",
        lambda data: b"[" * 10**5,
    ],
    ids=["cut off", "rotten", "empty", "hostile"],
)
def test_a_damaged_file_is_passed_over(root, damage):
    file = root / "cache" / "images.json"
    file.write_bytes(damage(file.read_bytes()))
    found, read = images(root)
    assert found == from_the_ledger(root)
    assert read == COUNT + 1


def test_that_of_another_project_is_passed_over(root, tmp_path):
    other = make(tmp_path / "other", "Abdomen")
    shutil.copy(other / "cache" / "images.json", root / "cache" / "images.json")
    found, read = images(root)
    assert found == from_the_ledger(root)
    assert read == COUNT + 1


def test_verify_tells_when_it_says_what_the_ledger_does_not(root):
    with Project.open(root) as project:
        assert project.verify() == []
    forged(root, put(["columns", "split", 5], "test"))
    with Project.open(root) as project:
        (finding,) = project.verify()
    assert "delete that folder" in finding.problem
    shutil.rmtree(root / "cache")
    with Project.open(root) as project:
        assert project.verify() == []


def test_a_full_disk_stops_nothing(root, monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("src_core.store.remembered.write_private", fail)
    (root / "cache" / "images.json").unlink()
    with Project.open(root, mode="rw") as project:
        project.remember_images()
    assert len(images(root)[0]) == COUNT
