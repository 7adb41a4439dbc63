"""Projects made by somebody else: each trick is refused, in a sentence of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest
from numcodecs import zstd as codec

from src_core.errors import BadInputError, CorruptError, LgsslError, NotFoundError
from src_core.store import Change, Ledger, Project, StrokeJournal, records
from src_core.store.records import image_key, pack_image
from src_core.types import MaskStatus

IMAGE, MASK = "case-1", "masks/case-1/left-lung"


def bomb(size: int) -> bytes:
    """A zstd frame of 128 KB blocks, each four bytes long: 32 KB that are 1 GB."""
    blocks, block = size >> 17, (1 << 17 << 3 | 2).to_bytes(3, "little") + b"\0"
    last = (1 << 17 << 3 | 3).to_bytes(3, "little") + b"\0"
    head = b"\x28\xb5\x2f\xfd\xc0\x38" + size.to_bytes(8, "little")
    return head + block * (blocks - 1) + last


BOMB = bomb(1 << 30)


@pytest.fixture
def root(project, image, volume, target, drawn):
    """A project with two images and a mask, closed."""
    project.save_mask(image.id, target.id, drawn, status=MaskStatus.DONE)
    project.close()
    return project.path


def peak_of(action) -> float:
    """Return the most memory that an action held, in MB."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.fixture
