"""The project that the helper process has open, for whatever is called there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.store import Project

_OPEN: dict[Path, Project] = {}


def opened(path: Path) -> Project:
    """Return a project for reading, opened once; the one before it is closed."""
    if path not in _OPEN:
        from src_core.store import Project

        while _OPEN:
            _OPEN.popitem()[1].close()
        _OPEN[path] = Project.open(path)
    return _OPEN[path]
