"""Which files of an archive a project's images come from; kept apart from all else.

The identifiers name a patient's examination to whoever has the hospital's archive, so
they are in 0600 files beside the ledger, never in it, and a backup leaves them out
unless names are asked for. A DICOM-SEG cannot be written without them.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from src_core.errors import CorruptError
from src_core.files import make_private_folder, write_private
from src_core.imaging import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from src_core.imaging import Source
    from src_core.store import Project

_SUFFIX = ".json"


class References:
    """The references of one project.

    Parameters
    ----------
    project : Project
        Open for writing, where anything is to be kept.
    """

    def __init__(self, project: Project) -> None:
        self._folder = project.references_dir
        self._of_instance: dict[str, str] | None = None

    def keep(self, image: str, reference: Reference, source: Source) -> None:
        """Remember where an image comes from.

        Parameters
        ----------
        image : str
            Its identifier.
        reference : Reference
            What its files are called in the archive.
        source : Source
            Where the files lie; they are looked for there when names are wanted.
        """
        make_private_folder(self._folder)
        content = dataclasses.asdict(reference)
        content["path"] = str(source.path.absolute())
        # not worth a wait for the disk: the files can be imported again
        write_private(
            self._folder / f"{image}{_SUFFIX}",
            json.dumps(content).encode(),
            durable=False,
        )
        if self._of_instance is not None:
            self._of_instance |= dict.fromkeys(reference.instances, image)

    def of(self, image: str) -> tuple[Reference, str] | None:
        """Return an image's reference and its files' path, None where there is none.

        Raises
        ------
        CorruptError
            If what is kept is not readable.
        """
        path = self._folder / f"{image}{_SUFFIX}"
        return _read(path) if path.is_file() else None

    def images_of(self, series: str, instances: frozenset[str]) -> list[str]:
        """Return the images that were made of a series, or of any of some files."""
        if self._of_instance is None:
            self._of_instance = {}
            for image, (reference, _) in self._all():
                self._of_instance |= dict.fromkeys(reference.instances, image)
        found = dict.fromkeys(
            self._of_instance[name] for name in instances if name in self._of_instance
        )
        if not found and series:
            found = dict.fromkeys(
                image
                for image, (reference, _) in self._all()
                if reference.series == series
            )
        return sorted(found)

    def _all(self) -> Iterator[tuple[str, tuple[Reference, str]]]:
        if self._folder.is_dir():
            for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
                yield path.name.removesuffix(_SUFFIX), _read(path)


def _read(path: Path) -> tuple[Reference, str]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        where = str(content.pop("path"))
        for name in ("instances", "frames", "across_down", "spacing"):
            content[name] = tuple(content[name])
        content["positions"] = tuple(tuple(place) for place in content["positions"])
        return Reference(**content), where
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptError(
            f"'{path}' is not readable; remove it to go on without knowing which "
            "files the image comes from."
        ) from error
