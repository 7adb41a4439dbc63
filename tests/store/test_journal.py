"""Unsaved strokes: all that was written whole comes back, and nothing else."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src_core.errors import BadInputError, NotFoundError, ReadOnlyError
from src_core.store import Project, StrokeJournal, journal_records
from src_core.store import journal as journal_module
from src_core.types import MaskStatus


@pytest.fixture
def journal(project):
    return StrokeJournal(project)


def file_of(project, image, target):
    return project.path / "journal" / image.id / f"{target.id}.strokes"


def test_strokes_come_back_after_reopening(project, journal, image, target, drawn):
    journal.write(image.id, target.id, drawn)
    journal.write(image.id, target.id, 1 - drawn)
    assert file_of(project, image, target).stat().st_mode & 0o777 == 0o600
    project.close()
    with Project.open(project.path, mode="rw") as again:
        journal = StrokeJournal(again)
        (pending,) = journal.pending()
        assert (pending.image, pending.target) == (image.id, target.id)
        assert (pending.parent, pending.stale) == (None, False)
        assert pending.when.endswith("+00:00")
        np.testing.assert_array_equal(journal.read(image.id, target.id), 1 - drawn)
        journal.clear(image.id, target.id)
        journal.clear(image.id, target.id)
        assert journal.pending() == []
        with pytest.raises(NotFoundError, match="no unsaved strokes"):
            journal.read(image.id, target.id)


def test_planes_are_laid_over_what_was_loaded(project, journal, volume, target):
    base = np.zeros(volume.spatial_shape, np.uint8)
    base[0], base[5] = 1, 1
    row = project.save_mask(volume.id, target.id, base, status=MaskStatus.IN_PROGRESS)
    plane = np.zeros((40, 30), bool)
    plane[3:9, 4:8] = True
    journal.write(volume.id, target.id, {2: plane, 0: ~plane}, row.number)
    journal.write(volume.id, target.id, {0: plane}, row.number)
    base[0], base[2] = plane, plane
    np.testing.assert_array_equal(journal.read(volume.id, target.id), base)
    (pending,) = journal.pending()
    assert (pending.parent, pending.stale) == (row.number, False)


def test_planes_without_a_mask_are_laid_over_nothing(journal, volume, target):
    plane = np.ones((40, 30), np.uint8)
    journal.write(volume.id, target.id, {4: plane})
    assert journal.read(volume.id, target.id).sum(axis=(1, 2)).tolist() == [
        0,
        0,
        0,
        0,
        1200,
        0,
    ]


def test_strokes_on_a_mask_that_changed_are_stale(
    project, journal, image, target, drawn
):
    row = project.save_mask(image.id, target.id, drawn, status=MaskStatus.DONE)
    journal.write(image.id, target.id, 1 - drawn, row.number)
    assert [p.stale for p in journal.pending()] == [False]
    project.save_mask(
        image.id, target.id, None, status=MaskStatus.EMPTY, parent=row.number
    )
    assert [p.stale for p in journal.pending()] == [True]


def test_strokes_that_were_saved_are_not_offered(
    project, journal, image, target, drawn
):
    """The window was killed after the save and before the clear."""
    journal.write(image.id, target.id, drawn)
    project.save_mask(image.id, target.id, drawn, status=MaskStatus.DONE)
    assert journal.pending() == []


def test_a_reader_sees_but_does_not_write(project, journal, image, target, drawn):
    journal.write(image.id, target.id, drawn)
    with Project.open(project.path) as reader:
        other = StrokeJournal(reader)
        assert len(other.pending()) == 1
        for act in (
            lambda: other.write(image.id, target.id, drawn),
            lambda: other.clear(image.id, target.id),
        ):
            with pytest.raises(ReadOnlyError, match="read-only"):
                act()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(cut=st.integers(0, 3000), tail=st.binary(max_size=30))
def test_a_torn_tail_is_ignored_and_written_over(
    project, image, target, drawn, cut, tail
):
    path = file_of(project, image, target)
    path.unlink(missing_ok=True)
    journal = StrokeJournal(project)
    ends, states = [0], [None]
    for state in (drawn, 1 - drawn, drawn):
        journal.write(image.id, target.id, state)
        ends.append(path.stat().st_size)
        states.append(state)
    cut = min(cut, ends[-1])
    whole = max(i for i, end in enumerate(ends) if end <= cut)
    path.write_bytes(path.read_bytes()[:cut] + (tail if cut > ends[whole] else b""))
    again = StrokeJournal(project)
    assert len(again.pending()) == (whole > 0)
    if whole:
        np.testing.assert_array_equal(again.read(image.id, target.id), states[whole])
    again.write(image.id, target.id, 1 - drawn)
    np.testing.assert_array_equal(again.read(image.id, target.id), 1 - drawn)


def test_it_does_not_grow_without_end(project, journal, image, target, monkeypatch):
    monkeypatch.setattr(journal_module, "_FOLD", 3000)
    rng = np.random.default_rng(0)
    for _ in range(100):
        noise = rng.integers(0, 2, (40, 30)).astype(np.uint8)
        journal.write(image.id, target.id, noise)
        assert file_of(project, image, target).stat().st_size <= 3000
    np.testing.assert_array_equal(journal.read(image.id, target.id), noise)


def test_planes_are_folded_together(project, journal, volume, target, monkeypatch):
    monkeypatch.setattr(journal_module, "_FOLD", 3000)
    rng = np.random.default_rng(0)
    expected = np.zeros(volume.spatial_shape, np.uint8)
    for n in range(60):
        plane = rng.integers(0, 2, (40, 30)).astype(np.uint8)
        expected[n % 6] = plane
        journal.write(volume.id, target.id, {n % 6: plane})
        assert file_of(project, volume, target).stat().st_size < 3500
    np.testing.assert_array_equal(journal.read(volume.id, target.id), expected)


def test_strokes_that_cannot_be_are_refused(journal, image, volume, target):
    plane = np.zeros((40, 30), np.uint8)
    for given_image, strokes, message in [
        (image, np.zeros((3, 3), np.uint8), "shape"),
        (image, plane + 7, "values from 7"),
        (image, {0: plane}, "image has none"),
        (volume, {6: plane}, "image has 6"),
        (volume, {-1: plane}, "image has 6"),
        (volume, {}, "image has 6"),
        (volume, {0: plane[1:]}, "shape"),
    ]:
        with pytest.raises(BadInputError, match=message):
            journal.write(given_image.id, target.id, strokes)
    with pytest.raises(NotFoundError, match="no image"):
        journal.write("nobody", target.id, plane)


def record(header: dict, payload: bytes) -> bytes:
    return journal_records._frame(header, payload)


FULL = np.packbits(np.ones((40, 30), np.uint8)).tobytes()
HOSTILE = [
    # what cannot be read is no record
    (b"PK\3\4" + bytes(200), None),
    (bytes(range(100)), None),
    (record({"parent": "1", "planes": None}, zlib.compress(FULL)), None),
    (record({"parent": None, "planes": [1.5]}, zlib.compress(FULL)), None),
    (journal_records._HEAD.pack(b"LGJ1", 2**31, 2**31, 0), None),
    (journal_records._HEAD.pack(b"LGJ1", 2, 2**32 - 1, 0) + b"{}", None),
    # what can be read and does not fit is an error
    (record({"parent": None, "planes": None}, zlib.compress(bytes(2**28))), "fit"),
    (record({"parent": None, "planes": None}, b"no zlib"), "fit"),
    (record({"parent": None, "planes": None}, zlib.compress(FULL[:-1])), "fit"),
    (record({"parent": None, "planes": [0] * 10**5}, zlib.compress(FULL)), "fit"),
    (record({"parent": None, "planes": [10**9]}, zlib.compress(FULL)), "fit"),
]


@pytest.mark.parametrize(("content", "message"), HOSTILE)
def test_a_journal_made_by_somebody_else(
    project, journal, image, target, drawn, content, message
):
    path = file_of(project, image, target)
    path.parent.mkdir()
    path.write_bytes(content)
    if message is None:
        assert journal.pending() == []
    else:
        with pytest.raises(BadInputError, match=message):
            journal.read(image.id, target.id)
        journal.clear(image.id, target.id)
    journal.write(image.id, target.id, drawn)
    np.testing.assert_array_equal(journal.read(image.id, target.id), drawn)


def test_strokes_that_do_not_fit_are_still_listed(project, journal, image, target):
    path = file_of(project, image, target)
    path.parent.mkdir()
    path.write_bytes(record({"parent": 7, "planes": None}, b"no zlib"))
    project.save_mask(image.id, target.id, None, status=MaskStatus.EMPTY)
    assert [pending.stale for pending in journal.pending()] == [True]


def test_strokes_of_what_is_gone_are_skipped(project, journal):
    for name in ("nobody", "..", "x y"):
        folder = project.path / "journal" / f"_{name}"
        folder.mkdir()
        (folder / "t.strokes").write_bytes(
            record({"parent": None, "planes": None}, json.dumps({}).encode())
        )
    assert journal.pending() == []
