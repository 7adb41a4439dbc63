"""Small JSON documents in the ledger."""

from __future__ import annotations

import json

import pytest

from src_core.errors import BadInputError
from src_core.store import Project


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
