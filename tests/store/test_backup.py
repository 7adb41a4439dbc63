"""One file with everything in it, and archives that are not what they seem."""

from __future__ import annotations

import shutil
import stat
import threading
import zipfile

import numpy as np
import pytest

from src_core.errors import BadInputError, CorruptError, LgsslError, StoreError
from src_core.store import Project
from src_core.store import backup as backup_module
from src_core.types import MaskStatus

DONE = MaskStatus.DONE


@pytest.fixture
def filled(project, image, volume, target, drawn):
    project.save_mask(image.id, target.id, drawn, status=DONE)
    version = project.models_dir / "v1"
    version.mkdir()
    (version / "weights.safetensors").write_bytes(b"weights")
    (project.models_dir / ".v2-unfinished").mkdir()
    (project.models_dir / ".v2-unfinished" / "half").write_bytes(b"half")
    return project


def test_what_is_no_backup_is_not_replaced(filled, tmp_path):
    table, packed = tmp_path / "table.csv", tmp_path / "papers.zip"
    table.write_text("image,mask")
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("paper.txt", "dear diary")
    for path in (table, packed, tmp_path):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(BadInputError, match="is no backup; choose another name"):
            filled.backup(path)
        assert before is None or path.read_bytes() == before


def test_a_backup_is_taken_while_open_and_comes_back(filled, tmp_path, drawn):
    file = filled.backup(tmp_path / "backups" / "b.zip")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = filled.history()
    filled.save_mask("case-1", "left-lung", 1 - drawn, status=DONE, parent=5)
    with Project.from_backup(file, tmp_path / "back") as back:
        assert back.history() == before
        assert back.name == "Chest"
        np.testing.assert_array_equal(back.mask("case-1", "left-lung").read(), drawn)
        np.testing.assert_array_equal(
            back.pixels("volume")[...], filled.pixels("volume")[...]
        )
        back.save_mask("case-1", "left-lung", None, status=DONE, parent=5)
        found = {p.relative_to(back.path).as_posix() for p in back.path.rglob("*")}
        assert "models/v1/weights.safetensors" in found
        assert not any("v2" in name for name in found)
        assert not any("groups" in name for name in found)
        assert all(
            stat.S_IMODE(p.stat().st_mode) == (0o700 if p.is_dir() else 0o600)
            for p in [back.path, *back.path.rglob("*")]
        )


def test_names_are_in_it_only_when_asked_for(filled, tmp_path):
    plain, named = tmp_path / "plain.zip", tmp_path / "named.zip"
    # As a project has it that an earlier program began.
    (filled.path / "groups.json").write_text('{"anon-0009": "Roe, Rick"}')
    filled.backup(plain)
    filled.backup(named, names=True)
    assert b"Doe, Jane" not in plain.read_bytes()
    assert b"Roe, Rick" not in plain.read_bytes()
    with Project.from_backup(named, tmp_path / "back") as back:
        assert back.group_name("anon-0001") == "Doe, Jane"
        assert back.group_name("anon-0009") == "Roe, Rick"


def test_a_reader_can_take_one_and_it_replaces_the_older(filled, tmp_path):
    file = filled.backup(tmp_path / "b.zip")
    filled.add_target("spleen")
    with Project.open(filled.path) as reader:
        assert reader.backup(file) == file
    with Project.from_backup(file, tmp_path / "back") as back:
        assert back.position == filled.position
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_it_is_consistent_while_another_thread_commits(filled, tmp_path, drawn):
    stop = threading.Event()

    def write() -> None:
        parent = filled.mask("case-1", "left-lung").revision
        n = 0
        while not stop.is_set():
            n += 1
            pixels = np.full((4, 4), n, np.uint16)
            filled.add_image(pixels, name=f"n{n}", axes="yx")
            parent = filled.save_mask(
                "case-1", "left-lung", drawn ^ (n % 2), status=DONE, parent=parent
            ).number

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for n in range(3):
            file = filled.backup(tmp_path / f"{n}.zip")
            with Project.from_backup(file, tmp_path / f"back{n}") as back:
                assert back.verify() == []
                for image in back.images():
                    assert back.pixels(image)[...].shape == image.shape
    finally:
        stop.set()
        thread.join()


