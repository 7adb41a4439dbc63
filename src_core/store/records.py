"""Images and targets as they stand in the ledger: attributes of zarr groups."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from src_core.errors import BadInputError, CorruptError
from src_core.store.guard import is_id, parse_json
from src_core.types import Image, Split, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    _Counts = tuple[int, ...]
    _Lengths = tuple[float, ...]

IMAGES: Final = "images/"
MASKS: Final = "masks/"
TARGETS: Final = "targets/"
DOCUMENTS: Final = "documents/"
NODE: Final = "zarr.json"
_AXES: Final = re.compile("c?z?yx")
_DTYPE: Final = re.compile("bool|u?int(8|16|32|64)|float(16|32|64)")
_N = TypeVar("_N", int, float)
# A dictionary answers sooner than an enumeration's constructor.
SPLITS: Final = {str(split): split for split in Split}
_TEXTS: Final = itemgetter("name", "sha256", "unit", "orientation", "group", "caption")
_MAX_SLUG: Final = 80
_MAX_TEXT: Final = 2_000


def slug(name: str, taken: Callable[[str], bool], seed: str) -> str:
    """Make an identifier of a name, with a short hash where it is taken.

    Parameters
    ----------
    name : str
        Any text.
    taken : callable
        Whether an identifier is in use.
    seed : str
        What tells this thing from another of the same name.

    Returns
    -------
    str
        Lower case letters, digits, ``-_.``.
    """
    plain = plain_slug(name)
    if is_id(plain) and not taken(plain):
        return plain
    digest = hashlib.sha256(seed.encode()).hexdigest()
    stem = plain if is_id(f"{plain}-0") else "item"
    return f"{stem}-{digest[:8]}"


def plain_slug(name: str) -> str:
    """The identifier that a name would like to have; may be empty."""
    text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return (
        re.sub(r"[^a-z0-9._-]+", "-", text.lower())
        .strip("-._")[:_MAX_SLUG]
        .rstrip("-._")
    )


def clean(text: str, what: str, *, empty: bool = False) -> str:
    """Return a text as one line without control characters.

    Raises
    ------
    BadInputError
        When it is empty and may not be, or too long.
    """
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    if not text and not empty:
        raise BadInputError(f"The {what} is empty; give it one.")
    if len(text) > _MAX_TEXT:
        raise BadInputError(
            f"The {what} has {len(text)} characters; {_MAX_TEXT} are allowed."
        )
    return text


def group_node(attributes: dict[str, Any] | None = None) -> bytes:
    """The ``zarr.json`` of a zarr v3 group."""
    node = {"zarr_format": 3, "node_type": "group", "attributes": attributes or {}}
    return json.dumps(node, sort_keys=True, allow_nan=False).encode()


def attributes(data: bytes, key: str) -> dict[str, Any]:
    """The attributes of a stored group.

    Raises
    ------
    CorruptError
        When the value is not a group's metadata.
    """
    found = parse_json(data, f"The ledger's record '{key[:120]}'").get("attributes")
    if not isinstance(found, dict):
        raise _unreadable(key)
    return found


def image_key(image: str) -> str:
    """Where an image's record stands."""
    return f"{IMAGES}{image}/{NODE}"


def target_key(target: str) -> str:
    """Where a target's record stands."""
    return f"{TARGETS}{target}/{NODE}"


def mask_prefix(image: str, target: str) -> str:
    """Where a mask's array stands."""
    return f"{MASKS}{image}/{target}/"


def pack_image(image: Image) -> bytes:
    """An image's record, without its identifier, which is its key."""
    fields: dict[str, Any] = {
        "name": image.name,
        "sha256": image.sha256,
        "axes": image.axes,
        "shape": image.shape,
        "dtype": image.dtype,
        "spacing": image.spacing,
        "unit": image.unit,
        "origin": image.origin,
        "orientation": image.orientation,
        "group": image.group,
        "split": str(image.split),
        "caption": image.caption,
    }
    # Written only where there is something to say: the records of earlier programs
    # have no such fields.
    told = {"direction": image.direction, "modality": image.modality}
    fields |= {name: value for name, value in told.items() if value}
    return group_node({"image": fields})


def unpack_image(key: str, data: bytes) -> Image:
    """Read an image's record.

    Raises
    ------
    CorruptError
        When it is not one.
    """
    try:
        fields = attributes(data, key)["image"]
        axes, dtype, shape, spacing, origin, direction = grid(
            fields["axes"],
            fields["dtype"],
            tuple(fields["shape"]),
            tuple(fields["spacing"]),
            tuple(fields["origin"]),
            tuple(fields["direction"]) if "direction" in fields else None,
        )
        name, sha256, unit, orientation, group, caption = _texts(_TEXTS(fields))
        return Image(
            id=_identifier(key, IMAGES),
            name=name,
            sha256=sha256,
            axes=axes,
            shape=shape,
            dtype=dtype,
            spacing=spacing,
            unit=unit,
            origin=origin,
            orientation=orientation,
            group=group,
            split=SPLITS[fields["split"]],
            caption=caption,
            direction=direction,
            modality=_text(fields.get("modality", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _unreadable(key) from error


def pack_target(target: Target) -> bytes:
    """A target's record, without its identifier, which is its key."""
    fields: dict[str, Any] = {"name": target.name, "prompts": target.prompts}
    if target.window:
        fields["window"] = target.window
    return group_node({"target": fields})


def unpack_target(key: str, data: bytes) -> Target:
    """Read a target's record.

    Raises
    ------
    CorruptError
        When it is not one.
    """
    try:
        fields = attributes(data, key)["target"]
        prompts = tuple(_text(prompt) for prompt in fields["prompts"])
        window = _text(fields.get("window", ""))
        return Target(_identifier(key, TARGETS), _text(fields["name"]), prompts, window)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(key) from error


def _identifier(key: str, folder: str) -> str:
    # Identifiers become file names: one that climbs out must not get that far.
    name = key.removeprefix(folder).removesuffix(f"/{NODE}")
    if not is_id(name):
        raise ValueError(name)
    return name


@lru_cache(maxsize=4096)
def grid(
    axes: Any,
    dtype: Any,
    shape: tuple[Any, ...],
    spacing: tuple[Any, ...],
    origin: tuple[Any, ...],
    direction: tuple[Any, ...] | None,
) -> tuple[str, str, _Counts, _Lengths, _Lengths, _Lengths]:
    """Check where an image's pixels lie.

    Most images of a project have this in common: it is checked once, and held once.
    """
    letters = _known(axes, _AXES)
    spatial = len(letters.replace("c", ""))
    return (
        letters,
        _known(dtype, _DTYPE),
        _numbers(shape, int, len(letters)),
        _numbers(spacing, float, spatial),
        _numbers(origin, float, spatial) if origin else (),
        () if direction is None else _numbers(direction, float, 9),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _texts(values: tuple[Any, ...]) -> tuple[str, ...]:
    if set(map(type, values)) != {str}:
        raise TypeError(values)
    return values


def _known(value: Any, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(_text(value)):
        raise ValueError(value)
    return str(value)


def _numbers(values: Any, kind: type[_N], count: int) -> tuple[_N, ...]:
    numbers = tuple(kind(value) for value in values)
    if len(numbers) != count:
        raise ValueError(values)
    return numbers


def _unreadable(key: str) -> CorruptError:
    return CorruptError(
        f"The ledger's record '{key[:120]}' is not readable; run `lgssl verify`, and "
        "restore the project from a backup."
    )
