"""What people want of the choice: images skipped with a reason, images pinned.

Each image has its own small document in the ledger, so that a wish has an author and a
history, survives every restart, and costs a hundred bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from src_core.errors import BadInputError

if TYPE_CHECKING:
    from src_core.store import Project
    from src_core.types import Revision

PREFIX: Final = "documents/wish."
_LONGEST: Final = 500


class WishKind(StrEnum):
    """What is wanted."""

    SKIP = "skip"
    PIN = "pin"


@dataclass(frozen=True, slots=True)
class Wish:
    """One wish about one image.

    Attributes
    ----------
    image : str
        Its id.
    target : str
        The target's id; ``""`` for all of them.
    kind : WishKind
        Never offered, or offered first.
    reason : str
        As the person gave it.
    who : str
        The person.
    """

    image: str
    target: str
    kind: WishKind
    reason: str
    who: str


def skip(
    project: Project, image: str, reason: str, *, target: str = "", who: str = ""
) -> Revision:
    """Never offer an image again, for one target or for all.

    Parameters
    ----------
    project : Project
        Open for writing.
    image, target : str
        Ids or names; all targets if none is given.
    reason : str
        Why; it stands in the history.
    who : str
        Goes into the ledger; default: the project's author.

    Raises
    ------
    BadInputError
        If no reason is given.
    """
    if not reason.strip():
        raise BadInputError("Say why this image is skipped, in a few words.")
    return _wish(project, image, target, WishKind.SKIP, reason, who)


def pin(
    project: Project, image: str, reason: str = "", *, target: str = "", who: str = ""
) -> Revision:
    """Offer an image before all others, for one target or for all, until finished.

    Parameters as of :func:`skip`; the reason may be empty.
    """
    return _wish(project, image, target, WishKind.PIN, reason, who)


def forget(
    project: Project, image: str, *, target: str = "", who: str = ""
) -> Revision:
    """Take a wish back.

    Raises
    ------
    BadInputError
        If there is none.
    """
    found = project.image(image)
    wanted = project.target(target).id if target else ""
    standing = _of(project, found.id)
    left = [wish for wish in standing if wish.target != wanted]
    if len(left) == len(standing):
        what = f" for '{target}'" if target else ""
        raise BadInputError(f"'{found.name}' is neither skipped nor pinned{what}.")
    return _write(project, found.id, left, "unwish", who, "")


def wishes(project: Project, since: int = 0) -> list[Wish]:
    """List the wishes that stand, sorted by image.

    Parameters
    ----------
    project : Project
        Any.
    since : int
        Only those of images whose wishes changed after this revision.
    """
    found = []
    for _, document in project.documents_under(PREFIX, since):
        found += _parsed(document)
    return found


def _wish(
    project: Project, image: str, target: str, kind: WishKind, reason: str, who: str
) -> Revision:
    found = project.image(image)
    wanted = project.target(target).id if target else ""
    reason = " ".join(reason.split())
    if len(reason) > _LONGEST:
        raise BadInputError(
            f"The reason has {len(reason)} characters; {_LONGEST} are allowed."
        )
    wish = Wish(found.id, wanted, kind, reason, who or project.who)
    # What was wished before for this target, or for all by one for all, is replaced.
    kept = [
        old for old in _of(project, found.id) if wanted and old.target not in (wanted,)
    ]
    return _write(project, found.id, [*kept, wish], kind.value, who, reason)


def _write(
    project: Project, image: str, standing: list[Wish], what: str, who: str, note: str
) -> Revision:
    content = {"image": image, "wishes": [asdict(wish) for wish in standing]}
    entries = {f"{PREFIX}{image}": json.dumps(content).encode()}
    return project.record(what, entries, who=who, note=f"{image}: {note}".strip(": "))


def _of(project: Project, image: str) -> list[Wish]:
    document = project.document(f"{PREFIX}{image}")
    return _parsed(document) if document else []


def _parsed(document: dict[str, Any]) -> list[Wish]:
    return [
        Wish(
            str(wish["image"]),
            str(wish["target"]),
            WishKind(wish["kind"]),
            str(wish["reason"]),
            str(wish["who"]),
        )
        for wish in document.get("wishes", [])
    ]
