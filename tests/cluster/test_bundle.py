"""A snapshot as a bundle and back: the same training, and no names."""

from __future__ import annotations

import json

import numpy as np
import pytest

from discs_and_bars import draw, fill, quick_request
from src_core.checkpoints import CARD, ModelCard, save_model
from src_core.cluster.blobs import BlobStore
from src_core.cluster.manifest import Manifest, bundle_name, read_manifest
from src_core.cluster.pack import pack
from src_core.cluster.unpack import unpack
from src_core.config import ModelSettings
from src_core.errors import BadInputError, CorruptError
from src_core.presence import PresenceRule
from src_core.rounds import held_out_groups, promote
from src_core.rounds.proposing import first_teachers
from src_core.rounds.snapshot import pool_items
from src_core.store import Project
from src_core.types import MaskStatus, Source, SourceKind, Split

BOTH = frozenset({Split.TRAIN, Split.VAL})
# Long enough that none stands by chance among hashes and compressed pixels.
NAMES = (
    b"Doe^Jane", b"Jane Doe", b"doe-jane", b"Mr. Doe", b"1970-01-01", b"Monday",
    b"dr-secret", b"im0.png", b"anon-0001", b"Ward 7", b"secret-model", b"secret bar",
)  # fmt: skip


def send(bundle, store):
    for sha256, size in bundle.blobs.items():
        store.append(sha256, size, 0, bundle.read(sha256, 0, size))


def packed(folder, store, **changes):
    with Project.open(folder) as project:
        frozen = project.position
    with Project.open(folder, at=frozen) as project:
        bundle = pack(project, quick_request(**changes))
        send(bundle, store)
    return bundle


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "server" / "blobs")


def test_a_training_sees_the_same_there(make_project, store, tmp_path):
    folder = make_project()
    bundle = packed(folder, store)
    frame = bundle.request.settings.frame
    there = tmp_path / "server" / "work"
    position = unpack(read_manifest(bundle.manifest), store, there)
    with Project.open(folder) as mine, Project.open(there, at=position) as theirs:
        here = list(pool_items(mine, held_out_groups(mine), BOTH, frame))
        gone = list(pool_items(theirs, held_out_groups(theirs), BOTH, frame))
        assert [t.wordings for t in mine.targets()] == [
            t.wordings for t in theirs.targets()
        ]
        order = {t.id: n for n, t in enumerate(mine.targets())}
        far = {t.id: n for n, t in enumerate(theirs.targets())}
        assert theirs.verify() == []
    assert len(here) == len(gone) == 10
    for a, b in zip(here, gone, strict=True):
        np.testing.assert_array_equal(a.picture.pixels, b.picture.pixels)
        assert a.split == b.split
        mine_truth = {order[t]: mask for t, mask in a.truth.items()}
        their_truth = {far[t]: mask for t, mask in b.truth.items()}
        assert mine_truth.keys() == their_truth.keys()
        for target, mask in mine_truth.items():
            np.testing.assert_array_equal(mask, their_truth[target])


@pytest.mark.parametrize("modality", ["CT", "", "a ward's own word"])
def test_how_a_patient_lies_goes_along(tmp_path, store, modality):
    """It decides how a model is shown an image; what took it, only as DICOM says it."""
    oblique = (1.0, 0.0, 0.0, 0.0, 0.8, -0.6, 0.0, 0.6, 0.8)
    facts = {
        "spacing": (4.0, 1.0, 0.5),
        "unit": "millimeter",
        "orientation": "PSL",
        "direction": oblique,
    }
    with Project.create(tmp_path / "a", "a", who="ada") as project:
        fill(project, {Split.TRAIN: 2, Split.VAL: 1}, labelled=2)
        pixels = np.arange(4 * 32 * 40, dtype=np.int16).reshape(4, 32, 40)
        project.add_image(pixels, name="x", axes="zyx", modality=modality, **facts)
    bundle = packed(tmp_path / "a", store)
    there = tmp_path / "server" / "work"
    position = unpack(read_manifest(bundle.manifest), store, there)
    with Project.open(there, at=position) as project:
        (found,) = [image for image in project.images() if image.axes == "zyx"]
    assert {name: getattr(found, name) for name in facts} == facts
    assert found.modality == ("CT" if modality == "CT" else "")


