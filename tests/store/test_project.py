"""What a project keeps, and gives back."""

from __future__ import annotations

import json
import os
import stat

import numpy as np
import pytest
import zarr

from src_core.errors import (
    BadInputError,
    ConflictError,
    LockedError,
    NotFoundError,
    ReadOnlyError,
    StoreError,
)
from src_core.store import Project
from src_core.types import IMPORTED, MaskStatus, Source, SourceKind, Split

DONE = MaskStatus.DONE


# ------------------------------------------------------------------ life cycle
def test_a_new_project_has_one_revision_and_its_name(project):
    assert project.name == "Chest"
    assert project.position == 1
    assert [row.what for row in project.history()] == ["create"]
    assert not project.read_only


def test_create_refuses_a_folder_in_use(tmp_path, project):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.docx").write_text("x")
    with pytest.raises(BadInputError, match=r"thesis\.docx"):
        Project.create(tmp_path / "used")
    with pytest.raises(BadInputError, match="project already"):
        Project.create(project.path)
    with pytest.raises(BadInputError, match="is a file"):
        Project.create(tmp_path / "used" / "thesis.docx")


def test_create_takes_over_what_a_killed_creation_left(tmp_path):
    root = tmp_path / "p"
    (root / "images").mkdir(parents=True)
    (root / "ledger.sqlite.new").write_bytes(b"half")
    (root / "ledger.sqlite.new-wal").write_bytes(b"half")
    with Project.create(root) as project:
        assert project.position == 1
    assert not list(root.glob("*.new*"))


def test_open_says_where_there_is_no_project(tmp_path):
    with pytest.raises(NotFoundError, match="no project"):
        Project.open(tmp_path)


def test_folders_and_files_are_private(project, image, target, drawn):
    project.save_mask(image.id, target.id, drawn, status=DONE)
    modes = {
        stat.S_IMODE(path.stat().st_mode): path.is_dir()
        for path in [project.path, *project.path.rglob("*")]
    }
    assert modes == {0o700: True, 0o600: False}


def test_the_second_writer_is_told_who_has_it(project):
    with pytest.raises(LockedError, match=f"ada.*process {os.getpid()}"):
        Project.open(project.path, mode="rw")
    with Project.open(project.path) as reader:
        assert reader.read_only
    project.close()
    with Project.open(project.path, mode="rw") as second:
        assert not second.read_only


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.add_image(np.zeros((2, 2), np.uint8), name="n", axes="yx"),
        lambda p: p.add_target("t"),
        lambda p: p.save_mask("case-1", "left-lung", None, status=MaskStatus.EMPTY),
        lambda p: p.update_image("case-1", caption="c"),
        lambda p: p.sign_off("case-1", "left-lung", "bob"),
        lambda p: p.restore(2),
        lambda p: p.record("note", {"documents/a": b"{}"}),
    ],
)
def test_a_reader_writes_nothing(project, image, target, change):
    before = project.position
    with (
        Project.open(project.path) as reader,
        pytest.raises(ReadOnlyError, match="reading only"),
    ):
        change(reader)
    assert project.position == before


def test_a_closed_project_says_so(project, image, target, drawn):
    project.save_mask(image.id, target.id, drawn, status=DONE)
    mask = project.mask(image.id, target.id)
    project.close()
    project.close()
    with pytest.raises(StoreError, match="is closed"):
        mask.read()


# ---------------------------------------------------------------------- images
PIXELS = [
    ("yx", np.uint8, (5, 7)),
    ("yx", np.bool_, (5, 7)),
    ("cyx", np.uint16, (3, 5, 7)),
    ("zyx", np.int16, (4, 5, 7)),
    ("zyx", np.float32, (4, 5, 7)),
    ("czyx", np.float64, (2, 4, 5, 7)),
    ("yx", ">i2", (5, 7)),
]


@pytest.mark.parametrize(("axes", "dtype", "shape"), PIXELS)
def test_pixels_come_back_as_they_were(project, axes, dtype, shape):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 2 if dtype == np.bool_ else 200, shape).astype(dtype)
    image, new = project.add_image(pixels, name="a.png", axes=axes)
    stored = project.pixels(image)
    assert new
    assert (image.axes, image.shape) == (axes, shape)
    assert stored.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(stored[...], pixels)
    with pytest.raises(ValueError, match="read-only"):
        stored[...] = 0


