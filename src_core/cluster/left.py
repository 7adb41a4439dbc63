"""The note that a project keeps of the training it handed in to a server.

It is written before anything is sent, so that a window or a command that was closed
finds its job again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from src_core.cluster.records import JobId
from src_core.config import Settings
from src_core.errors import UserError
from src_core.files import PRIVATE_FOLDER, fsync_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

NOTE: Final = "remote.json"


class Left(Settings):
    """What a project notes of the training that it handed in.

    Attributes
    ----------
    scheduler : str
        Where.
    job : str
        The id, chosen here.
    position : int
        The ledger position of the snapshot.
    request : str
        What was asked, as JSON.
    since : str
        UTC, ISO 8601.
    handed_in : bool
        Whether the server has taken it; until then it is sent again.
    """

    scheduler: str
    job: JobId
    position: int
    request: str
    since: str
    handed_in: bool = False


def left_behind(project: Path) -> Left | None:
    """Return what a project handed in to a server and has not got back yet."""
    path = _note(project)
    try:
        return Left.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise UserError(
            f"The note of a training on a server, '{path}', cannot be read; remove "
            "that file to give the training up."
        ) from error


def _note(project: Path) -> Path:
    return project / "jobs" / NOTE


def write_note(project: Path, left: Left) -> None:
    """Note, durably, what is handed in."""
    path = _note(project)
    path.parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    write_private(path, left.model_dump_json().encode())


def drop_note(project: Path) -> None:
    """Forget what was handed in."""
    with suppress(FileNotFoundError):
        _note(project).unlink()
        fsync_folder(_note(project).parent)
