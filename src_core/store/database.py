"""One SQLite file: how it is opened, shared between threads, and what its errors mean.

apsw brings its own SQLite; Python's own may be older than 3.51.3 and then has the
WAL-reset bug, which can lose what was committed.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import apsw

from src_core.errors import CorruptError, LockedError, NotFoundError, StoreError
from src_core.files import PRIVATE_FILE, disk_full, fsync_folder
from src_core.store import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BUSY_MS: Final = 20_000
_MAX_VALUE: Final = 512 << 20

Row = tuple[Any, ...]


class Database:
    """An open ledger file; safe to share between threads.

    Parameters
    ----------
    path : Path
        The file.
    read_only : bool
        Others may write to it meanwhile.
    create : bool
        Make it where there is none.

    Raises
    ------
    NotFoundError
        When there is no such file.
    StoreError
        When it is not a ledger, or one of a later program.
    CorruptError
        When it is damaged beyond opening.
    """

    def __init__(self, path: Path, *, read_only: bool, create: bool) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._closed = False
        with self._sentences():
            if create:
                _touch(path)
            self.connection = _connect(path, read_only=read_only)
            try:
                if create:
                    schema.create(self.connection)
                    fsync_folder(path.parent)
                schema.check(self.connection, path)
            except BaseException:
                self.connection.close()
                raise

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        with self._lock:
            self._closed = True
            self.connection.close()

    def all(self, sql: str, values: Iterable[Any] = ()) -> list[Row]:
        """Return every row of a query."""
        with self._lock, self._sentences():
            return list(self.connection.execute(sql, tuple(values)))

    def first(self, sql: str, values: Iterable[Any] = ()) -> Row | None:
        """Return a query's first row."""
        with self._lock, self._sentences():
            cursor = self.connection.execute(sql, tuple(values))
            row: Row | None = cursor.fetchone()
            # An unfinished statement would pin a read transaction for ever.
            cursor.close()
            return row

    def number(self, sql: str) -> int:
        """Return the one number that a query has; 0 for none."""
        row = self.first(sql)
        return int(row[0] or 0) if row else 0

    def rows(self, sql: str, values: Iterable[Any] = ()) -> Iterator[Row]:
        """Yield a long query's rows without holding them in memory."""
        with self._lock, self._sentences():
            yield from self.connection.execute(sql, tuple(values))

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """Write all of a block durably, or nothing of it."""
        with self._lock, self._sentences():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def copy_to(self, path: Path) -> None:
        """Copy the whole file, as it is at one moment, while others write.

        Raises
        ------
        OSError
            When the copy's disk is full, which need not be the project's.
        """
        _touch(path)
        with self._lock, self._sentences():
            target = apsw.Connection(str(path))
            try:
                with target.backup("main", self.connection, "main") as backup:
                    backup.step(-1)
                # One file and no side files: it goes into an archive.
                target.pragma("journal_mode", "DELETE")
            except apsw.FullError as error:
                full = errno.ENOSPC
                raise OSError(full, os.strerror(full), str(path)) from error
            finally:
                target.close()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn SQLite's errors into this program's sentences."""
        if self._closed:
            raise StoreError(f"The project '{self.path.parent}' is closed; open it.")
        try:
            yield
        except apsw.FullError as error:
            raise disk_full(self.path) from error
        except (apsw.BusyError, apsw.LockedError) as error:
            raise LockedError(
                f"Another process has been writing to '{self.path}' for more than "
                f"{_BUSY_MS // 1000} s; wait for it, or close it."
            ) from error
        except (apsw.NotADBError, apsw.CorruptError, apsw.TooBigError) as error:
            raise CorruptError(
                f"The ledger '{self.path}' is damaged ({error}); restore the project "
                "from a backup."
            ) from error
        except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
            raise StoreError(
                f"'{self.path}' cannot be opened ({error}); check that you may read "
                "and write its folder."
            ) from error
        except apsw.IOError as error:
            raise StoreError(
                f"The disk that holds '{self.path}' did not answer ({error}); nothing "
                "of this change was kept. Check the disk and do it again."
            ) from error


def _connect(path: Path, *, read_only: bool) -> apsw.Connection:
    if not path.exists() or path.is_symlink():
        raise NotFoundError(
            f"There is no ledger at '{path}'; check the path, or make a project first."
        )
    if not read_only:
        return _configure(path, apsw.SQLITE_OPEN_READWRITE)
    try:
        return _configure(path, apsw.SQLITE_OPEN_READONLY)
    except apsw.CantOpenError:
        # On a disk that nobody can write to there is no room for the side file that
        # readers and a writer share; there is no writer either.
        if os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists():
            raise
        return _configure(path, apsw.SQLITE_OPEN_READONLY, immutable=True)


def _configure(path: Path, flags: int, *, immutable: bool = False) -> apsw.Connection:
    name = f"{path.as_uri()}?immutable=1" if immutable else str(path)
    flags |= apsw.SQLITE_OPEN_NOFOLLOW | (apsw.SQLITE_OPEN_URI if immutable else 0)
    connection = apsw.Connection(name, flags=flags)
    connection.set_busy_timeout(_BUSY_MS)
    # The file may come from elsewhere: no functions in its schema, no direct writes
    # to its pages, no value larger than a chunk may be.
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, _MAX_VALUE)
    try:
        connection.pragma("cell_size_check", 1)
        connection.pragma("foreign_keys", 1)
        connection.pragma("recursive_triggers", 1)
        if flags & apsw.SQLITE_OPEN_READWRITE:
            connection.pragma("journal_mode", "WAL")
            # macOS acknowledges an fsync before the drive has it, unless asked so.
            connection.pragma("fullfsync", 1)
            connection.pragma("checkpoint_fullfsync", 1)
        connection.pragma("schema_version")  # the file is first read here
    except BaseException:
        connection.close()
        raise
    return connection


def _touch(path: Path) -> bool:
    """Make an empty 0600 file; False where there is one already."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))
    except FileExistsError:
        return False
    return True