def test_a_record_keeps_all_that_was_said(project, volume):
    with Project.open(project.path) as reader:
        found = reader.image("Volume")
    assert found == volume
    assert found.spacing == (5.0, 0.7, 0.7)
    assert found.origin == (-10.0, 3.0, 4.5)
    assert (found.unit, found.orientation) == ("millimeter", "SPL")
    assert found.split is Split.TRAIN
    assert found.spatial_shape == (6, 40, 30)


def test_images_are_ome_zarr_05(project, volume):
    group = zarr.open_group(project.path / f"images/{volume.id}.ome.zarr", mode="r")
    ome = group.attrs["ome"]
    scale, translation = ome["multiscales"][0]["datasets"][0][
        "coordinateTransformations"
    ]
    assert ome["version"] == "0.5"
    assert [axis["name"] for axis in ome["multiscales"][0]["axes"]] == ["z", "y", "x"]
    assert {axis["unit"] for axis in ome["multiscales"][0]["axes"]} == {"millimeter"}
    assert scale == {"type": "scale", "scale": [5.0, 0.7, 0.7]}
    assert translation["translation"] == [-10.0, 3.0, 4.5]
    assert group["0"].shape == (6, 40, 30)


CHUNKS = [
    ("yx", (300, 200), 1, (300, 200)),
    ("cyx", (3, 300, 200), 2, (3, 300, 200)),
    ("zyx", (100, 512, 512), 2, (8, 512, 512)),
    ("zyx", (3, 64, 64), 2, (3, 64, 64)),
    ("yx", (20_000, 20_000), 1, (2048, 2048)),
]


@pytest.mark.parametrize(("axes", "shape", "itemsize", "chunk"), CHUNKS)
def test_one_chunk_for_a_plane_and_slabs_for_a_volume(axes, shape, itemsize, chunk):
    from src_core.store.images import chunk_shape

    assert chunk_shape(shape, axes, itemsize) == chunk


def test_the_same_pixels_are_imported_once(project, image):
    pixels = project.pixels(image)[...]
    again, new = project.add_image(pixels, name="other name", axes="yx")
    assert (again, new) == (image, False)
    other, new = project.add_image(pixels.T.copy(), name="Case 1", axes="yx")
    assert new
    assert other.id == f"case-1-{other.id[-8:]}"
    # the same bytes of another type are other pixels
    assert project.add_image(pixels.view(np.int16), name="i", axes="yx")[1]
    assert len(project.images()) == 3


REFUSED_IMAGES = [
    ({"axes": "xy"}, "order"),
    ({"axes": "zx"}, "y and x"),
    ({"axes": "zyx"}, "shape"),
    ({"axes": "yyx"}, "order"),
    ({"spacing": (1.0,)}, "2 positive spacings"),
    ({"spacing": (1.0, 0.0)}, "positive"),
    ({"spacing": (1.0, float("nan"))}, "positive"),
    ({"origin": (1.0,)}, "2 origins"),
    ({"unit": "parsec"}, "parsec"),
    ({"name": " \n"}, "empty"),
    ({"name": "x" * 3000}, "2000"),
]


@pytest.mark.parametrize(("said", "message"), REFUSED_IMAGES)
def test_an_image_that_cannot_be_is_refused(project, said, message):
    given = {"name": "a", "axes": "yx", **said}
    with pytest.raises(BadInputError, match=message):
        project.add_image(np.zeros((4, 4), np.uint8), **given)
    assert project.images() == []
    assert not list((project.path / "images").iterdir())


@pytest.mark.parametrize("dtype", [object, complex, "datetime64[s]", "U3", "V4"])
def test_only_numbers_are_pixels(project, dtype):
    with pytest.raises(BadInputError, match="convert them"):
        project.add_image(np.zeros((4, 4), dtype), name="a", axes="yx")


