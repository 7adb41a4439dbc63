"""Small JSON documents in the ledger, such as which model version is promoted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from src_core.errors import BadInputError, CorruptError
from src_core.store.guard import LIMITS, is_id
from src_core.store.records import DOCUMENTS, NODE, attributes, group_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from src_core.store.ledger import Ledger
    from src_core.types import Revision


def stored_key(key: str) -> str:
    """Where a document stands: a zarr group of its name, so that zarr can list it.

    Raises
    ------
    BadInputError
        When the key is not ``documents/NAME`` with a plain name.
    """
    name = key.removeprefix(DOCUMENTS)
    if name == key or not is_id(name):
        raise BadInputError(
            f"A document's key is 'documents/NAME' with a plain name, not {key[:80]!r}."
        )
    return f"{key}/{NODE}"


def pack(entries: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Turn documents into the ledger's keys and values.

    Raises
    ------
    BadInputError
        When a key or a value is not usable.
    """
    return {
        stored_key(key): group_node({"document": _parse(key, data)})
        for key, data in entries.items()
    }


def read(ledger: Ledger, key: str, at: int | None) -> dict[str, Any] | None:
    """Return a document at a position, None where there is none.

    Raises
    ------
    CorruptError
        When something else is stored there.
    """
    stored = stored_key(key)
    data = ledger.read(stored, at)
    if data is None:
        return None
    document = attributes(data, stored).get("document")
    if not isinstance(document, dict):
        raise CorruptError(f"The ledger holds no document at '{key}'; verify it.")
    return document


def under(
    ledger: Ledger, prefix: str, since: int, at: int | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and content of each document whose name begins so, sorted by name."""
    ending = f"/{NODE}"
    for key, data in ledger.values(prefix, since=since, at=at):
        if data is not None and key.endswith(ending):
            document = attributes(data, key).get("document")
            if isinstance(document, dict):
                yield key.removesuffix(ending), document


def versions(
    ledger: Ledger, key: str, at: int | None
) -> list[tuple[Revision, dict[str, Any]]]:
    """List a document's versions up to a position, newest first."""
    found = [
        (revision, read(ledger, key, revision.number))
        for revision in ledger.history(key=stored_key(key), at=at)
    ]
    return [
        (revision, document) for revision, document in found if document is not None
    ]


def _parse(key: str, data: bytes) -> dict[str, Any]:
    if len(data) > LIMITS.document:
        raise BadInputError(f"The document '{key}' has {len(data)} bytes; too many.")
    try:
        document = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"The document '{key}' is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise BadInputError(f"The document '{key}' is not a JSON object.")
    return document


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")
