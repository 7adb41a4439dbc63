"""Whether a change behind the program's back is found, and named."""

from __future__ import annotations

import random
import shutil

import apsw
import numpy as np
import pytest

from src_core.errors import CorruptError, LgsslError
from src_core.store import Project
from src_core.store.rows import COLUMNS, row_hash
from src_core.store.schema import TABLES
from src_core.types import MaskStatus

DONE = MaskStatus.DONE
GUARDS = [name for name in TABLES if "_no_" in name or "_in_" in name]


@pytest.fixture
def filled(project, image, volume, target, drawn):
    """Revisions: 1 create, 2 image, 3 volume, 4 target, 5 and 6 masks, 7 a document."""
    first = project.save_mask(image.id, target.id, drawn, status=DONE)
    project.save_mask(image.id, target.id, 1 - drawn, status=DONE, parent=first.number)
    project.record("promote", {"documents/promoted": b'{"v": 1}'})
    assert project.verify() == []
    project.close()
    return project.path


def tamper(root, *statements: str) -> None:
    """Change the file as somebody would who knows its layout."""
    connection = apsw.Connection(str(root / "ledger.sqlite"))
    for name in GUARDS:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for name in GUARDS:
        connection.execute(TABLES[name])
    connection.close()


CHUNK = "key LIKE '%/c/0/0' AND revision = 5"
TAMPERINGS = [
    ("UPDATE revision SET who = 'eve' WHERE number = 5", "revision 5", "was changed"),
    ("UPDATE revision SET note = 'x' WHERE number = 2", "revision 2", "was changed"),
    ("UPDATE revision SET \"when\" = '' WHERE number = 1", "revision 1", "was changed"),
    (
        f"UPDATE entry SET value = x'0102' WHERE {CHUNK}",
        "revision 5, masks/case-1/left-lung/c/0/0",
        "does not match the hash",
    ),
    (
        f"UPDATE entry SET value = NULL WHERE {CHUNK}",
        "revision 5, masks/case-1/left-lung/c/0/0",
        "do not agree",
    ),
    (f"UPDATE entry SET key = 'elsewhere' WHERE {CHUNK}", "revision 5", "was changed"),
    (f"DELETE FROM entry WHERE {CHUNK}", "revision 5", "was changed"),
    ("DELETE FROM revision WHERE number = 4", "revision 5", "4 is missing"),
    (
        "INSERT INTO entry SELECT 99, 6, 'k', size, sha256, value FROM entry "
        "WHERE id = 1",
        "revision 6",
        "was changed",
    ),
    ("UPDATE revision SET prev_hash = x'00' WHERE number = 6", "revision 6", "follow"),
    ("UPDATE revision SET sha256 = x'00' WHERE number = 6", "revision 6", "changed"),
    ("UPDATE revision SET status = 'nice' WHERE number = 5", "revision 5", "changed"),
]


@pytest.mark.parametrize(("statement", "where", "problem"), TAMPERINGS)
def test_the_first_broken_row_is_named(filled, statement, where, problem):
    tamper(filled, statement)
    with Project.open(filled) as project:
        first = project.verify()[0]
    assert first.where == where
    assert problem in first.problem
    assert str(first) == f"{first.where}: {first.problem}"
    assert first.revision == int(where.split(",")[0].split()[1])


def test_a_row_hashed_anew_breaks_the_row_after_it(filled):
    connection = apsw.Connection(str(filled / "ledger.sqlite"))
    (row,) = connection.execute(f"SELECT {COLUMNS} FROM revision WHERE number = 5")
    entries = list(
        connection.execute(
            "SELECT key, sha256 FROM entry WHERE revision = 5 ORDER BY key"
        )
    )
    connection.close()
    forged = list(row[:-2])
    forged[2] = "eve"
    digest = row_hash(forged, entries, row[-1]).hex()
    tamper(
        filled,
        f"UPDATE revision SET who = 'eve', sha256 = x'{digest}' WHERE number = 5",
    )
    with Project.open(filled) as project:
        (finding,) = project.verify()
    assert finding.where == "revision 6"
    assert "does not follow" in finding.problem


@pytest.mark.parametrize("column", ["status", "source"])
def test_a_row_that_no_save_writes_is_refused(filled, column):
    tamper(filled, f"UPDATE revision SET {column} = 'nice' WHERE number = 6")
    with Project.open(filled) as project:
        with pytest.raises(CorruptError, match="Revision 6 holds"):
            project.mask("case-1", "left-lung")
        if column == "status":
            with pytest.raises(CorruptError, match="Revision 6 holds"):
                project.masks()


def test_a_rotten_value_is_not_read(filled):
    tamper(filled, f"UPDATE entry SET value = x'0102' WHERE {CHUNK}")
    with Project.open(filled, at=5) as project:
        mask = project.mask("case-1", "left-lung")
        with pytest.raises(CorruptError, match="is not what was written"):
            mask.read()


def test_a_shallow_check_reads_no_values(filled):
    tamper(filled, f"UPDATE entry SET value = x'0102' WHERE {CHUNK}")
    with Project.open(filled) as project:
        assert project.verify(deep=False) == []
        assert len(project.verify()) == 1


def test_an_earlier_position_is_checked_alone(filled):
    tamper(filled, "UPDATE revision SET who = 'eve' WHERE number = 6")
    with Project.open(filled, at=5) as project:
        assert project.verify() == []
    with Project.open(filled) as project:
        assert len(project.verify()) == 1


def test_findings_are_limited(project):
    for n in range(150):
        project.record("x", {"documents/a": b'{"n": %d}' % n})
    project.close()
    tamper(project.path, "UPDATE revision SET who = 'eve'")
    with Project.open(project.path) as again:
        assert len(again.verify()) == 100


def test_changed_pixels_are_found(filled):
    chunk = filled / "images/volume.ome.zarr/0/c/0/0/0"
    data = chunk.read_bytes()
    other = filled / "images/case-1.ome.zarr/0/c/0/0"
    for change, problem in [
        (lambda: chunk.write_bytes(data[:-1]), "cut short"),
        (chunk.unlink, "not those that were imported"),
        (lambda: chunk.write_bytes(other.read_bytes()), "declares"),
        (lambda: shutil.rmtree(filled / "images/volume.ome.zarr"), "no readable"),
    ]:
        change()
        with Project.open(filled) as project:
            (finding,) = project.verify()
        assert finding.where == "image volume"
        assert problem in finding.problem
        if chunk.parent.exists():
            chunk.write_bytes(data)


def test_any_flipped_byte_is_found_or_harmless(filled, drawn):
    """A byte may lie in a page's unused part; what is read is right or refused."""
    path = filled / "ledger.sqlite"
    whole = path.read_bytes()
    with Project.open(filled) as project:
        truth = [project.history(), project.masks(), project.images()]
        pixels = project.mask("case-1", "left-lung").read()
    rng = random.Random(5)
    found = 0
    for _ in range(150):
        at = rng.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[at] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        for side in ("-wal", "-shm"):
            (filled / f"ledger.sqlite{side}").unlink(missing_ok=True)
        try:
            with Project.open(filled) as project:
                findings = project.verify()
                if findings:
                    found += 1
                    continue
                assert [project.history(), project.masks(), project.images()] == truth
                np.testing.assert_array_equal(
                    project.mask("case-1", "left-lung").read(), pixels
                )
        except LgsslError:
            found += 1
    assert found > 20
