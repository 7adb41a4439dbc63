"""The ledger's tables, and the check that a file has these and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from src_core.errors import CorruptError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    import apsw

SCHEMA: Final = 1
"""Number of the layout below; a later program must still read every earlier one."""

APPLICATION: Final = 0x4C475353
"""SQLite's ``application_id``: the letters LGSS."""

_REFUSE: Final = "SELECT RAISE(ABORT, 'history is never rewritten')"

TABLES: Final[dict[str, str]] = {
    "revision": """CREATE TABLE revision (
        number INTEGER PRIMARY KEY,
        "when" TEXT NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        image TEXT,
        target TEXT,
        status TEXT,
        source TEXT NOT NULL,
        model TEXT,
        prompt TEXT,
        parent INTEGER,
        seconds_spent REAL NOT NULL,
        reviewer TEXT NOT NULL,
        note TEXT NOT NULL,
        sha256 BLOB NOT NULL,
        prev_hash BLOB NOT NULL
    ) STRICT""",
    "entry": """CREATE TABLE entry (
        id INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL REFERENCES revision (number),
        key TEXT NOT NULL,
        size INTEGER,
        sha256 BLOB,
        value BLOB
    ) STRICT""",
    "revision_mask": """CREATE INDEX revision_mask
        ON revision (image, target, number, status) WHERE image IS NOT NULL""",
    "revision_target": """CREATE INDEX revision_target
        ON revision (target, number) WHERE target IS NOT NULL""",
    "entry_key": "CREATE UNIQUE INDEX entry_key ON entry (key, revision)",
    "entry_revision": "CREATE INDEX entry_revision ON entry (revision)",
    "revision_no_update": f"""CREATE TRIGGER revision_no_update
        BEFORE UPDATE ON revision BEGIN {_REFUSE}; END""",
    "revision_no_delete": f"""CREATE TRIGGER revision_no_delete
        BEFORE DELETE ON revision BEGIN {_REFUSE}; END""",
    # INSERT OR REPLACE deletes without firing a delete trigger: the order guards it.
    "revision_in_order": f"""CREATE TRIGGER revision_in_order
        BEFORE INSERT ON revision
        WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM revision)
        BEGIN {_REFUSE}; END""",
    "entry_no_update": f"""CREATE TRIGGER entry_no_update
        BEFORE UPDATE ON entry BEGIN {_REFUSE}; END""",
    "entry_no_delete": f"""CREATE TRIGGER entry_no_delete
        BEFORE DELETE ON entry BEGIN {_REFUSE}; END""",
    "entry_in_order": f"""CREATE TRIGGER entry_in_order
        BEFORE INSERT ON entry
        WHEN NEW.revision IS NOT (SELECT max(number) FROM revision)
          OR NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM entry)
        BEGIN {_REFUSE}; END""",
}
"""Every object of the file: name to the statement that makes it, in order."""


def create(connection: apsw.Connection) -> None:
    """Lay out an empty ledger in a blank file; leave any other file as it is.

    One transaction, so that a process killed here leaves a blank file, and of two
    processes that create at once the second finds the first one's work.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not connection.execute("SELECT 1 FROM sqlite_schema").fetchall():
            connection.pragma("application_id", APPLICATION)
            connection.pragma("user_version", SCHEMA)
            for statement in TABLES.values():
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check(connection: apsw.Connection, path: Path) -> None:
    """Refuse a file that is not a ledger of a layout this program knows.

    A file from elsewhere could hold a view or a trigger in a table's place, so the
    whole layout is compared, not only its number.

    Raises
    ------
    StoreError
        When the file is not a ledger, or was made by a later program.
    CorruptError
        When its tables are not those of its layout.
    """
    if connection.pragma("application_id") != APPLICATION:
        raise StoreError(
            f"'{path}' is not a ledger of this program; choose a project's folder."
        )
    found = connection.pragma("user_version")
    if found != SCHEMA:
        raise StoreError(
            f"'{path}' has ledger layout {found} and this program knows {SCHEMA}; "
            "update lgssl-napari."
        )
    layout = {
        name: _squeeze(sql)
        for name, sql in connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
        )
    }
    expected = {name: _squeeze(sql) for name, sql in TABLES.items()}
    different = sorted(
        name
        for name in layout.keys() | expected.keys()
        if layout.get(name) != expected.get(name)
    )
    if different:
        raise CorruptError(
            f"The ledger '{path}' was altered: '{different[0]}' is not what layout "
            f"{SCHEMA} has; restore the project from a backup."
        )


def _squeeze(sql: str) -> str:
    return " ".join(sql.split())
