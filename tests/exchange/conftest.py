"""A project to take in to, and to export from."""

from __future__ import annotations

import pytest

from src_core.store import Project


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", who="ada") as opened:
        yield opened
