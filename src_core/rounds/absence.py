"""What a person knows not to be in whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from src_core.store import Project
    from src_core.types import Image, Revision, Target

UNTOUCHED = (None, MaskStatus.UNLABELLED, MaskStatus.PROPOSED)


def declare_absent(
    project: Project, target: Target, images: Iterable[Image], *, who: str
) -> tuple[list[Revision], list[Image]]:
    """Keep as truth that a target is not in whole images.

    A prompt for what belongs to another kind of image teaches a network to say "not
    found", but only a person knows that it cannot be there.

    Parameters
    ----------
    project : Project
        Open for writing.
    target : Target
        What is not there.
    images : iterable of Image
        In which.
    who : str
        Who knows.

    Returns
    -------
    saved : list of Revision
        Masks that are empty on purpose.
    left : list of Image
        Images in which somebody has begun; nothing was changed there.
    """
    standing = {m.image: m for m in project.masks() if m.target == target.id}
    saved, left = [], []
    for image in images:
        mask = standing.get(image.id)
        if (mask.status if mask else None) not in UNTOUCHED:
            left.append(image)
            continue
        saved.append(
            project.save_mask(
                image.id,
                target.id,
                None,
                who=who,
                status=MaskStatus.EMPTY,
                parent=mask.revision if mask else None,
                note="declared absent from the whole image",
            )
        )
    return saved, left
