"""What is painted but not saved, kept through a killed window.

Each write appends one record to the mask's own file; a record is whole or is ignored.
A killed process loses nothing, because what it wrote is in the system's hands. There is
no fsync, which would cost a pause at each stroke: after a power cut the last half
minute of unsaved strokes may be gone, saved masks never are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError, CorruptError, NotFoundError, ReadOnlyError
from src_core.files import (
    PRIVATE_FILE,
    clear_disk_errors,
    make_private_folder,
    write_private,
)
from src_core.store.guard import LIMITS, check_id, check_size, contained
from src_core.store.journal_records import pack_record, read_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from src_core.store.journal_records import Planes, Record
    from src_core.store.project import Project
    from src_core.types import Image

_SUFFIX: Final = ".strokes"
_FOLD: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Pending:
    """Strokes that were not saved.

    Attributes
    ----------
    image, target : str
        Identifiers.
    parent : int or None
        The revision that was painted on.
    when : str
        UTC of the last stroke.
    stale : bool
        Whether the mask was changed since, so that saving them is a conflict.
    """

    image: str
    target: str
    parent: int | None
    when: str
    stale: bool


class StrokeJournal:
    """The unsaved strokes of one project.

    Parameters
    ----------
    project : Project
        Open for writing, where strokes are to be written or cleared.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._checked: set[Path] = set()

    def write(
        self,
        image: str,
        target: str,
        strokes: NDArray[Any] | Planes,
        parent: int | None = None,
    ) -> None:
        """Append the mask as it is on the screen now.

        Parameters
        ----------
        image, target : str
            Identifiers.
        strokes : ndarray or mapping of int to ndarray
            The whole mask, 0 and 1 over the image's spatial shape; or, for a volume,
            only the planes that changed, by their index along z.
        parent : int or None
            The revision that is being painted on.

        Raises
        ------
        ReadOnlyError
            When the project was opened for reading.
        BadInputError
            When the pixels do not fit the image.
        """
        if self._project.read_only:
            raise ReadOnlyError("Strokes cannot be kept: the project is read-only.")
        known = self._project.image(image)
        path = self._path(known.id, target)
        record = pack_record(known, target, strokes, parent)
        with clear_disk_errors(path):
            size = self._whole_length(path)
            if size + len(record) <= _FOLD:
                _append(path, record)
            elif not isinstance(strokes, Mapping):
                write_private(path, record, durable=False)
            else:
                _append(path, record)
                self._fold(known, target, path, parent)

    def pending(self) -> list[Pending]:
        """List the masks with unsaved strokes, by image and target.

        Strokes that are the very mask that stands now are not offered: the window was
        killed between saving them and clearing them.
        """
        found: list[Pending] = []
        for image, target in self._files():
            try:
                last = self._last(image, target)
                head = self._project.mask(image, target)
            except (NotFoundError, BadInputError):
                continue
            if last is None:
                continue
            stale = last.parent != (None if head is None else head.revision)
            if stale and head is not None and self._is_saved(image, target, head.read):
                continue
            found.append(Pending(image, target, last.parent, last.when, stale))
        return found

    def read(self, image: str, target: str) -> NDArray[np.uint8]:
        """Return the mask with its unsaved strokes.

        Returns
        -------
        ndarray of uint8
            0 and 1 over the image's spatial shape.

        Raises
        ------
        NotFoundError
            When nothing is pending for this mask.
        """
        known = self._project.image(image)
        array: NDArray[np.uint8] | None = None
        for record in read_records(self._path(known.id, target)):
            array = self._apply(known, target, record, array)
        if array is None:
            raise NotFoundError(
                f"There are no unsaved strokes of '{target}' in '{known.id}'."
            )
        return array

    def clear(self, image: str, target: str) -> None:
        """Forget a mask's strokes, after they were saved or refused."""
        if self._project.read_only:
            raise ReadOnlyError("Strokes cannot be cleared: the project is read-only.")
        path = self._path(self._project.image(image).id, target)
        self._checked.discard(path)
        path.unlink(missing_ok=True)

    # ---------------------------------------------------------------- plumbing
    def _path(self, image: str, target: str) -> Path:
        check_id(image, "image"), check_id(target, "target")
        return contained(self._project.path, f"journal/{image}/{target}{_SUFFIX}")

    def _files(self) -> Iterator[tuple[str, str]]:
        home = contained(self._project.path, "journal")
        for path in sorted(home.glob(f"*/*{_SUFFIX}")):
            yield path.parent.name, path.name.removesuffix(_SUFFIX)

    def _whole_length(self, path: Path) -> int:
        """Cut off a torn tail, which would hide later records; return the length."""
        if path in self._checked:
            return path.stat().st_size if path.exists() else 0
        make_private_folder(path.parent)
        length = 0
        for record in read_records(path):
            length = record.end
        if path.exists() and path.stat().st_size != length:
            os.truncate(path, length)
        self._checked.add(path)
        return length

    def _last(self, image: str, target: str) -> Record | None:
        last = None
        for record in read_records(self._path(image, target)):
            last = record
        return last

    def _is_saved(self, image: str, target: str, read: Any) -> bool:
        try:
            return bool(np.array_equal(self.read(image, target), read()))
        except (BadInputError, CorruptError):
            return False

    def _apply(
        self,
        image: Image,
        target: str,
        record: Record,
        array: NDArray[np.uint8] | None,
    ) -> NDArray[np.uint8]:
        shape = image.spatial_shape
        check_size(shape, 1, LIMITS.mask, f"The mask of '{target}' in '{image.id}'")
        pixels = record.pixels(shape)
        if record.planes is None:
            return pixels
        if array is None:
            array = self._base(image, target, record.parent)
        array[record.planes] = pixels
        return array

    def _base(self, image: Image, target: str, parent: int | None) -> NDArray[np.uint8]:
        """What was painted on: the parent revision, or nothing."""
        if parent is None:
            return np.zeros(image.spatial_shape, np.uint8)
        return self._project.read_mask(image, target, parent)

    def _fold(self, image: Image, target: str, path: Path, parent: int | None) -> None:
        """Replace many records by one with all of them in it."""
        record = pack_record(image, target, self.read(image.id, target), parent)
        write_private(path, record, durable=False)


def _append(path: Path, record: bytes) -> None:
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, PRIVATE_FILE)
    try:
        view = memoryview(record)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