def test_a_failed_backup_leaves_the_older_one(filled, tmp_path, monkeypatch):
    file = filled.backup(tmp_path / "b.zip")
    old = file.read_bytes()
    filled.add_target("spleen")

    def fail(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup_module, "fsync_file", fail)
    with pytest.raises(StoreError, match="is full"):
        filled.backup(file)
    assert file.read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.zip", "project"]


def test_a_folder_in_use_is_not_written_to(filled, tmp_path):
    file = filled.backup(tmp_path / "b.zip")
    with pytest.raises(BadInputError, match="not empty"):
        Project.from_backup(file, filled.path)
    (tmp_path / "empty").mkdir()
    Project.from_backup(file, tmp_path / "empty").close()


# ------------------------------------------------------------------------ hostile
def repack(source, target, change) -> None:
    """Write a backup again, with a list of (name, content) changed."""
    with zipfile.ZipFile(source) as packed:
        members = [(zipfile.ZipInfo(n), packed.read(n)) for n in packed.namelist()]
    members = change(members)
    with zipfile.ZipFile(target, "w") as packed:
        for info, content in members:
            packed.writestr(info, content)


def named(name: str, content: bytes = b"x", mode: int = 0o100600):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info, content


def compressed(name: str):
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info, bytes(1 << 20)


HOSTILE = [
    (lambda m: [*m, named("images/../../evil")], "leads out"),
    (lambda m: [*m, named("/etc/cron.d/evil")], "leads out"),
    (lambda m: [*m, named("images\\..\\..\\evil")], "leads out"),
    (lambda m: [*m, named("C:/evil")], "leads out"),
    (lambda m: [*m, named("images/link", b"/etc", 0o120777)], "is a link"),
    (lambda m: [*m, named("images/pipe", b"", 0o010600)], "is a link"),
    (lambda m: [*m, named("images/folder/", b"")], "is a link or a folder"),
    (lambda m: [*m, named("logs/log")], "no place in a project"),
    (lambda m: [*m, named(".lock")], "no place in a project"),
    (lambda m: [*m, named("ledger.sqlite-wal")], "no place in a project"),
    (lambda m: [*m, compressed("images/bomb")], "compressed or encrypted"),
    (lambda m: m[1:], "not a backup"),
    (lambda m: [], "not a backup"),
    (lambda m: [named("ledger.sqlite", b"nonsense" * 999), *m[1:]], "damaged"),
    (lambda m: m[:-2], "damaged"),
    (lambda m: [(i, c[:-1] + b"~") if "/c/" in i.filename else (i, c) for i, c in m],
     "damaged"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), HOSTILE)
def test_an_archive_that_is_refused(filled, tmp_path, change, message):
    shutil.rmtree(filled.models_dir)
    good, bad = filled.backup(tmp_path / "good.zip"), tmp_path / "bad.zip"
    repack(good, bad, change)
    with pytest.raises(LgsslError, match=message):
        Project.from_backup(bad, tmp_path / "deep" / "back")
    assert list((tmp_path / "deep").iterdir()) == []
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(filled, tmp_path):
    good, bad = filled.backup(tmp_path / "good.zip"), tmp_path / "bad.zip"
    repack(good, bad, lambda members: [*members, named("ledger.sqlite", b"evil")])
    with pytest.raises(BadInputError, match="not a backup"):
        Project.from_backup(bad, tmp_path / "back")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(99)])
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(BadInputError, match="cannot be read as a backup"):
        Project.from_backup(tmp_path / "b.zip", tmp_path / "back")
    with pytest.raises(BadInputError, match="cannot be read as a backup"):
        Project.from_backup(tmp_path / "none.zip", tmp_path / "back")


def test_an_archive_cut_short_is_refused(filled, tmp_path):
    file = filled.backup(tmp_path / "b.zip")
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(BadInputError, match="cannot be read as a backup"):
        Project.from_backup(file, tmp_path / "back")


def test_more_than_the_disk_holds_is_refused_at_once(filled, tmp_path, monkeypatch):
    file = filled.backup(tmp_path / "b.zip")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(backup_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BadInputError, match="free some space"):
        Project.from_backup(file, tmp_path / "back")


def test_a_damaged_backup_names_what_is_broken(filled, tmp_path):
    chunk = filled.path / "images/volume.ome.zarr/0/c/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    file = filled.backup(tmp_path / "b.zip")
    with pytest.raises(CorruptError, match=r"image volume: .* cut short"):
        Project.from_backup(file, tmp_path / "back")
    assert not (tmp_path / "back").exists()
