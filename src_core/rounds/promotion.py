"""Which model version answers: a pointer in the ledger, so that it has a history."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from src_core.checkpoints import WEIGHTS, ModelCard, load_card
from src_core.errors import NoModelError, NotFoundError
from src_core.rounds.comparison import read_comparison, write_comparison

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
        If there is no such version, or its weights are gone.
    """
    folder = project.models_dir / version
    load_card(folder)
    if not (folder / WEIGHTS).is_file():
        raise NotFoundError(
            f"The weights of model version '{version}' are gone from this project; "
            "restore its folder from a backup or promote another version."
        )
    content = json.dumps({"version": version, "reason": reason}).encode()
    return project.record("promote", {DOCUMENT: content}, who=who, note=reason)


def promote_result(
    project: Project, result: dict[str, Any], *, who: str
) -> dict[str, Any]:
    """Let the version of a training answer, if its gate says so and nobody chose since.

    The gate compared it with what answered when the training began. Whoever chose
    another version meanwhile, as one goes back from a bad one, meant it.

    Parameters
    ----------
    project : Project
        Open for writing.
    result : dict
        ``RoundResult.as_dict()``.
    who : str
        Goes into the ledger.

    Returns
    -------
    dict
        The same, or that it was kept aside, and why.
    """
    version, now = result["version"], promoted(project)
    if not result["promoted"] or now == version:
        return result
    with type(project).open(project.path, at=result["position"]) as frozen:
        before = promoted(frozen)
    if now == before:
        promote(project, version, who=who, reason=result["verdict"]["reason"])
        return result
    beside = f"beside {before}" if before else "alone"
    reason = (
        f"Kept aside: another version was chosen meanwhile, and {now} goes on "
        f"answering; {version} can be promoted by hand. Judged {beside}, it was: "
        f"{result['verdict']['reason']}"
    )
    _keep_aside(project, version, reason)
    verdict = {**result["verdict"], "promoted": False, "reason": reason}
    return {**result, "promoted": False, "verdict": verdict}


def _keep_aside(project: Project, version: str, reason: str) -> None:
    """Let the version's own comparison, which is shown later, say the same."""
    folder = project.models_dir / version
    comparison = read_comparison(folder)
    if comparison is not None:
        verdict = dataclasses.replace(comparison.verdict, promoted=False, reason=reason)
        write_comparison(folder, dataclasses.replace(comparison, verdict=verdict))


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
