"""kill -9 at any moment: what was acknowledged is there, byte for byte."""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress

import numpy as np
import pytest

from crash_writer import mask_of, pixels_of
from src_core.store import Project, StrokeJournal
from src_core.types import MaskStatus

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")


@pytest.mark.parametrize(
    "rounds", [60, pytest.param(500, marks=pytest.mark.slow)], ids=["60", "500"]
)
def test_every_acknowledged_revision_survives(root, tmp_path, writers, rounds):
    rng = random.Random(rounds)
    acknowledged: dict[int, int] = {}
    kept_strokes = at_least = 0
    for turn in range(rounds):
        first = turn * 10_000
        writers.start("commit", root, tmp_path / f"ack{turn}", first)
        some = rng.randrange(1, 4)
        at_least += some // 2  # each save follows its stroke
        writers.wait_for(lambda acks, n=some: len(acks) >= n)
        time.sleep(rng.random() * 0.02)
        writers.kill()
        acks = writers.acknowledged()
        saved = {n: int(rest) for verb, n, rest in acks if verb == "save"}
        strokes = [n for verb, n, _ in acks if verb == "stroke"]
        acknowledged |= saved
        with Project.open(root, mode="rw", who="ada") as project:
            image = project.image("a")
            for n, revision in saved.items():
                row = project.ledger.revision(revision)
                assert (row.image, row.target) == ("a", "t")
                assert row.status is MaskStatus.DONE
                found = project.read_mask(image, "t", revision)
                np.testing.assert_array_equal(found, mask_of(n))
            # at most the save in flight is there without having been acknowledged
            assert 0 <= project.position - max(acknowledged.values(), default=3) <= 1
            # a stroke that was kept is offered, unless its save got through
            journal = StrokeJournal(project)
            if strokes:
                newest = journal.read("a", "t")
                last = max(strokes)
                expected = [mask_of(last), mask_of(last + 1)]
                assert any(np.array_equal(newest, mask) for mask in expected)
                kept_strokes += len(journal.pending())
            assert project.verify(deep=False) == []
    with Project.open(root) as project:
        assert project.verify() == []
        image = project.image("a")
        for n, revision in acknowledged.items():
            found = project.read_mask(image, "t", revision)
            np.testing.assert_array_equal(found, mask_of(n))
    assert len(acknowledged) >= at_least >= rounds // 2
    assert kept_strokes > 0


def test_a_killed_import_resumes(root, tmp_path, writers):
    count = 60
    names = {f"i{n}" for n in range(count)}
    rng = random.Random(1)
    done: set[str] = set()
    for turn in range(6):
        ack = tmp_path / f"ack{turn}"
        writers.start("import_images", root, ack, count)
        goal = (turn + 1) * 7
        writers.wait_for(lambda acks, n=goal: len(acks) >= n)
        time.sleep(rng.random() * 0.02)
        writers.kill()
        acks = writers.acknowledged()
        # what had been imported before was recognised, not imported again
        assert all(verb == "old" for verb, _, name in acks if name in done)
        done |= {rest for _, _, rest in acks}
        with Project.open(root) as project:
            seen = {image.id for image in project.images()} - {"a"}
            assert done <= seen <= names
            assert project.verify() == []
    writers.start("import_images", root, tmp_path / "last", count)
    writers.wait()
    verbs = [verb for verb, _, _ in writers.acknowledged()]
    assert verbs.count("old") >= len(done)
    assert verbs[-1] == "all"
    with Project.open(root, mode="rw") as project:
        assert {image.id for image in project.images()} - {"a"} == names
        assert project.verify() == []
        assert list((root / "tmp").iterdir()) == []
        for n in range(count):
            np.testing.assert_array_equal(project.pixels(f"i{n}")[...], pixels_of(n))


def test_a_killed_import_gives_no_pseudonym_twice(root, tmp_path, writers):
    rng = random.Random(2)
    given: dict[int, str] = {}
    for turn in range(12):
        first = turn * 10_000
        writers.start("import_patients", root, tmp_path / f"ack{turn}", first)
        some = rng.randrange(1, 4)
        writers.wait_for(lambda acks, n=some: len(acks) >= n)
        time.sleep(rng.random() * 0.02)
        writers.kill()
        given |= {n: group for _, n, group in writers.acknowledged()}
        if turn % 3 == 2:  # what a kill between two system calls may leave
            with (root / "groups.jsonl").open("ab") as file:
                file.write(b'{"anon-')
    assert len(set(given.values())) == len(given) >= 12
    with Project.open(root, mode="rw") as project:
        for n, group in given.items():
            assert project.group_name(group) == f"Patient {n}"
        # the images in flight have groups of their own, too
        groups = [image.group for image in project.images() if image.group]
        assert len(set(groups)) == len(groups)
        assert all(project.group_name(group) != group for group in groups)
        assert project.verify() == []


def test_a_killed_backup_leaves_the_older_one_and_nothing_for_long(
    root, tmp_path, writers
):
    file, rng = tmp_path / "backups" / "b.zip", random.Random(3)
    with Project.open(root, mode="rw") as project:
        for n in range(20):
            project.add_image(pixels_of(n), name=f"i{n}", axes="yx")
        project.backup(file)
    others = file.parent / ".lgssl-backup-mine"
    others.mkdir()
    (others / "letter").write_text("not ours")
    left = 0
    for turn in range(12):
        writers.start("back_up", root, tmp_path / f"ack{turn}", str(file))
        writers.wait_for(lambda acks: len(acks) >= 1)
        time.sleep(rng.random() * 0.02)
        writers.kill()
        with Project.from_backup(file, tmp_path / f"back{turn}") as back:
            assert len(back.images()) == 21
        found = set(file.parent.glob(".lgssl-backup*")) - {others}
        left += len(found)
        for folder in found:
            os.utime(folder, (0, 0))
    assert left >= 3
    with Project.open(root) as project:
        project.backup(file)
    assert {path.name for path in file.parent.iterdir()} == {
        "b.zip",
        ".lgssl-backup-mine",
    }
    assert (others / "letter").read_text() == "not ours"


def test_a_backup_under_way_is_not_taken_away(root, tmp_path, writers):
    writers.start("back_up", root, tmp_path / "ack", str(tmp_path / "theirs.zip"))
    with Project.open(root) as project:
        for _ in range(20):
            for folder in tmp_path.glob(".lgssl-backup*"):
                with suppress(FileNotFoundError):
                    os.utime(folder, (0, 0))
            project.backup(tmp_path / "mine.zip")
        before = len(writers.acknowledged())
        writers.wait_for(lambda acks: len(acks) > before)
    writers.kill()
    with Project.from_backup(tmp_path / "theirs.zip", tmp_path / "back") as back:
        assert back.verify() == []