def test_no_name_travels(make_project, store, tmp_path):
    """Not in the list, not in a content, not in what lies on the server after."""
    bundle = packed(make_project(), store)
    there = tmp_path / "server" / "work"
    unpack(read_manifest(bundle.manifest), store, there)
    texts = [bundle.manifest, bundle.request.model_dump_json().encode()]
    ours = [p for p in there.rglob("*") if p.is_file()]
    kept = [p for p in store.root.rglob("*") if p.is_file()]
    texts += [p.read_bytes() for p in (*ours, *kept)]
    texts += [str(p.relative_to(tmp_path / "server")).encode() for p in (*ours, *kept)]
    for text in texts:
        found = [n for n in NAMES if n in text]
        assert not found, (found, text[:300])
    with Project.open(there) as project:
        assert {revision.who for revision in project.history()} == {"bundle"}


def test_test_images_and_unfinished_masks_stay_here(make_project, store):
    folder = make_project()
    manifest = read_manifest(packed(folder, store).manifest)
    with Project.open(folder) as project:
        hashes = {image.sha256: image for image in project.images()}
        secret = project.image("Doe^Jane 1970-01-01.png")
        names = [t.id for t in project.targets()]
    sent = {hashes[image.sha256].split for image in manifest.images}
    assert sent == {Split.TRAIN, Split.VAL}
    (only,) = [image for image in manifest.images if image.sha256 == secret.sha256]
    assert only.masks == {names.index("bar"): {}}


@pytest.mark.parametrize("may", [True, False])
def test_proposals_travel_only_if_they_may_teach(make_project, store, tmp_path, may):
    folder, drawn = make_project(), np.eye(64, dtype=np.uint8)
    with Project.open(folder, mode="rw") as project:
        done = {mask.image for mask in project.masks()}
        image = next(i for i in project.images(Split.TRAIN) if i.id not in done)
        for target, model in (("disc", "clipseg@0123456789ab"), ("bar", "v1")):
            project.save_mask(
                image.id,
                target,
                drawn,
                who="ada",
                status=MaskStatus.PROPOSED,
                source=Source(SourceKind.MODEL, model, "dr-secret"),
            )
    bundle = packed(folder, store, proposals_teach=may)
    assert bundle.request.proposals_teach is may
    there = tmp_path / "server" / "work"
    position = unpack(read_manifest(bundle.manifest), store, there)
    with Project.open(there, at=position) as theirs:
        teachers = first_teachers(theirs, asked=True)
        proposed = [m for m in theirs.masks() if m.status is MaskStatus.PROPOSED]
        assert len(proposed) == may
        for mask in proposed:
            assert teachers[mask.image] == {mask.target: "clipseg@0123456789ab"}
            read = theirs.mask(mask.image, mask.target).read()
            np.testing.assert_array_equal(read, drawn)


def test_captions_travel_only_where_a_model_learns_from_them(tmp_path, store):
    with Project.create(tmp_path / "one") as project:
        fill(project, {Split.TRAIN: 2}, labelled=2, targets=("disc",))
        project.update_image("im0.png", caption="a disc at the left")
    manifest = read_manifest(packed(tmp_path / "one", store).manifest)
    assert sorted(image.caption for image in manifest.images) == [
        "",
        "a disc at the left",
    ]


def test_the_same_state_has_the_same_name_and_one_mask_more_is_one_content_more(
    make_project, store
):
    folder = make_project()
    first = packed(folder, store)
    assert packed(folder, store).name == first.name
    with Project.open(folder, mode="rw") as project:
        other = draw(123)[1]["disc"]
        project.save_mask("im5.png", "disc", other, status=MaskStatus.DONE)
        frozen = project.position
    with Project.open(folder, at=frozen) as project:
        second = pack(project, quick_request())
        missing = store.missing(second.blobs)
    assert second.name != first.name
    assert len(missing) == 1
    assert sum(missing.values()) < 1000


def test_a_file_changed_since_it_was_hashed_is_hashed_again(make_project, store):
    folder = make_project()
    first = packed(folder, store)
    (chunk,) = list((folder / "images" / "im0.png.ome.zarr" / "0" / "c").rglob("0"))[
        -1:
    ]
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    assert packed(folder, store).name != first.name


def test_the_version_that_answers_goes_along_and_its_card_says_no_more_than_needed(
    make_project, store, tmp_path
):
    folder = make_project()
    card = ModelCard(
        version="v1",
        created="2026-01-01",
        position=3,
        settings=ModelSettings(),
        targets=["disc"],
        labelled=1,
        unlabelled=1,
        steps=1,
        seconds=1.0,
        validation={"disc": 0.5, "mean": 0.5},
        presence=PresenceRule(threshold=0.3),
    )
    with Project.open(folder, mode="rw") as project:
        save_model(project.models_dir, {}, card)
        promote(project, "v1", who="ada", reason="chosen")
    bundle = packed(folder, store)
    there = tmp_path / "there"
    unpack(read_manifest(bundle.manifest), store, there)
    sent = json.loads((there / "models" / "v1" / CARD).read_bytes())
    assert sent["presence"]["threshold"] == 0.3
    assert (sent["targets"], sent["validation"], sent["created"]) == ([], {}, "")
    # What decides the picture's size is the version's, not asked of the images here;
    # unless a training is to start from nothing.
    assert bundle.request.settings.frame.size == 0
    fresh = packed(folder, store, fresh=True)
    assert fresh.request.settings.frame.size == 64


