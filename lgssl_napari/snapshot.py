"""What is read from a project for the panel; runs where reading may block."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from lgssl_napari.state import ImageRow, ProjectState, Statuses, VersionRow
from src_core.types import MaskStatus

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.checkpoints import ModelCard
    from src_core.store import Project


def read_project(project: Project) -> ProjectState:
    """Return the project as the panel shows it, a handful of queries in all."""
    statuses = read_statuses(project)
    return ProjectState(
        path=project.path,
        name=project.name,
        read_only=project.read_only,
        images=image_rows(project, statuses),
        targets=tuple(project.targets()),
        statuses=statuses,
        versions=read_versions(project),
    )


def read_statuses(project: Project) -> Statuses:
    """Return how far each mask has got."""
    found = {(mask.image, mask.target): mask.status for mask in project.masks()}
    return MappingProxyType(found)


def image_rows(project: Project, statuses: Statuses) -> tuple[ImageRow, ...]:
    """Return the lines of the list of images."""
    finished: dict[str, int] = {}
    flagged: set[str] = set()
    for (image, _), status in statuses.items():
        finished[image] = finished.get(image, 0) + status.is_truth
        if status is MaskStatus.FLAGGED:
            flagged.add(image)
    return tuple(
        ImageRow(i.id, i.name, i.split, finished.get(i.id, 0), i.id in flagged)
        for i in project.images()
    )


def read_versions(project: Project) -> tuple[VersionRow, ...]:
    """Return the model versions, newest first; nothing heavy where there is none."""
    if not any(project.models_dir.glob("v*/model.json")):
        return ()
    # Not above: these bring torch, which a project without a model never needs.
    from src_core.checkpoints import version_number
    from src_core.rounds import promoted

    answers = promoted(project)
    cards = [card for path in project.models_dir.glob("v*") if (card := _card(path))]
    cards.sort(key=lambda card: version_number(card.version), reverse=True)
    return tuple(
        VersionRow(
            version=card.version,
            parent=card.parent,
            created=card.created,
            method=card.settings.method,
            labelled=card.labelled,
            unlabelled=card.unlabelled,
            dice=card.validation.get("mean"),
            per_target=tuple(
                (target, value)
                for target, value in card.validation.items()
                if target != "mean"
            ),
            answers=card.version == answers,
        )
        for card in cards
    )


def _card(folder: Path) -> ModelCard | None:
    """Read a model's card; one that is damaged must not keep a project shut."""
    from src_core.checkpoints import load_card
    from src_core.errors import CorruptError, NotFoundError

    try:
        return load_card(folder)
    except (CorruptError, NotFoundError):
        return None
