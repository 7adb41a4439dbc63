"""Parts on the disk: read back, put together, and never trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from src_core.rounds.shelf import FORMAT, Shelf


def fill(shelf, *ids):
    values = np.array([int(name[1:]) for name in ids], np.float32)
    shelf.add(ids, {"twice": 2 * values, "wide": np.tile(values[:, None], (1, 3))})


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "shelf", "numbers")


def test_an_empty_shelf(shelf):
    assert len(shelf.read()) == 0
    assert shelf.ids() == set()
    assert shelf.stamp() == ()
    shelf.compact()


def test_parts_are_read_as_one(shelf):
    fill(shelf, "n1", "n2")
    fill(shelf, "n5")
    rows = shelf.read()
    assert sorted(rows.ids) == ["n1", "n2", "n5"]
    for row, name in enumerate(rows.ids):
        assert rows.arrays["twice"][row] == 2 * int(name[1:])
        assert rows.arrays["wide"][row].tolist() == [int(name[1:])] * 3


def test_what_two_processes_added_is_read_once(shelf):
    fill(shelf, "n1", "n2")
    fill(shelf, "n2", "n3")
    rows = shelf.read()
    assert sorted(rows.ids) == ["n1", "n2", "n3"]
    assert sorted(rows.arrays["twice"]) == [2, 4, 6]


def test_compacting_keeps_every_row_in_one_file(shelf):
    for k in range(5):
        fill(shelf, f"n{k}")
    before = shelf.stamp()
    shelf.compact()
    assert len(shelf.stamp()) == 1
    assert shelf.stamp() != before
    assert shelf.ids() == {f"n{k}" for k in range(5)}


def _amid(shelf, monkeypatch, what):
    """Let something happen once, between the shelf's listing and its reading."""
    read, left = shelf._part, [what]

    def part(*asked):
        if left:
            left.pop()()
        return read(*asked)

    monkeypatch.setattr(shelf, "_part", part)


def test_two_that_compact_at_once_keep_every_row(shelf, monkeypatch):
    fill(shelf, "n1")
    fill(shelf, "n2")
    other = Shelf(shelf.folder, shelf.kind)
    _amid(shelf, monkeypatch, other.compact)
    shelf.compact()
    assert sorted(other.read().ids) == ["n1", "n2"]
    fill(shelf, "n3")
    assert other.ids() == {"n1", "n2", "n3"}


@pytest.mark.parametrize("only", [None, ()])
def test_what_is_put_together_while_it_is_read_is_read(shelf, monkeypatch, only):
    fill(shelf, "n1")
    fill(shelf, "n2")
    _amid(shelf, monkeypatch, Shelf(shelf.folder, shelf.kind).compact)
    assert sorted(shelf.read(only).ids) == ["n1", "n2"]


@pytest.mark.parametrize("wide", [{}, {"wide": np.zeros((0, 3), np.float32)}])
def test_a_part_without_rows_hides_no_other(shelf, wide):
    """As compacting left behind when two did it at once."""
    from safetensors.numpy import save_file

    fill(shelf, "n1")
    note = json.dumps({"format": FORMAT, "kind": shelf.kind, "rows": 0})
    none = {"ids": np.zeros(0, np.uint8)} | wide
    save_file(none, shelf.folder / "0-a.safetensors", {"meta": note})
    assert shelf.read().ids == ["n1"]
    assert shelf.ids() == {"n1"}
    assert set(shelf.read().arrays) == {"twice", "wide"}


def test_of_nothing_no_part_is_written(shelf):
    shelf.add([], {})
    assert shelf.stamp() == ()


def test_replacing_forgets_what_was_there(shelf):
    fill(shelf, "n1")
    shelf.replace(["n9"], {"twice": np.array([18.0])})
    assert shelf.read().ids == ["n9"]


def test_only_what_is_wanted_is_read(shelf):
    fill(shelf, "n1")
    assert set(shelf.read(only=("wide",)).arrays) == {"wide"}
    assert shelf.read(only=()).arrays == {}


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_part_is_as_if_it_were_missing(shelf, damage):
    fill(shelf, "n1")
    fill(shelf, "n2")
    path = next(iter(sorted(shelf.folder.iterdir())))
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[: len(data) // 2],
            "flipped": bytes([data[0] ^ 0xFF]) + data[1:],
            "empty": b"",
            "foreign": b"not safetensors at all",
        }[damage]
    )
    assert len(shelf.read()) == 1


def test_another_kinds_rows_are_not_read(tmp_path):
    fill(Shelf(tmp_path, "numbers of v1"), "n1")
    assert len(Shelf(tmp_path, "numbers of v2").read()) == 0


def test_nobody_else_may_look(shelf):
    fill(shelf, "n1")
    assert shelf.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in shelf.folder.iterdir())
