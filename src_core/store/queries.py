"""What the ledger is asked in SQL: each of these finds its rows by an index."""

from __future__ import annotations

from typing import Final

from src_core.store.rows import COLUMNS

READ: Final = (
    "SELECT value, sha256 FROM entry WHERE key = ?1 AND revision <= ?2 "
    "ORDER BY revision DESC LIMIT 1"
)
NEWEST: Final = (
    "SELECT size, sha256, revision FROM entry WHERE key = ?1 AND revision <= ?2 "
    "ORDER BY revision DESC LIMIT 1"
)
# With max() alone among the aggregates, SQLite takes `size` from the newest row.
LIVE: Final = (
    "SELECT key, max(revision) FROM entry WHERE key >= ?1 AND key < ?2 "
    "AND revision <= ?3 GROUP BY key HAVING size IS NOT NULL ORDER BY key"
)
# From key to key along the index: 1.6 us a key whatever its history, where LIVE takes
# 0.7 us a key and as much again for each revision of it.
HOPS: Final = (
    "WITH RECURSIVE hop (key) AS ("
    "SELECT min(key) FROM entry WHERE key >= ?1 AND key < ?2 UNION ALL "
    "SELECT (SELECT min(key) FROM entry WHERE key > hop.key AND key < ?2) "
    "FROM hop WHERE hop.key IS NOT NULL) "
    "SELECT key FROM hop WHERE (SELECT size FROM entry WHERE key = hop.key "
    "AND revision <= ?3 ORDER BY revision DESC LIMIT 1) IS NOT NULL"
)
# Of every key in one pass, not one query a key: 100,000 records in 0.3 s, not 2.
VALUES: Final = (
    "SELECT key, value, sha256, max(revision) FROM entry WHERE key >= ?1 AND key < ?2 "
    "AND revision <= ?3 GROUP BY key HAVING size IS NOT NULL ORDER BY key LIMIT ?4"
)
# Left alone, SQLite walks along every key under the prefix, changed or not.
CHANGED: Final = (
    "SELECT key, value, sha256, max(revision) FROM entry INDEXED BY entry_revision "
    "WHERE key >= ?1 AND key < ?2 AND revision <= ?3 AND revision > ?4 "
    "GROUP BY key ORDER BY key"
)
MASK_HEAD: Final = (
    f"SELECT {COLUMNS} FROM revision WHERE image = ?1 AND target IS ?2 "
    "AND number <= ?3 ORDER BY number DESC LIMIT 1"
)

MASK_AUTHOR: Final = (
    "SELECT who FROM revision WHERE image = ?1 AND target = ?2 AND "
    "number <= ?3 AND what <> 'sign-off' ORDER BY number DESC LIMIT 1"
)
MASKS: Final = (
    "SELECT image, target, status, max(number) FROM revision "
    "WHERE image IS NOT NULL AND target IS NOT NULL AND status IS NOT NULL "
    "AND number <= ?1 GROUP BY image, target"
)
# By number alone: the index of masks would be walked along from end to end.
MASKS_SINCE: Final = (
    "SELECT image, target, status, max(number) FROM revision NOT INDEXED "
    "WHERE image IS NOT NULL AND target IS NOT NULL AND status IS NOT NULL "
    "AND number <= ?1 AND number > ?2 GROUP BY image, target"
)
