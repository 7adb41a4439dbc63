"""What is read from a project for the panel; runs where reading may block."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from lgssl_napari.opened import opened
from lgssl_napari.state import ImageRow, ProjectState, VersionRow
from src_core.types import MaskStatus, Split

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.checkpoints import ModelCard
    from src_core.store import Project
    from src_core.types import Image

    Key = tuple[str, str]


PAGE = 200
"""Images whose records are read before the project is shown."""


def first_look(project: Project) -> ProjectState:
    """Return a project as it is shown at once, whatever its size.

    Reads the identifiers of all images and the records of a page of them; where there
    are more, :func:`read_rows` has the rest.
    """
    statuses = read_statuses(project)
    ids = project.image_ids()
    page = [project.image(image) for image in ids[:PAGE]]
    return ProjectState(
        path=project.path,
        name=project.name,
        read_only=project.read_only,
        images=image_rows(page, statuses),
        targets=tuple(project.targets()),
        statuses=MappingProxyType(statuses),
        versions=read_versions(project),
        count=len(ids),
        first=_first_untouched(project, ids, statuses),
    )


def read_rows(path: Path) -> tuple[ImageRow, ...]:
    """Return every line of the list of images; for the helper process."""
    project = opened(path)
    return image_rows(project.images(), read_statuses(project))


def _first_untouched(
    project: Project, ids: list[str], statuses: dict[Key, MaskStatus]
) -> str:
    """Return the first training image without a finished mask, or ``""``."""
    finished = {image for (image, _), status in statuses.items() if status.is_truth}
    for image in ids:
        if image not in finished and project.image(image).split is Split.TRAIN:
            return image
    return ""


def read_statuses(project: Project) -> dict[Key, MaskStatus]:
    """Return how far each mask has got."""
    return {(mask.image, mask.target): mask.status for mask in project.masks()}


def image_rows(
    images: list[Image], statuses: dict[Key, MaskStatus]
) -> tuple[ImageRow, ...]:
    """Return the lines of the list of images."""
    finished: dict[str, int] = {}
    flagged: set[str] = set()
    for (image, _), status in statuses.items():
        finished[image] = finished.get(image, 0) + status.is_truth
        if status is MaskStatus.FLAGGED:
            flagged.add(image)
    return tuple(
        ImageRow(i.id, i.name, i.split, finished.get(i.id, 0), i.id in flagged)
        for i in images
    )


def read_versions(project: Project) -> tuple[VersionRow, ...]:
    """Return the model versions, newest first; nothing heavy where there is none."""
    if not any(project.models_dir.glob("v*/model.json")):
        return ()
    # Not above: a project without a model never needs these.
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
