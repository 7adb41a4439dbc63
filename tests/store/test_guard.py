"""Names that stay inside, and sizes that are believed only within limits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import zstd as codec

from src_core.errors import BadInputError, CorruptError
from src_core.store import guard, masks, zstd


@pytest.mark.parametrize("name", ["a", "case-1.png", "0", "a_b.c-d", "a" * 120])
def test_identifiers(name):
    assert guard.check_id(name, "image") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "A",
        "-a",
        "a.",
        "é",
        "a b",
        "nul",
        "nul.txt",
        "com1.x",
        "a" * 121,
        "zarr.json",
        "a\x00",
        "a\n",
        "a\\b",
        "c:",
        "~",
    ],
)
def test_what_is_no_identifier(name):
    with pytest.raises(BadInputError, match="cannot name a target"):
        guard.check_id(name, "target")


@pytest.mark.parametrize("name", ["a", "a/b", "a/./b", "images/x.ome.zarr/0/c/0"])
def test_names_inside(tmp_path, name):
    assert guard.contained(tmp_path, name) == Path(tmp_path.resolve(), name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a/..",
        "a\\..\\x",
        "C:/x",
        "a\x00b",
        "//host/share",
        "a/../b",
    ],
)
def test_names_that_lead_out(tmp_path, name):
    with pytest.raises(BadInputError, match="leads out"):
        guard.contained(tmp_path, name)


def test_links_that_lead_out(tmp_path):
    home = tmp_path / "home"
    (home / "in").mkdir(parents=True)
    (home / "out").symlink_to(tmp_path)
    (home / "near").symlink_to(home / "in")

    with pytest.raises(BadInputError, match="link that leads out"):
        guard.contained(home, "out/secret")
    assert guard.contained(home, "near/x") == home.resolve() / "in" / "x"
    (tmp_path / "alias").symlink_to(home)
    assert guard.contained(tmp_path / "alias", "in") == home.resolve() / "in"


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "", "/", "\\"]), max_size=6))
def test_no_name_ever_leads_out(parts):
    root = Path("/no/such/home")
    try:
        path = guard.contained(root, "/".join(parts))
    except BadInputError:
        return
    assert path.is_relative_to(root)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([10**9, 10**9], "declares"),
        ([-1, 5], "impossible"),
        ([1.5], "impossible"),
        (["5"], "impossible"),
        ([True], "impossible"),
        ([2**31], "declares 8,192 MiB and 1,024 MiB are allowed"),
    ],
)
def test_sizes_that_are_not_believed(shape, message):
    with pytest.raises(BadInputError, match=message):
        guard.check_size(shape, 4, 1 << 30, "The file")
    assert guard.check_size([3, 4], 4, 48, "The file") == 48


DOCUMENT = json.loads(masks.metadata((8, 9)))
CHUNK = {"name": "regular", "configuration": {"chunk_shape": [8, 9]}}
HOSTILE_METADATA = [
    ({"codecs": [{"name": "numcodecs.pickle"}]}, "only bytes and zstd"),
    ({"codecs": [{"name": "vlen-bytes"}, {"name": "zstd"}]}, "only bytes and zstd"),
    ({"codecs": [{"name": "zstd"}, {"name": "bytes"}]}, "only bytes and zstd"),
    ({"codecs": [{"name": "bytes"}, *[{"name": "zstd"}] * 2]}, "only bytes and zstd"),
    ({"codecs": []}, "only bytes and zstd"),
    ({"codecs": "bytes"}, "no usable"),
    ({"data_type": "object"}, "recorded uint8"),
    ({"data_type": {"name": "struct"}}, "recorded uint8"),
    ({"shape": [8, 10]}, "recorded uint8"),
    ({"shape": [10**6, 10**6]}, "recorded uint8"),
    ({"node_type": "group"}, "not a plain zarr"),
    ({"zarr_format": 2}, "not a plain zarr"),
    ({"storage_transformers": [{"name": "x"}]}, "not a plain zarr"),
    ({"chunk_grid": {**CHUNK, "name": "rectangular"}}, "not a plain zarr"),
    ({"chunk_grid": {"name": "regular", "configuration": {}}}, "no usable"),
    ({"chunk_grid": None}, "no usable"),
] + [
    (
        {"chunk_grid": {**CHUNK, "configuration": {"chunk_shape": chunk}}},
        message,
    )
    for chunk, message in [
        ([10**6, 10**6], "A chunk of .* declares"),
        ([0, 9], "impossible chunk"),
        ([8], "impossible chunk"),
        ("89", "impossible chunk"),
        ([-8, -9], "impossible shape"),
    ]
]


@pytest.mark.parametrize(("change", "message"), HOSTILE_METADATA)
def test_metadata_that_is_refused(change, message):
    with pytest.raises(BadInputError, match=message):
        guard.check_array({**DOCUMENT, **change}, shape=(8, 9), dtype="uint8", what="X")


def test_metadata_that_is_read():
    size = guard.check_array(DOCUMENT, shape=(8, 9), dtype="uint8", what="X")
    assert size == 72


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 10**6, b'{"a": 1' + b"0" * 5000]
)
def test_json_that_is_refused(data):
    with pytest.raises(CorruptError, match="The record"):
        guard.parse_json(data, "The record")


# ------------------------------------------------------------------------- zstd
@given(st.binary(min_size=1, max_size=3000), st.integers(1, 19), st.booleans())
def test_every_frame_of_the_encoder_is_measured_right(data, level, checksum):
    frame = codec.compress(data, level, checksum)
    zstd.check_frame(frame, len(data), "X")
    assert zstd.decompress(frame, len(data), "X") == data
    assert zstd.decompress(zstd.compress(data, level), len(data), "X") == data


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_791, 65_792, 300_000])
@pytest.mark.parametrize("content", ["zeros", "noise"])
def test_frames_of_every_header_width(size, content):
    noise = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8).tobytes()
    data = noise if content == "noise" else bytes(size)
    assert zstd.decompress(codec.compress(data, 3), size, "X") == data


def bomb(size: int) -> bytes:
    return codec.compress(bytes(size), 19)


HOSTILE_FRAMES = [
    (bomb(1 << 28), "declares 268435456 bytes"),
    (codec.compress(bytes(64), 3) + bomb(1 << 28), "something was added"),
    (codec.compress(bytes(64), 3)[:-1], "cut short"),
    (codec.compress(bytes(range(64)), 3)[:12], "cut short"),
    (codec.compress(bytes(64), 3)[:4], "cut short"),
    (b"", "not compressed"),
    (b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip", "not compressed"),
    (b"PK\x03\x04" + bytes(60), "not compressed"),
    (b"\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00", "declares None"),
    # one frame that promises 64 bytes, whose RLE block has 2 MB of them
    (
        b"\x28\xb5\x2f\xfd\x20\x40" + (2**20 << 3 | 3).to_bytes(3, "little") + b"a",
        "dam",
    ),
    # a checksum that does not fit
    (codec.compress(bytes(64), 3, True)[:-1] + b"x", "damaged"),
]


@pytest.mark.parametrize(("data", "message"), HOSTILE_FRAMES)
def test_frames_that_are_refused(data, message):
    with pytest.raises(CorruptError, match=message):
        zstd.decompress(data, 64, "The chunk")


@given(st.binary(max_size=40))
def test_no_bytes_crash_the_frame_reader(data):
    with pytest.raises(CorruptError):
        zstd.decompress(b"\x28\xb5\x2f\xfd" + data, 10**6, "X")
