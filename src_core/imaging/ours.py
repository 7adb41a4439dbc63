"""Files of an earlier export are written anew; anybody else's are left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from src_core.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def check_json(path: Path, is_ours: Callable[[Any], bool]) -> None:
    """Refuse to write over a JSON file that an export has not written.

    Parameters
    ----------
    path : Path
        Need not be there.
    is_ours : callable
        Whether its content is of such an export.

    Raises
    ------
    BadInputError
        If it is not.
    """
    if not path.exists():
        return
    try:
        ours = is_ours(json.loads(path.read_bytes()))
    except (ValueError, OSError, LookupError, TypeError, AttributeError):
        ours = False  # other JSON, or none
    if not ours:
        raise foreign(path)


def check_head(path: Path, head: str) -> None:
    """Refuse to write over a text file that does not begin with a line.

    Raises
    ------
    BadInputError
        As `check_json`.
    """
    if path.is_dir() or (
        path.exists() and not path.read_bytes().startswith(head.encode())
    ):
        raise foreign(path)


def foreign(path: Path) -> BadInputError:
    """Return what is told of a file that stands in an export's way."""
    return BadInputError(
        f"'{path}' is there already, and is of no export; choose a new folder."
    )
