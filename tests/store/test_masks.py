"""What a project keeps of a mask, and gives back."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from src_core.errors import BadInputError, ConflictError, NotFoundError
from src_core.store import Project
from src_core.types import IMPORTED, MaskStatus, Source, SourceKind, Split

DONE = MaskStatus.DONE


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


def test_imports_are_told_from_drawings(project, image, target, drawn):
    row = project.save_mask(image.id, target.id, drawn, status=DONE, source=IMPORTED)
    assert row.source.kind is SourceKind.IMPORT


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