def test_a_bundle_that_lost_a_content_makes_no_project(make_project, store, tmp_path):
    bundle = packed(make_project(), store)
    manifest = read_manifest(bundle.manifest)
    masks = (mask for image in manifest.images for mask in image.masks.values())
    sha256, _ = next(blob for mask in masks for blob in mask.values())
    store.path(sha256).write_bytes(b"rotten")
    with pytest.raises(CorruptError):
        unpack(manifest, store, tmp_path / "there")
    assert not (tmp_path / "there").exists()
    with Project.open(tmp_path / "project") as project:
        frozen = project.position
    with Project.open(tmp_path / "project", at=frozen) as project:
        send(pack(project, quick_request()), store)
    unpack(manifest, store, tmp_path / "there")
    with Project.open(tmp_path / "there") as project:
        assert project.verify() == []


BLOB = ["0" * 64, 5]
GOOD = {
    "format": 1,
    "targets": [{"name": "disc", "prompts": []}],
    "images": [
        {
            "axes": "yx",
            "shape": [64, 64],
            "dtype": "uint8",
            "sha256": "1" * 64,
            "split": "train",
            "array": BLOB,
            "chunks": {"c/0/0": ["2" * 64, 9]},
            "masks": {"0": {"c/0/0": ["3" * 64, 9]}},
        }
    ],
}


def altered(path, value):
    copy = json.loads(json.dumps(GOOD))
    *way, last = path
    place = copy
    for step in way:
        place = place[step]
    place[last] = value
    return copy


IMAGE = ("images", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*IMAGE, "chunks"), {"../../../etc/cron.d/x": BLOB}),
        ((*IMAGE, "chunks"), {"/etc/passwd": BLOB}),
        ((*IMAGE, "chunks"), {"c/0/..": BLOB}),
        ((*IMAGE, "chunks"), {"c\\0\\0": BLOB}),
        ((*IMAGE, "chunks"), {"zarr.json": BLOB}),
        ((*IMAGE, "chunks"), {"c/0/0\n": BLOB}),
        ((*IMAGE, "chunks"), {"c/0/0": ["../secret", 5]}),
        ((*IMAGE, "chunks"), {"c/0/0": ["0" * 64, 1 << 40]}),
        ((*IMAGE, "chunks"), {"c/0/0": ["0" * 64, -1]}),
        ((*IMAGE, "chunks"), {"c/0/0": ["0" * 64, 6]}),  # two sizes for one hash
        ((*IMAGE, "array"), ["4" * 64, 1 << 30]),
        ((*IMAGE, "masks"), {"1": {}}),
        ((*IMAGE, "masks"), {"-1": {}}),
        ((*IMAGE, "split"), "test"),
        ((*IMAGE, "axes"), "xyt"),
        ((*IMAGE, "shape"), [64]),
        ((*IMAGE, "shape"), [64, 64, 64]),
        ((*IMAGE, "shape"), [0, 64]),
        ((*IMAGE, "dtype"), "object"),
        ((*IMAGE, "id"), "../x"),
        ((*IMAGE, "group"), "Jane"),
        (("model",), {"version": "../v1", "weights": BLOB, "card": BLOB}),
        (("model",), {"version": "v1", "weights": BLOB, "card": ["0" * 64, 1 << 30]}),
        (("format",), 2),
        (("extra",), 1),
    ],
)
def test_a_hostile_list_is_refused(path, value):
    Manifest.model_validate_json(json.dumps(GOOD))
    with pytest.raises(BadInputError, match="not usable"):
        read_manifest(json.dumps(altered(path, value)).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_list_is_refused(data):
    with pytest.raises(BadInputError, match="not usable"):
        read_manifest(data)


def test_a_list_that_is_too_long_is_not_parsed():
    with pytest.raises(BadInputError, match="fewer images"):
        read_manifest(b" " * (65 << 20))


def test_a_list_reads_back_as_what_it_was(make_project, store):
    bundle = packed(make_project(), store)
    read = read_manifest(bundle.manifest)
    assert read.pack() == bundle.manifest
    assert bundle_name(read.pack()) == bundle.name
    assert read.blobs() == bundle.blobs
