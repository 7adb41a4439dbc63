"""What a bundle holds: a frozen snapshot as plain values and hashes, without names.

Images, groups and targets are numbered in the order in which the project sorts them, so
that a training draws the same batches there as here. A file name, a patient's pseudonym
or an author never enters.

The one part that a person typed is what targets are called, and the captions of a
project with a single target: a model learns from them.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, ValidationError, model_validator

from src_core.config import Settings
from src_core.errors import BadInputError
from src_core.store.guard import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB: Final = 1 << 20
# A chunk may take as much as the store allows, and what a compressor adds.
LARGEST: Final = LIMITS.chunk + 8 * MIB
LARGEST_NOTE: Final = MIB

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Blob = tuple[Sha, Annotated[int, Field(ge=0, le=LARGEST)]]
Note = tuple[Sha, Annotated[int, Field(ge=0, le=LARGEST_NOTE)]]
ChunkKey = Annotated[str, Field(pattern=r"^c(/[0-9]{1,9}){2,4}$")]
Chunks = dict[ChunkKey, Blob]
Text = Annotated[str, Field(max_length=2_000)]
Length = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
Spacing = Annotated[float, Field(gt=0, allow_inf_nan=False)]
MODALITY: Final = re.compile(r"^[A-Z0-9_ ]{0,16}$")  # DICOM's code strings
Cosine = Annotated[float, Field(ge=-1.001, le=1.001, allow_inf_nan=False)]
Version = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$")]
Dtype = Annotated[str, Field(pattern=r"^(bool|u?int(8|16|32|64)|float(16|32|64))$")]


class TargetEntry(Settings):
    """Something to find: its name and the other ways to ask for it."""

    name: Text
    prompts: Annotated[tuple[Text, ...], Field(max_length=1_000)]


class ProposedEntry(Settings):
    """A mask that a published model proposed, and that may teach."""

    model: Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}@[0-9a-f]{12}$")]
    chunks: Chunks


class ImageEntry(Settings):
    """One image: its pixels by hash, and its finished masks by target's number.

    A mask without chunks says that somebody looked and found nothing.
    """

    axes: Annotated[str, Field(pattern=r"^c?z?yx$")]
    shape: Annotated[tuple[Length, ...], Field(min_length=2, max_length=4)]
    dtype: Dtype
    sha256: Sha
    split: Literal["train", "val"]
    spacing: Annotated[tuple[Spacing, ...], Field(max_length=3)] = ()
    unit: Annotated[str, Field(pattern=r"^(millimeter|micrometer|pixel)$")] = "pixel"
    orientation: Annotated[str, Field(pattern=r"^[LRPASI]{0,3}$")] = ""
    direction: Annotated[tuple[Cosine, ...], Field(max_length=9)] = ()
    modality: Annotated[str, Field(pattern=MODALITY.pattern)] = ""
    group: Number = 0
    caption: Text = ""
    array: Note
    chunks: Chunks
    masks: dict[Number, Chunks] = Field(default_factory=dict)
    proposed: dict[Number, ProposedEntry] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_length_an_axis(self) -> ImageEntry:
        if len(self.axes) != len(self.shape):
            raise ValueError("not one length for each axis")
        return self

    def blobs(self) -> Iterator[Blob]:
        """Yield all that it consists of."""
        yield self.array
        yield from self.chunks.values()
        proposed = [entry.chunks for entry in self.proposed.values()]
        for chunks in (*self.masks.values(), *proposed):
            yield from chunks.values()


class ModelEntry(Settings):
    """The version that answers now: what to go on from, and to compare with."""

    version: Version
    weights: Blob
    card: Note


class Manifest(Settings):
    """A whole bundle; its own sha256 names it."""

    format: Literal[1] = 1
    targets: Annotated[tuple[TargetEntry, ...], Field(max_length=10_000)]
    images: Annotated[tuple[ImageEntry, ...], Field(max_length=10_000_000)]
    model: ModelEntry | None = None

    @model_validator(mode="after")
    def _sizes_agree(self) -> Manifest:
        """One hash has one size, and masks are of known targets."""
        self.blobs()
        count = len(self.targets)
        if any(t >= count for i in self.images for t in (*i.masks, *i.proposed)):
            raise ValueError("a mask is of a target that is not in the list")
        return self

    def blobs(self) -> dict[str, int]:
        """Return hash -> bytes of all that it speaks of."""
        found: dict[str, int] = {}
        for sha256, size in self._all():
            if found.setdefault(sha256, size) != size:
                raise ValueError(f"{sha256} is said to have two sizes")
        return found

    def _all(self) -> Iterator[Blob]:
        for image in self.images:
            yield from image.blobs()
        if self.model is not None:
            yield self.model.weights
            yield self.model.card

    def pack(self) -> bytes:
        """Return the bytes that its name is the hash of."""
        return self.model_dump_json(exclude_defaults=True).encode()


def bundle_name(data: bytes) -> str:
    """Return the sha256 by which a packed manifest is known."""
    return hashlib.sha256(data).hexdigest()


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest that came from elsewhere.

    Raises
    ------
    BadInputError
        If it is too long, or anything in it is not as it must be.
    """
    if len(data) > LIMITS.document:
        raise BadInputError(
            f"The list of what to train on has {len(data) / MIB:.0f} MiB and "
            f"{LIMITS.document / MIB:.0f} are allowed; train on fewer images."
        )
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BadInputError(
            f"The list of what to train on is not usable ({where}: {first['msg']}); "
            "use the same version of lgssl-napari on both sides."
        ) from error


def image_id(number: int) -> str:
    """Identifier of an image inside a bundle."""
    return f"i{number:08d}"


def target_id(number: int) -> str:
    """Identifier of a target inside a bundle."""
    return f"t{number:05d}"