NAMES = [
    ("Fall 01.nii.gz", "fall-01.nii.gz"),
    ("../../etc/passwd", "etc-passwd"),
    ("Müller", "muller"),
    ("zarr.json", None),
    ("con", None),
    ("com1.png", None),
    ("左肺", None),
    ("...", None),
    ("__x__", "x"),
    ("a" * 300, "a" * 80),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_identifiers_are_safe_file_names(project, name, expected):
    image, _ = project.add_image(np.ones((4, 4), np.uint8), name=name, axes="yx")
    assert image.name == name
    if expected is not None:
        assert image.id == expected
    assert (project.path / "images" / f"{image.id}.ome.zarr" / "0").is_dir()
    assert project.image(image.id) == image
    assert project.image(name) == image
    assert project.verify() == []


def test_images_are_read_in_one_query_and_only_what_changed_again(project):
    for n in range(20):
        pixels = np.full((4, 5), n, np.uint8)
        project.add_image(pixels, name=f"i{n:02d}", axes="yx", spacing=(0.5, 2.0))
    with Project.open(project.path) as other:
        asked: list[str] = []

        def trace(_cursor, sql, _values):
            asked.extend([sql] if "FROM entry" in sql else [])
            return True

        other.ledger.database.connection.exec_trace = trace
        images = other.images()
        assert [image.id for image in images] == [f"i{n:02d}" for n in range(20)]
        assert len(asked) <= 2  # a page, and that there is no other
        # What they have in common is held once.
        assert len({id(image.spacing) for image in images}) == 1
        assert images[3].spacing == (0.5, 2.0)
        images.clear()
        project.update_image("i03", caption="a heart")
        asked.clear()
        assert [i.caption for i in other.images()] == [
            "a heart" * (n == 3) for n in range(20)
        ]
        assert len(asked) == 1


def test_an_unknown_image_suggests_a_known_one(project, image):
    with pytest.raises(NotFoundError, match="did you mean 'Case 1'"):
        project.image("Case 11")


def test_two_images_of_one_name_are_told_apart(project):
    for value in (1, 2):
        pixels = np.full((4, 4), value, np.uint8)
        project.add_image(pixels, name="Scan A", axes="yx")
    with pytest.raises(BadInputError, match="2 images are called 'Scan A'"):
        project.image("Scan A")
    assert project.image("scan-a").name == "Scan A"


def test_a_group_is_a_pseudonym_and_its_name_stays_in_one_file(project, image):
    other, _ = project.add_image(
        np.zeros((3, 3), np.uint8), name="b", axes="yx", group="Doe, Jane"
    )
    assert image.group == other.group == "anon-0001"
    assert project.group_name("anon-0001") == "Doe, Jane"
    files = [path for path in project.path.rglob("*") if path.is_file()]
    holding = [path.name for path in files if b"Jane" in path.read_bytes()]
    assert holding == ["groups.json"]


def test_pseudonyms_go_on_when_the_map_is_lost(project, image):
    (project.path / "groups.json").unlink()
    project.close()
    with Project.open(project.path, mode="rw") as again:
        pixels = np.zeros((3, 3), np.uint8)
        other, _ = again.add_image(pixels, name="b", axes="yx", group="Roe, Rick")
        assert other.group == "anon-0002"
        assert again.group_name("anon-0001") == "anon-0001"


def test_a_group_is_never_divided(project):
    for value in range(3):
        pixels = np.full((3, 3), value, np.uint8)
        project.add_image(pixels, name=f"i{value}", axes="yx", group="g")
    with pytest.raises(BadInputError, match="never divided"):
        project.add_image(
            np.full((3, 3), 9, np.uint8),
            name="i9",
            axes="yx",
            group="g",
            split=Split.TEST,
        )
    before = project.position
    project.update_image("i0", split=Split.TEST, who="bob")
    assert {image.split for image in project.images()} == {Split.TEST}
    assert project.position == before + 1
    assert project.images(Split.TRAIN) == []
    with Project.open(project.path, at=before) as then:
        assert len(then.images(Split.TRAIN)) == 3
    alone, _ = project.add_image(np.ones((5, 5), np.uint8), name="alone", axes="yx")
    with pytest.raises(BadInputError, match="give the split too"):
        project.update_image(alone.id, group="g")
    project.update_image(alone.id, group="g", split=Split.VAL)
    assert {image.split for image in project.images()} == {Split.VAL}


# --------------------------------------------------------------------- targets
def test_adding_a_target_again_merges_its_prompts(project, target):
    again = project.add_target(" left  LUNG ", ["the lung on the left", "sinister"])
    assert again.id == target.id == "left-lung"
    assert again.name == "Left lung"
    assert again.prompts == ("left lung", "the lung on the left", "sinister")
    assert project.target("LEFT LUNG") == again
    assert project.targets() == [again]
    before = project.position
    project.add_target("Left lung", "sinister")
    assert project.position == before


def test_targets_of_the_same_letters_stay_apart(project):
    first, second = project.add_target("a/b"), project.add_target("a b")
    assert first.id != second.id
    assert project.target("a b") == second


def test_an_unknown_target_suggests_a_known_one(project, target):
    with pytest.raises(NotFoundError, match="did you mean"):
        project.target("left lungs")


# ----------------------------------------------------------------------- masks
def test_a_mask_comes_back_with_all_that_was_said(project, image, target, drawn):
    assert project.mask(image.id, target.id) is None
    source = Source(SourceKind.MODEL, "v3", "left lung")
    row = project.save_mask(
        image.id,
        target.id,
        drawn,
        who="ada",
        status=MaskStatus.FLAGGED,
        source=source,
        seconds_spent=12.5,
        note="apex unclear",
    )
    mask = project.mask("Case 1", "left lung")
    assert (mask.image, mask.target, mask.revision) == (image.id, target.id, row.number)
    assert (mask.status, mask.who, mask.note) == (
        MaskStatus.FLAGGED,
        "ada",
        "apex unclear",
    )
    np.testing.assert_array_equal(mask.read(), drawn)
    assert mask.read().dtype == np.uint8
    newest = project.history(limit=1)[0]
    assert newest == row
    assert (newest.source, newest.seconds_spent) == (source, 12.5)
    assert newest.when.endswith("+00:00")
    assert newest.prev_hash == project.history()[1].sha256


def test_a_mask_reads_its_own_revision_whatever_is_saved_later(
    project, image, target, drawn
):
    first = project.save_mask(image.id, target.id, drawn, status=DONE)
    held = project.mask(image.id, target.id)
    project.save_mask(image.id, target.id, 1 - drawn, status=DONE, parent=first.number)
    np.testing.assert_array_equal(held.read(), drawn)
    np.testing.assert_array_equal(project.mask(image.id, target.id).read(), 1 - drawn)


def test_a_stale_parent_is_a_conflict_that_names_both(project, image, target, drawn):
    first = project.save_mask(image.id, target.id, drawn, status=DONE)
    second = project.save_mask(
        image.id, target.id, 1 - drawn, status=DONE, parent=first.number
    )
    for stale in (None, first.number):
        with pytest.raises(ConflictError, match=f"revision {second.number}") as caught:
            project.save_mask(image.id, target.id, drawn, status=DONE, parent=stale)
        assert (caught.value.expected, caught.value.found) == (stale, second.number)
    np.testing.assert_array_equal(project.mask(image.id, target.id).read(), 1 - drawn)
    assert project.position == second.number


def test_targets_overlap_and_do_not_speak_for_one_another(project, image, drawn):
    for name in ("lung", "tumour"):
        project.add_target(name)
    project.save_mask(image.id, "lung", drawn, status=DONE)
    assert project.mask(image.id, "tumour") is None
    project.save_mask(image.id, "tumour", drawn, status=DONE)
    np.testing.assert_array_equal(project.mask(image.id, "tumour").read(), drawn)


def test_empty_on_purpose_needs_no_pixels(project, image, target, drawn):
    row = project.save_mask(image.id, target.id, None, status=MaskStatus.EMPTY)
    mask = project.mask(image.id, target.id)
    assert mask.status is MaskStatus.EMPTY
    assert mask.read().shape == (40, 30)
    assert not mask.read().any()
    keys = [entry.key for entry in project.ledger.entries(row.number)]
    assert keys == ["masks/case-1/left-lung/zarr.json"]
    with pytest.raises(BadInputError, match="has 170 pixels"):
        project.save_mask(
            image.id,
            target.id,
            drawn,
            status=MaskStatus.EMPTY,
            parent=row.number,
        )


def test_without_pixels_a_status_changes_alone(project, image, target, drawn):
    first = project.save_mask(image.id, target.id, drawn, status=MaskStatus.IN_PROGRESS)
    second = project.save_mask(
        image.id, target.id, None, status=DONE, parent=first.number
    )
    assert project.ledger.entries(second.number) == []
    np.testing.assert_array_equal(project.mask(image.id, target.id).read(), drawn)
    project.save_mask(
        image.id, target.id, None, status=MaskStatus.UNLABELLED, parent=second.number
    )
    assert not project.mask(image.id, target.id).read().any()


REFUSED_MASKS = [
    (np.zeros((40, 31), np.uint8), {}, r"shape \(40, 31\)"),
    (np.full((40, 30), 2, np.uint8), {}, "values from 2 to 2"),
    (np.full((40, 30), -1, np.int8), {}, "values from -1"),
    (np.zeros((40, 30), np.float32), {}, "float32"),
    (None, {"status": MaskStatus.FLAGGED}, "without a note"),
    (None, {"who": "bob", "reviewer": "bob"}, "second person"),
    (None, {"seconds_spent": -1.0}, "0 s or more"),
    (None, {"parent": -1}, "cannot replace"),
    (None, {"who": "x" * 201}, "200 characters"),
]


@pytest.mark.parametrize(("array", "said", "message"), REFUSED_MASKS)
def test_a_mask_that_cannot_be_is_refused(project, image, target, array, said, message):
    before = project.position
    with pytest.raises(BadInputError, match=message):
        project.save_mask(image.id, target.id, array, **{"status": DONE, **said})
    assert project.position == before


def test_a_boolean_mask_is_taken(project, image, target, drawn):
    project.save_mask(image.id, target.id, drawn.astype(bool), status=DONE)
    np.testing.assert_array_equal(project.mask(image.id, target.id).read(), drawn)


def test_a_stroke_on_one_slice_writes_that_chunk_only(project, volume, target):
    array = np.zeros(volume.spatial_shape, np.uint8)
    array[1:4, 5:20, 5:20] = 1
    first = project.save_mask(volume.id, target.id, array, status=DONE)
    prefix = f"masks/{volume.id}/{target.id}/"
    keys = [entry.key for entry in project.ledger.entries(first.number)]
    planes = [f"{prefix}c/{z}/0/0" for z in (1, 2, 3)]
    assert keys == [*planes, f"{prefix}zarr.json"]
    array[2, 30:35, 10:20] = 1
    array[3] = 0
    second = project.save_mask(
        volume.id, target.id, array, status=DONE, parent=first.number
    )
    entries = project.ledger.entries(second.number)
    assert [(e.key, e.size is None) for e in entries] == [
        (f"{prefix}c/2/0/0", False),
        (f"{prefix}c/3/0/0", True),
    ]
    np.testing.assert_array_equal(project.mask(volume.id, target.id).read(), array)


SHAPES = [(40, 30), (512, 512), (513, 700), (1, 1), (3, 600, 20), (2, 513, 513)]


@pytest.mark.parametrize("shape", SHAPES)
def test_any_zarr_reader_opens_a_mask(project, target, shape):
    axes = "zyx"[-len(shape) :]
    image, _ = project.add_image(np.zeros(shape, np.uint8), name="i", axes=axes)
    mask = np.random.default_rng(0).integers(0, 2, shape).astype(np.uint8)
    project.save_mask(image.id, target.id, mask, status=DONE)
    array = zarr.open_array(
        project.store, path=f"masks/{image.id}/{target.id}", mode="r"
    )
    assert max(array.chunks[-2:]) <= 512
    np.testing.assert_array_equal(array[...], mask)
    np.testing.assert_array_equal(project.mask(image.id, target.id).read(), mask)


def test_the_whole_ledger_is_one_zarr_hierarchy(project, image, target, drawn):
    project.save_mask(image.id, target.id, drawn, status=DONE)
    project.record("promote", {"documents/promoted.json": b'{"version": "v1"}'})
    root = zarr.open_group(project.store, mode="r")
    assert sorted(name for name, _ in root.members(max_depth=None)) == [
        "documents",
        "documents/promoted.json",
        "images",
        "images/case-1",
        "masks",
        "masks/case-1",
        "masks/case-1/left-lung",
        "targets",
        "targets/left-lung",
    ]


def test_masks_lists_the_newest_of_each_split(project, image, volume, target, drawn):
    project.update_image(volume.id, split=Split.VAL)
    one = project.save_mask(image.id, target.id, drawn, status=DONE)
    two = project.save_mask(image.id, target.id, None, status=DONE, parent=one.number)
    three = project.save_mask(volume.id, target.id, None, status=MaskStatus.EMPTY)
    found = {record.image: record for record in project.masks()}
    assert (found[image.id].revision, found[image.id].status) == (two.number, DONE)
    assert [r.revision for r in project.masks(Split.VAL)] == [three.number]
    assert [r.image for r in project.masks(Split.TRAIN)] == [image.id]
    with Project.open(project.path, at=one.number) as then:
        assert [r.revision for r in then.masks()] == [one.number]


# -------------------------------------------------------------------- sign-off
def test_a_second_person_signs_off_and_a_change_takes_it_back(
    project, image, target, drawn
):
    first = project.save_mask(image.id, target.id, drawn, who="ada", status=DONE)
    for wrong in ("ada", ""):
        with pytest.raises(BadInputError, match="made by ada"):
            project.sign_off(image.id, target.id, wrong)
    row = project.sign_off(image.id, target.id, "bob")
    mask = project.mask(image.id, target.id)
    assert (row.what, row.parent) == ("sign-off", first.number)
    assert (mask.who, mask.reviewer, mask.status) == ("ada", "bob", DONE)
    assert mask.revision == row.number
    project.save_mask(
        image.id, target.id, 1 - drawn, who="bob", status=DONE, parent=row.number
    )
    mask = project.mask(image.id, target.id)
    assert (mask.who, mask.reviewer) == ("bob", "")


def test_only_a_finished_mask_is_signed_off(project, image, target, drawn):
    with pytest.raises(NotFoundError, match="no mask"):
        project.sign_off(image.id, target.id, "bob")
    project.save_mask(image.id, target.id, drawn, status=MaskStatus.PROPOSED)
    with pytest.raises(BadInputError, match="is proposed"):
        project.sign_off(image.id, target.id, "bob")


# --------------------------------------------------------------------- history
def test_history_is_of_an_image_a_target_or_all(project, image, volume, target, drawn):
    project.save_mask(image.id, target.id, drawn, status=DONE)
    project.save_mask(volume.id, target.id, None, status=MaskStatus.EMPTY)
    assert [r.what for r in project.history(image=image.name)] == ["mask", "image"]
    assert [r.image for r in project.history(target=target.name)] == [
        volume.id,
        image.id,
        None,
    ]
    assert len(project.history(image.id, target.id)) == 1
    numbers = [row.number for row in project.history()]
    assert numbers == list(range(project.position, 0, -1))
    assert [row.number for row in project.history(limit=2)] == numbers[:2]


def test_restore_makes_a_new_revision_of_the_old_content(project, image, target, drawn):
    source = Source(SourceKind.MODEL, "v1", "lung")
    first = project.save_mask(
        image.id, target.id, drawn, status=MaskStatus.PROPOSED, source=source
    )
    second = project.save_mask(
        image.id, target.id, None, status=MaskStatus.EMPTY, parent=first.number
    )
    back = project.restore(first.number, who="bob")
    assert (back.what, back.who, back.parent) == ("restore", "bob", second.number)
    assert (back.status, back.source) == (MaskStatus.PROPOSED, source)
    assert back.note == f"restores revision {first.number}"
    np.testing.assert_array_equal(project.mask(image.id, target.id).read(), drawn)
    project.restore(second.number)
    assert not project.mask(image.id, target.id).read().any()
    assert project.mask(image.id, target.id).status is MaskStatus.EMPTY
    assert project.verify() == []


def test_restore_brings_back_a_status_without_pixels(project, image, target):
    first = project.save_mask(image.id, target.id, None, status=MaskStatus.EMPTY)
    project.save_mask(
        image.id, target.id, None, status=MaskStatus.UNLABELLED, parent=first.number
    )
    project.restore(first.number)
    assert project.mask(image.id, target.id).status is MaskStatus.EMPTY
    assert not project.mask(image.id, target.id).read().any()


def test_restore_does_not_divide_a_group(project):
    for value in range(3):
        pixels = np.full((3, 3), value, np.uint8)
        project.add_image(pixels, name=f"i{value}", axes="yx", group="g")
    imported = project.history("i1")[0].number
    project.update_image("i0", split=Split.TEST)
    project.restore(imported)
    assert [image.split for image in project.images()] == [Split.TRAIN] * 3


def test_restore_brings_back_an_images_record_and_a_document(project, image):
    told = project.update_image(image.id, caption="first")
    project.update_image(image.id, caption="second")
    project.restore(told.number)
    assert project.image(image.id).caption == "first"
    one = project.record("promote", {"documents/p": b'{"v": 1}'})
    project.record("promote", {"documents/p": b'{"v": 2}'})
    project.restore(one.number)
    assert project.document("documents/p") == {"v": 1}


def test_restore_refuses_what_it_cannot_bring_back(project):
    with pytest.raises(BadInputError, match="changed nothing"):
        project.restore(1)
    with pytest.raises(NotFoundError, match="no revision 99"):
        project.restore(99)


# ------------------------------------------------------------------- snapshots
def test_a_snapshot_sees_nothing_newer(project, image, target, drawn):
    row = project.save_mask(image.id, target.id, drawn, status=DONE)
    with Project.open(project.path, at=row.number) as frozen:
        project.save_mask(
            image.id, target.id, 1 - drawn, status=DONE, parent=row.number
        )
        project.add_target("new")
        project.add_image(np.ones((3, 3), np.uint8), name="new", axes="yx")
        assert frozen.position == row.number
        np.testing.assert_array_equal(frozen.mask(image.id, target.id).read(), drawn)
        assert [i.id for i in frozen.images()] == [image.id]
        assert [t.id for t in frozen.targets()] == [target.id]
        assert len(frozen.history()) == row.number
        with pytest.raises(NotFoundError, match="no target"):
            frozen.target("new")


def test_pixels_of_a_revision_to_come_are_refused(project, image, target, drawn):
    row = project.save_mask(image.id, target.id, drawn, status=DONE)
    found = project.read_mask(image, target.id, row.number - 1)
    assert not found.any()
    with pytest.raises(NotFoundError, match="no revision 99"):
        project.read_mask(image, target.id, 99)


def test_a_live_reader_follows(project, image, target, drawn):
    with Project.open(project.path) as reader:
        row = project.save_mask(image.id, target.id, drawn, status=DONE)
        assert reader.position == row.number
        assert reader.mask(image.id, target.id).revision == row.number


def test_a_position_that_is_not_there_is_refused(project):
    with pytest.raises(NotFoundError, match="no revision 7"):
        Project.open(project.path, at=7)
    with pytest.raises(BadInputError, match="read-only"):
        Project.open(project.path, mode="rw", at=1)
    with Project.open(project.path, at=0) as before:
        assert before.history() == []


# ------------------------------------------------------------------- documents
def test_documents_have_a_history(project):
    key = "documents/promoted.json"
    assert project.document(key) is None
    one = project.record("promote", {key: b'{"version": "v1"}'}, who="ada")
    two = project.record("promote", {key: b'{"version": "v2"}'}, note="better")
    assert project.document(key) == {"version": "v2"}
    assert project.documents(key) == [
        (two, {"version": "v2"}),
        (one, {"version": "v1"}),
    ]
    with Project.open(project.path, at=one.number) as then:
        assert then.document(key) == {"version": "v1"}
        assert len(then.documents(key)) == 1


def test_several_documents_are_one_revision(project):
    row = project.record(
        "freeze", {"documents/a": b'{"n": 1}', "documents/b": json.dumps({}).encode()}
    )
    assert project.position == row.number
    assert project.document("documents/b") == {}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("promoted.json", b"{}", "documents/NAME"),
        ("documents/../images/x", b"{}", "documents/NAME"),
        ("documents/zarr.json", b"{}", "documents/NAME"),
        ("documents/a", b"[1]", "JSON object"),
        ("documents/a", b"nonsense", "not JSON"),
        ("documents/a", b'{"a": NaN}', "not a JSON number"),
        ("documents/a", b"[" * 100_000, "not JSON"),
        ("documents/a", b"\xff", "not JSON"),
    ],
)
def test_a_document_that_cannot_be_is_refused(project, key, value, message):
    with pytest.raises(BadInputError, match=message):
        project.record("x", {key: value})


def test_imports_are_told_from_drawings(project, image, target, drawn):
    row = project.save_mask(image.id, target.id, drawn, status=DONE, source=IMPORTED)
    assert row.source.kind is SourceKind.IMPORT
