"""Earlier states: the history, what is brought back from it, and snapshots."""

from __future__ import annotations

import numpy as np
import pytest

from src_core.errors import BadInputError, NotFoundError
from src_core.store import Project
from src_core.types import MaskStatus, Source, SourceKind, Split

DONE = MaskStatus.DONE


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
