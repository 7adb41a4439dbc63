"""The projects opened last, in a small file of the user's settings folder."""

from __future__ import annotations

import json
from pathlib import Path

KEPT = 8


def recent_file() -> Path:
    """Return where the list is kept."""
    from platformdirs import user_config_path

    folder: Path = user_config_path("lgssl-napari", ensure_exists=True)
    return folder / "recent.json"


class Recent:
    """A list of project folders, the newest first.

    Parameters
    ----------
    file : Path, optional
        Where it is kept.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or recent_file()

    def read(self) -> tuple[Path, ...]:
        """Return the folders that are still there; a damaged list is an empty one."""
        try:
            listed = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ()
        if not isinstance(listed, list):
            return ()
        paths = (Path(entry) for entry in listed if isinstance(entry, str))
        return tuple(path for path in paths if (path / "ledger.sqlite").is_file())

    def add(self, path: Path) -> tuple[Path, ...]:
        """Put a folder first and return the list."""
        others = [known for known in self.read() if known != path]
        listed = (path, *others)[:KEPT]
        self._file.write_text(json.dumps([str(p) for p in listed]), encoding="utf-8")
        self._file.chmod(0o600)
        return listed
