"""The images of a large project as columns, read in a third of the time of the ledger.

A cache: one file that may be deleted, and is passed over where it does not fit. It says
at which revision it was made and that revision's hash, which vouches for all before;
what changed since is read from the ledger.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

from src_core.files import write_private
from src_core.store.guard import LIMITS, is_id
from src_core.store.records import SPLITS, grid
from src_core.types import Image

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "images.json"
WORTH_IT: Final = 5_000
"""Images from which on it saves more than a tenth of a second."""

_TEXTS: Final = (
    *("id", "name", "sha256", "unit", "orientation"),
    *("group", "caption", "modality"),
)
_GRID: Final = ("axes", "dtype", "shape", "spacing", "origin", "direction")
_SUM: Final = 64


@dataclass(frozen=True, slots=True)
class Remembered:
    """Every image as it was right after a revision.

    Attributes
    ----------
    position : int
        The revision.
    sha256 : str
        Its hash.
    images : list of Image
    """

    position: int
    sha256: str
    images: list[Image]


def remember(folder: Path, what: Remembered) -> None:
    """Write the file anew."""
    grids: dict[tuple[Any, ...], int] = {}
    columns: dict[str, Any] = {
        name: [getattr(image, name) for image in what.images] for name in _TEXTS
    }
    columns["split"] = [str(image.split) for image in what.images]
    columns["grid"] = [
        grids.setdefault(tuple(getattr(image, name) for name in _GRID), len(grids))
        for image in what.images
    ]
    content = {
        "position": what.position,
        "sha256": what.sha256,
        "grids": list(grids),
        "columns": columns,
    }
    body = json.dumps(content).encode()
    # Not worth a wait for the disk: it has a sum of its own.
    write_private(folder / FILE_NAME, _sum(body) + body, durable=False)


def recall(folder: Path) -> Remembered | None:
    """Read the file; None where there is none, or it is not whole and sound."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            data = file.read(LIMITS.chunk)
        stated, body = data[:_SUM], data[_SUM:]
        if stated != _sum(body):
            return None
        content = from_json(body)
        images = _images(content["columns"], content["grids"])
        return Remembered(int(content["position"]), str(content["sha256"]), images)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def _images(columns: dict[str, list[Any]], grids: list[Any]) -> list[Image]:
    """Make images, of columns checked as the ledger's records are."""
    texts = {name: columns[name] for name in _TEXTS}
    for column in texts.values():
        if not set(map(type, column)) <= {str}:
            raise TypeError(column)
    if not all(map(is_id, texts["id"])):
        raise ValueError(texts["id"])
    known = [_grid(*one) for one in grids]
    places = [known[number] for number in columns["grid"]]
    axes, dtype, shape, spacing, origin, direction = (
        [place[n] for place in places] for n in range(len(_GRID))
    )
    splits = [SPLITS[split] for split in columns["split"]]
    rows = zip(  # in the order of Image's fields: by name it takes half as long again
        *(texts["id"], texts["name"], texts["sha256"], axes, shape, dtype, spacing),
        *(texts["unit"], origin, texts["orientation"], texts["group"], splits),
        *(texts["caption"], direction, texts["modality"]),
        strict=True,
    )
    return [Image(*row) for row in rows]


def _grid(
    axes: Any, dtype: Any, shape: Any, spacing: Any, origin: Any, direction: Any
) -> tuple[Any, ...]:
    lengths = tuple(shape), tuple(spacing), tuple(origin), tuple(direction) or None
    return grid(axes, dtype, *lengths)


def _sum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