def _little_memory():
    """Fail a test that took more than 100 MB at once."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert peak < 100


def test_the_bomb_is_one_and_would_be_noticed():
    assert len(BOMB) < 33_000
    assert peak_of(lambda: codec.decompress(bomb(1 << 28))) > 250


def inject(root, entries: dict[str, bytes | None]) -> None:
    """Write to the ledger what no project would, with a perfect hash chain."""
    with Ledger(root / "ledger.sqlite", mode="rw") as ledger:
        ledger.commit(Change("eve", "inject"), entries)


def edit(path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# ------------------------------------------------------------------------ pixels
def _bomb(folder):
    (folder / "0/c/0/0").write_bytes(BOMB)


def _many_frames(folder):
    chunk = folder / "0/c/0/0"
    chunk.write_bytes(chunk.read_bytes() + BOMB)


def _truncated(folder):
    chunk = folder / "0/c/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-5])


def _rotten(folder):
    chunk = folder / "0/c/0/0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 0xFF
    chunk.write_bytes(data)


def _sparse(folder):
    with (folder / "0/c/0/0").open("wb") as file:
        file.truncate(1 << 40)


def _folder_for_a_chunk(folder):
    (folder / "0/c/0/0").unlink()
    (folder / "0/c/0/0").mkdir()


def _link(folder):
    secret = folder.parent.parent.parent / "secret"
    secret.write_bytes(b"x" * 100)
    (folder / "0/c/0/0").unlink()
    (folder / "0/c/0/0").symlink_to(secret)


def _linked_folder(folder):
    elsewhere = folder.parent.parent.parent / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)


def _pickle(folder):
    edit(folder / "0/zarr.json", codecs=[{"name": "numcodecs.pickle"}])


def _objects(folder):
    edit(folder / "0/zarr.json", data_type="object")


def _huge_chunk(folder):
    grid = {"name": "regular", "configuration": {"chunk_shape": [10**7, 10**7]}}
    edit(folder / "0/zarr.json", chunk_grid=grid)


def _huge_shape(folder):
    edit(folder / "0/zarr.json", shape=[10**8, 10**8])


def _deep_json(folder):
    (folder / "0/zarr.json").write_bytes(b'{"a":' * 100_000)


def _long_json(folder):
    with (folder / "0/zarr.json").open("wb") as file:
        file.truncate(1 << 40)


def _zip(folder):
    shutil.rmtree(folder)
    with zipfile.ZipFile(folder, "w") as packed:
        packed.writestr("0/zarr.json", "{}")


def _gone(folder):
    shutil.rmtree(folder)


PIXELS = [
    (_bomb, CorruptError, "declares 1073741824 bytes"),
    (_many_frames, CorruptError, "something was added"),
    (_truncated, CorruptError, "cut short"),
    (_rotten, CorruptError, "damaged"),
    (_sparse, CorruptError, "more than it may decode to"),
    (_folder_for_a_chunk, CorruptError, "cannot be read"),
    (_link, BadInputError, "link that leads out"),
    (_linked_folder, BadInputError, "link that leads out"),
    (_pickle, BadInputError, "only bytes and zstd"),
    (_objects, BadInputError, "recorded uint16"),
    (_huge_chunk, BadInputError, "A chunk of Image 'case-1' declares"),
    (_huge_shape, BadInputError, "recorded uint16 of shape"),
    (_deep_json, CorruptError, "zarr.json of Image 'case-1' is not readable"),
    (_long_json, CorruptError, "not readable"),
    (_zip, CorruptError, "no readable pixels"),
    (_gone, CorruptError, "no readable pixels"),
]


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize(("trick", "error", "message"), PIXELS)
def test_pixels_that_are_refused(root, trick, error, message):
    trick(root / "images" / f"{IMAGE}.ome.zarr")
    with Project.open(root) as project:
        with pytest.raises(error, match=message):
            project.pixels(IMAGE)[...]
        assert [finding.where for finding in project.verify()] == [f"image {IMAGE}"]
        # the rest of the project is as good as before
        assert project.pixels("volume")[...].shape == (6, 40, 30)
        assert project.mask(IMAGE, "left-lung").read().sum() == 170


# ------------------------------------------------------------------------- masks
def _metadata(**changes):
    from src_core.store import masks

    return json.dumps(json.loads(masks.metadata((40, 30))) | changes).encode()


GRID = {"name": "regular", "configuration": {"chunk_shape": [40, 15]}}
MASKS = [
    ({"c/0/0": BOMB}, CorruptError, "declares 1073741824"),
    ({"c/0/0": codec.compress(bytes(1200), 3)[:-3]}, CorruptError, "cut short"),
    ({"c/0/0": b"\x80\x04\x95pickle"}, CorruptError, "not compressed with zstd"),
    ({"c/0/0": codec.compress(b"\7" * 1200, 3)}, CorruptError, "beyond 0 and 1"),
    ({"zarr.json": _metadata(shape=[10**7, 10**7])}, BadInputError, "recorded uint8"),
    ({"zarr.json": _metadata(data_type="object")}, BadInputError, "recorded uint8"),
    ({"zarr.json": _metadata(codecs=[{"name": "x"}])}, BadInputError, "only bytes"),
    ({"zarr.json": _metadata(chunk_grid=GRID)}, BadInputError, "cut into the chunks"),
    ({"zarr.json": b"{" * 10**5}, CorruptError, "not readable"),
    ({"zarr.json": b"\x80pickle"}, CorruptError, "not readable"),
]


@pytest.mark.usefixtures("_little_memory")
@pytest.mark.parametrize(("entries", "error", "message"), MASKS)
def test_masks_that_are_refused(root, entries, error, message):
    inject(root, {f"{MASK}/{key}": value for key, value in entries.items()})
    with Project.open(root) as project:
        row = project.history(IMAGE, "left-lung")[0]
        with pytest.raises(error, match=message):
            project.read_mask(project.image(IMAGE), "left-lung", project.position)
        assert project.mask(IMAGE, "left-lung").read().sum() == 170
        assert row.number < project.position


# ----------------------------------------------------------------------- records
def _image(root, **changes) -> bytes:
    with Project.open(root) as project:
        image = project.image(IMAGE)
    return pack_image(dataclasses.replace(image, **changes))


RECORDS = [
    (lambda r: {"images/../../x/zarr.json": _image(r)}, "not readable"),
    (lambda r: {"images/a/b/zarr.json": _image(r)}, "not readable"),
    (lambda r: {"images/zarr.json.x/zarr.json": _image(r)}, ""),
    (lambda r: {image_key("x"): b"\x80\x04pickle"}, "not readable"),
    (lambda r: {image_key("x"): b"[]"}, "not a JSON object"),
    (lambda r: {image_key("x"): b'{"attributes": []}'}, "not readable"),
    (lambda r: {image_key("x"): records.group_node({"image": {}})}, "not readable"),
    (lambda r: {image_key("x"): _image(r, dtype="object")}, "not readable"),
    (lambda r: {image_key("x"): _image(r, dtype="(9999999,)u8")}, "not readable"),
    (lambda r: {image_key("x"): _image(r, axes="yxyx")}, "not readable"),
    (lambda r: {image_key("x"): _image(r, axes=None)}, "not readable"),
    (lambda r: {image_key("x"): _image(r, shape=(4,))}, "not readable"),
    (lambda r: {image_key("x"): _image(r, spacing=(1.0,))}, "not readable"),
    (lambda r: {image_key("x"): _image(r, name=5)}, "not readable"),
    (lambda r: {image_key("x"): _image(r, split="all")}, "not readable"),
    (lambda r: {"targets/../x/zarr.json": b"{}"}, "not readable"),
    (
        lambda r: {"targets/x/zarr.json": records.group_node({"target": 5})},
        "not readable",
    ),
]


@pytest.mark.parametrize(("entries", "message"), RECORDS)
def test_records_that_are_refused(root, entries, message):
    inject(root, entries(root))
    with Project.open(root) as project:
        if not message:
            assert len(project.images()) == 3
            return
        with pytest.raises(CorruptError, match=message):
            _ = project.targets(), project.images()
        assert "not" in project.verify()[0].problem
        with pytest.raises(LgsslError):
            project.image("../../x")


@pytest.mark.usefixtures("_little_memory")
def test_an_image_that_claims_petabytes(root):
    inject(root, {image_key("big"): _image(root, shape=(10**8, 10**8))})
    shutil.copytree(
        root / f"images/{IMAGE}.ome.zarr", root / "images/big.ome.zarr", symlinks=True
    )
    edit(root / "images/big.ome.zarr/0/zarr.json", shape=[10**8, 10**8])
    with Project.open(root, mode="rw") as project:
        with pytest.raises(BadInputError, match="declares 19,073,486,328 MiB"):
            project.pixels("big")
        with pytest.raises(BadInputError, match=r"The mask of .* declares"):
            project.save_mask("big", "left-lung", None, status=MaskStatus.EMPTY)


def test_a_document_that_is_none(root):
    inject(root, {"documents/p/zarr.json": records.group_node({"document": [1]})})
    with (
        Project.open(root) as project,
        pytest.raises(CorruptError, match="no document"),
    ):
        project.document("documents/p")


# ----------------------------------------------------------------------- folders
def test_a_zip_or_a_file_is_no_project(tmp_path):
    packed = tmp_path / "project.zarr"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("ledger.sqlite", b"x")
    with pytest.raises(NotFoundError, match="no project"):
        Project.open(packed)
    with pytest.raises(BadInputError, match="is a file"):
        Project.create(packed)


@pytest.mark.parametrize("folder", ["models", "jobs", "logs", "cache"])
def test_a_folder_that_leads_out(root, tmp_path, folder):
    (root / folder).rmdir()
    (root / folder).symlink_to(tmp_path)
    with (
        Project.open(root) as project,
        pytest.raises(BadInputError, match="link that leads out"),
    ):
        getattr(project, f"{folder}_dir")


def test_the_sweep_does_not_follow_a_link(root, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").touch()
    (root / "tmp" / "link").symlink_to(precious)
    (root / "tmp" / "import-x").mkdir()
    with Project.open(root, mode="rw"):
        assert list((root / "tmp").iterdir()) == []
    assert (precious / "thesis").exists()
    (root / "tmp").rmdir()
    (root / "tmp").symlink_to(precious)
    with pytest.raises(BadInputError, match="leads out"):
        Project.open(root, mode="rw")
    assert (precious / "thesis").exists()
    # and what could not be opened is not locked
    os.unlink(root / "tmp")
    (root / "tmp").mkdir()
    Project.open(root, mode="rw").close()


def test_a_ledger_elsewhere_is_not_opened(root, tmp_path):
    (root / "ledger.sqlite").rename(tmp_path / "elsewhere.sqlite")
    (root / "ledger.sqlite").symlink_to(tmp_path / "elsewhere.sqlite")
    with pytest.raises(NotFoundError, match="no ledger"):
        Project.open(root)


MAPS = [
    ("groups.json", b"[" * 10**6),
    ("groups.jsonl", b"[" * 10**6),
    ("groups.jsonl", b'{"anon-0001": "Doe"}\n[1]\n'),
    ("groups.jsonl", b'{"anon-0001": "Doe"}\n\n{"anon-0002": "Roe"}\n'),
    ("groups.jsonl", b'{"anon-0001": "' + b"x" * 9000 + b'"}\n'),
]


@pytest.mark.parametrize(("name", "content"), MAPS)
def test_a_hostile_map_of_patients(root, name, content):
    (root / name).write_bytes(content)
    with (
        Project.open(root) as project,
        pytest.raises(CorruptError, match="The map of patients"),
    ):
        project.group_name("anon-0001")


def test_a_map_of_patients_of_any_length_is_not_read(root):
    with (root / "groups.jsonl").open("wb") as file:
        file.truncate(1 << 40)
    with Project.open(root) as project, pytest.raises(CorruptError, match="too long"):
        project.group_name("anon-0001")


def test_a_map_of_patients_that_leads_out_is_not_written(root, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (root / "groups.jsonl").unlink()
    (root / "groups.jsonl").symlink_to(outside)
    with (
        Project.open(root, mode="rw") as project,
        pytest.raises(CorruptError, match="is a link"),
    ):
        project.update_image(IMAGE, group="Doe, Jane")
    assert outside.read_text() == "mine"


# ----------------------------------------------------------------------- journal
def test_a_journal_that_leads_out(root, tmp_path):
    (root / "journal" / IMAGE).symlink_to(tmp_path)
    with Project.open(root, mode="rw") as project:
        journal = StrokeJournal(project)
        with pytest.raises(BadInputError, match="leads out"):
            journal.write(IMAGE, "left-lung", np.zeros((40, 30), np.uint8))
        with pytest.raises(BadInputError, match="cannot name"):
            journal.write(IMAGE, "../../x", np.zeros((40, 30), np.uint8))
    assert not list(tmp_path.glob("*.strokes"))
