"""A whole project as one file, and back again.

The archive is a plain zip without compression (chunks are compressed already):
``ledger.sqlite``, ``images/``, ``models/`` and, when asked for, ``groups.jsonl``,
``pseudonyms.key`` and ``references/``, which name patients to whoever has the
hospital's archive.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from src_core.errors import BadInputError, CorruptError
from src_core.files import (
    PRIVATE_FILE,
    clear_disk_errors,
    fsync_file,
    fsync_folder,
    seal_tree,
)
from src_core.store import groups, images
from src_core.store.catalogue import Catalogue
from src_core.store.guard import contained
from src_core.store.layout import REFERENCES, make_folders
from src_core.store.ledger import FILE_NAME, Ledger
from src_core.store.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_ROOTS: Final = ("images/", "models/", f"{REFERENCES}/")
_MAPS: Final = (groups.FILE_NAME, groups.FIRST_FILE_NAME, groups.KEY_NAME)
_FILES: Final = (FILE_NAME, *_MAPS)
_BLOCK: Final = 1 << 20


def backup(root: Path, ledger: Ledger, file: Path, *, names: bool) -> Path:
    """Write a project's backup; see `Project.backup`.

    The ledger is copied first, at one revision; images and model versions never
    change once they have their name, so what the copy speaks of is what is packed.

    Raises
    ------
    BadInputError
        When a file of this name is there that is no backup.
    StoreError
        When the disk is full; an older file of this name stands.
    """
    file = file.absolute()
    if file.exists() and not _is_backup(file):
        raise BadInputError(
            f"'{file}' is there already and is no backup; choose another name."
        )
    with clear_disk_errors(file), scratch(file, "backup") as folder:
        copy, archive = folder / FILE_NAME, folder / "archive.zip"
        ledger.copy_to(copy)
        os.close(os.open(archive, os.O_CREAT | os.O_WRONLY, PRIVATE_FILE))
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
            packed.write(copy, FILE_NAME)
            for path, name in _members(root, copy, names):
                packed.write(path, name)
        fsync_file(archive)
        archive.replace(file)
        fsync_folder(file.parent)
    return file


def _is_backup(file: Path) -> bool:
    if not (file.is_file() and zipfile.is_zipfile(file)):
        return False
    with zipfile.ZipFile(file) as packed:
        return FILE_NAME in packed.namelist()


def _members(root: Path, copy: Path, names: bool) -> Iterator[tuple[Path, str]]:
    with Ledger(copy) as ledger:
        known = Catalogue(ledger, None).images()
    for image in known:
        yield from _walk(root, images.folder_name(image.id))
    models = contained(root, "models")
    for version in sorted(models.iterdir()) if models.exists() else ():
        # A version gets its name when it is whole; a dot marks one in the making.
        if not version.name.startswith("."):
            yield from _walk(root, f"models/{version.name}")
    if names:
        yield from ((root / name, name) for name in _MAPS if (root / name).exists())
        yield from _walk(root, REFERENCES)


def _walk(root: Path, name: str) -> Iterator[tuple[Path, str]]:
    start = contained(root, name)
    if start.is_file():
        yield start, name
    for folder, _, files in os.walk(start):
        for found in sorted(files):
            path = Path(folder, found)
            inner = f"{name}/{path.relative_to(start).as_posix()}"
            if path.is_file() and not path.is_symlink():
                yield path, inner


def unpack(file: Path, path: Path, check: Callable[[Path], Sequence[object]]) -> Path:
    """Unpack a backup beside its final place, verify it, and put it there.

    Parameters
    ----------
    file, path : Path
        The backup; the project's folder to make.
    check : callable
        Returns what is wrong with an unpacked project; nothing where all is well.

    Returns
    -------
    Path
        The project's folder.

    Raises
    ------
    BadInputError
        When the file is no backup, a name in it leads out, or the folder is in use.
    CorruptError
        When what it holds does not match its hashes.
    """
    path = path.absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInputError(f"'{path}' is not empty; choose a new folder.")
    with clear_disk_errors(path), scratch(path, "restore") as temporary:
        _extract(file, temporary)
        make_folders(temporary)
        seal_tree(temporary)
        findings = check(temporary)
        if findings:
            raise CorruptError(
                f"The backup '{file}' is damaged: {findings[0]} Use another one."
            )
        if path.exists():
            path.rmdir()
        temporary.replace(path)
        fsync_folder(path.parent)
    return path


def _extract(file: Path, root: Path) -> None:
    try:
        with zipfile.ZipFile(file) as packed:
            members = packed.infolist()
            names = [member.filename for member in members]
            if FILE_NAME not in names or len(set(names)) != len(names):
                raise BadInputError(f"'{file}' is not a backup of a project.")
            for member in members:
                _check_member(member, file)
            declared = sum(member.file_size for member in members)
            free = shutil.disk_usage(root).free
            if declared > free:
                raise BadInputError(
                    f"'{file}' unpacks to {declared >> 20} MiB and '{root.parent}' has "
                    f"{free >> 20} MiB free; free some space, or choose another disk."
                )
            for member in members:
                target = contained(root, member.filename)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with packed.open(member) as source, target.open("xb") as sink:
                    _copy(source, sink, member, file)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, FileNotFoundError) as e:
        raise BadInputError(
            f"'{file}' cannot be read as a backup ({e}); give a file that "
            "`lgssl backup` wrote."
        ) from e


def _check_member(member: zipfile.ZipInfo, file: Path) -> None:
    name = member.filename
    contained(Path(os.sep), name)
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise BadInputError(
            f"'{name[:120]}' in '{file}' is compressed or encrypted, which a backup "
            "never is; it could unpack to any size and was refused."
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if member.is_dir() or kind not in (0, stat.S_IFREG):
        raise BadInputError(
            f"'{name[:120]}' in '{file}' is a link or a folder; only files are taken."
        )
    if name not in _FILES and not name.startswith(_ROOTS):
        raise BadInputError(
            f"'{name[:120]}' in '{file}' has no place in a project; it is no backup."
        )


def _copy(
    source: IO[bytes], sink: IO[bytes], member: zipfile.ZipInfo, file: Path
) -> None:
    """Copy a member, and not one byte more than it declares."""
    left = member.file_size
    while block := source.read(min(_BLOCK, left + 1)):
        left -= len(block)
        if left < 0:
            raise BadInputError(
                f"'{member.filename[:120]}' in '{file}' is larger than it declares."
            )
        sink.write(block)
