"""Which model version answers: a pointer in the ledger, so that it has a history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from src_core.checkpoints import ModelCard, load_card
from src_core.errors import NoModelError

if TYPE_CHECKING:
    from src_core.store import Project
    from src_core.types import Revision

DOCUMENT = "documents/promoted.json"


def promoted(project: Project) -> str | None:
    """Return the version that answers, None before the first."""
    document = project.document(DOCUMENT)
    return document["version"] if document else None


def promote(project: Project, version: str, *, who: str, reason: str) -> Revision:
    """Let a version answer from now on; also how one rolls back.

    Raises
    ------
    NotFoundError
        If there is no such version.
    """
    load_card(project.models_dir / version)
    content = json.dumps({"version": version, "reason": reason}).encode()
    return project.record("promote", {DOCUMENT: content}, who=who, note=reason)


def deployed_card(project: Project, version: str | None = None) -> ModelCard:
    """Return the card of a version, by default of the promoted one.

    Raises
    ------
    NoModelError
        If none was promoted yet.
    """
    version = version or promoted(project)
    if version is None:
        raise NoModelError(
            "There is no model in this project yet. Label a few images "
            "('lgssl next' names the ones to begin with), then train."
        )
    return load_card(project.models_dir / version)
