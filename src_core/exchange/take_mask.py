"""One mask from a file into the ledger, beside what somebody may have drawn there."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np

from src_core.errors import BadInputError, UserError
from src_core.rounds.absence import UNTOUCHED
from src_core.types import IMPORTED, MaskStatus

if TYPE_CHECKING:
    from src_core.exchange.decode import DecodedMask
    from src_core.exchange.intake import Intake
    from src_core.store import Project
    from src_core.types import Image


class Saved(Enum):
    """What became of a mask from a file; ``EQUAL``: it was there already."""

    NEW = auto()
    REPLACED = auto()
    EQUAL = auto()


def take_mask(
    project: Project,
    image: Image,
    decoded: DecodedMask,
    intake: Intake,
    who: str,
    what: str,
    *,
    replace: bool = False,
) -> bool:
    """Commit a mask from a file, and count it or tell why it could not be used.

    Parameters
    ----------
    project : Project
        Open for writing; it knows the target.
    image : Image
        What the mask lies over.
    decoded : DecodedMask
        The mask.
    intake : Intake
        Is told.
    who, what : str
        Who imports it, and what it is called there.
    replace : bool
        Whether it takes the place of another that somebody has begun.

    Returns
    -------
    bool
        Whether it is in the project now.
    """
    if decoded.note:
        intake.notes.append((what, decoded.note))
    try:
        if decoded.problem:
            raise BadInputError(decoded.problem)
        saved = _saved(project, image, decoded, who, what, replace)
        intake.masks += saved is Saved.NEW
        intake.replaced += saved is Saved.REPLACED
    except UserError as error:
        intake.failed.append((what, str(error)))
        return False
    return True


def _saved(
    project: Project,
    image: Image,
    decoded: DecodedMask,
    who: str,
    what: str,
    replace: bool,
) -> Saved:
    """Commit a mask from a file.

    Raises
    ------
    BadInputError
        If somebody has begun another mask, which is kept; a model's proposal is not.
    """
    name, mask = decoded.row.target, decoded.mask
    target = project.target(name).id
    present = project.mask(image.id, target)
    begun = present is not None and present.status not in UNTOUCHED
    if present is not None and begun:
        if np.array_equal(present.read(), mask):
            return Saved.EQUAL
        if not replace:
            raise BadInputError(
                f"'{name}' in '{image.name}' has a mask already that differs from "
                f"'{what}'; the one in the project was kept. `lgssl import --replace` "
                "takes the other, and keeps both in the history."
            )
    status = MaskStatus.DONE if mask.any() else MaskStatus.EMPTY
    if decoded.is_partial:
        status = MaskStatus.IN_PROGRESS
    project.save_mask(
        image.id,
        target,
        mask,
        who=who,
        status=status,
        source=IMPORTED,
        parent=present.revision if present else None,
    )
    return Saved.REPLACED if begun else Saved.NEW
