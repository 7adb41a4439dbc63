"""Skips and pins in the ledger."""

from __future__ import annotations

import pytest

from src_core.errors import BadInputError, NotFoundError, ReadOnlyError
from src_core.rounds.wishes import Wish, WishKind, forget, pin, skip, wishes
from src_core.store import Project
from src_core.types import Split


@pytest.fixture
def project(tmp_path, fill_project):
    with Project.create(tmp_path / "p") as opened:
        fill_project(opened, {Split.TRAIN: 3}, labelled=0)
        yield opened


def test_a_wish_is_a_revision_with_author_and_reason(project):
    image = project.images()[0]
    revision = skip(project, image.name, "  moved \n a lot ", target="disc", who="eve")
    assert (revision.what, revision.who) == ("skip", "eve")
    assert revision.note == f"{image.id}: moved a lot"
    assert wishes(project) == [
        Wish(image.id, "disc", WishKind.SKIP, "moved a lot", "eve")
    ]
    assert not project.verify()


def test_the_last_word_stands(project):
    image = project.images()[0].id
    skip(project, image, "blurred", target="disc")
    pin(project, image, target="bar")
    pin(project, image, target="disc")
    assert {(w.target, w.kind) for w in wishes(project)} == {
        ("disc", WishKind.PIN),
        ("bar", WishKind.PIN),
    }
    skip(project, image, "all of it is blurred")
    assert [(w.target, w.kind) for w in wishes(project)] == [("", WishKind.SKIP)]
    pin(project, image, target="bar")
    assert len(wishes(project)) == 2
    forget(project, image)
    assert [(w.target, w.kind) for w in wishes(project)] == [("bar", WishKind.PIN)]


def test_only_what_changed_since(project):
    one, two, _ = (image.id for image in project.images())
    pin(project, one)
    position = project.position
    pin(project, two)
    assert [wish.image for wish in wishes(project, position)] == [two]
    assert len(wishes(project)) == 2


def test_an_earlier_position_has_its_own_wishes(project):
    position = project.position
    pin(project, project.images()[0].id)
    with Project.open(project.path, at=position) as earlier:
        assert wishes(earlier) == []


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        (lambda p: skip(p, "im0.png", " "), BadInputError, "Say why"),
        (lambda p: skip(p, "im0.png", "x" * 501), BadInputError, "501 characters"),
        (lambda p: skip(p, "nobody", "x"), NotFoundError, "no image"),
        (lambda p: pin(p, "im0.png", target="lung"), NotFoundError, "no target"),
        (lambda p: forget(p, "im0.png"), BadInputError, "neither skipped nor pinned"),
    ],
)
def test_what_cannot_be_wished(project, act, error, says):
    with pytest.raises(error, match=says):
        act(project)


def test_a_reader_wishes_nothing(project):
    with Project.open(project.path) as reader, pytest.raises(ReadOnlyError):
        pin(reader, "im0.png")
