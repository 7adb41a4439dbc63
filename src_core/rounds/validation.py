"""The frozen validation set: chosen once a project, by group, never trained on.

Images imported as ``val`` are the validation set. Where there are none, some labelled
groups are held out the first time that it is possible, and the choice is written into
the ledger; it is never drawn again, so that all versions are compared on one ground.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from src_core.store.truth import truths
from src_core.types import Split

if TYPE_CHECKING:
    from src_core.store import Project
    from src_core.types import Image

DOCUMENT = "documents/validation.json"
SHARE, FEWEST = 0.2, 4


def held_out_groups(project: Project) -> frozenset[str]:
    """Return the groups held out of training; empty where ``val`` images serve."""
    document = project.document(DOCUMENT)
    return frozenset(document["groups"]) if document else frozenset()


def effective_split(image: Image, held_out: frozenset[str]) -> Split:
    """Return the image's split, validation for the groups that were held out."""
    if image.split is Split.TRAIN and image.group in held_out:
        return Split.VAL
    return image.split


def ensure_validation(project: Project, who: str) -> frozenset[str]:
    """Choose the held-out groups if that is due, and return them.

    Nothing is chosen while fewer than `FEWEST` groups are labelled: each of so few is
    worth more as a teacher than as an examiner.

    Parameters
    ----------
    project : Project
        Open for writing.
    who : str
        Goes into the ledger with the choice.
    """
    chosen = held_out_groups(project)
    if chosen or truths(project, Split.VAL):
        return chosen
    labelled = truths(project, Split.TRAIN)
    groups = {
        image.group or image.id for image in project.images() if image.id in labelled
    }
    if len(groups) < FEWEST:
        return frozenset()
    # By hash: no order of import or of labelling decides who examines.
    order = sorted(groups, key=lambda group: hashlib.sha256(group.encode()).digest())
    picked = order[: max(1, round(SHARE * len(order)))]
    content = json.dumps({"groups": sorted(picked)}).encode()
    project.record("hold out", {DOCUMENT: content}, who=who)
    return frozenset(picked)
