"""The words of the domain, as plain frozen values that every floor may use."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Split(StrEnum):
    """What an image may be used for; a group (patient) is never divided."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class MaskStatus(StrEnum):
    """How far a person has got with one target in one image.

    Only ``DONE`` and ``EMPTY`` are truth. ``PROPOSED`` is a model's opinion,
    ``IN_PROGRESS`` an unfinished correction, ``FLAGGED`` one that a reviewer
    must look at; ``UNLABELLED`` says nothing about what is in the image.
    """

    UNLABELLED = "unlabelled"
    PROPOSED = "proposed"
    IN_PROGRESS = "in progress"
    DONE = "done"
    EMPTY = "empty on purpose"
    FLAGGED = "flagged"

    @property
    def is_truth(self) -> bool:
        """Whether training and scoring may rely on the mask."""
        return self in (MaskStatus.DONE, MaskStatus.EMPTY)


class SourceKind(StrEnum):
    """Where the pixels of a revision came from."""

    HUMAN = "human"
    MODEL = "model"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a mask came from, and for a model with which words it was asked."""

    kind: SourceKind
    model: str | None = None
    prompt: str | None = None


HUMAN = Source(SourceKind.HUMAN)
IMPORTED = Source(SourceKind.IMPORT)


@dataclass(frozen=True, slots=True)
class Image:
    """What is known about one imported image; its pixels stay in the store.

    Attributes
    ----------
    id : str
        Identifier inside the project: lower case letters, digits, ``-_.``.
    name : str
        The name shown to people (the file's name when it was imported).
    sha256 : str
        Of the pixels, their shape, dtype and axes.
    axes : str
        One letter an axis, a subset of ``"czyx"`` in that order.
    shape : tuple of int
        One length an axis.
    dtype : str
        NumPy's name of the pixel type.
    spacing : tuple of float
        Size of a voxel along the spatial axes (``"zyx"`` order) in `unit`.
    unit : str
        ``"millimeter"``, ``"micrometer"`` or ``"pixel"`` where it is unknown.
    origin : tuple of float
        Position of the first voxel's centre, as `spacing`.
    orientation : str
        The letter (of LRPASI) towards which each spatial axis grows: ``"SPL"`` for
        axes z, y, x; ``""`` where nothing tells what is left and right.
    group : str
        The patient, or what else must not be divided between splits.
    split : Split
        What the image is for.
    caption : str
        A sentence about this very image, or ``""``.
    direction : tuple of float
        Row-major 3x3, a unit vector in L, P, S for each column z, y, x, where the
        axes are oblique; ``()`` where `orientation` says it all.
    modality : str
        DICOM's word for what took it, such as ``"CT"``; ``""`` where it is unknown.
    """

    id: str
    name: str
    sha256: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    spacing: tuple[float, ...]
    unit: str = "pixel"
    origin: tuple[float, ...] = ()
    orientation: str = ""
    group: str = ""
    split: Split = Split.TRAIN
    caption: str = ""
    direction: tuple[float, ...] = ()
    modality: str = ""

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Lengths of the spatial axes: ``(y, x)`` or ``(z, y, x)``."""
        return tuple(n for a, n in zip(self.axes, self.shape, strict=True) if a != "c")


@dataclass(frozen=True, slots=True)
class Target:
    """Something to find, and the ways to ask for it.

    Attributes
    ----------
    id : str
        Identifier inside the project.
    name : str
        The name shown to people.
    prompts : tuple of str
        Wordings that mean this target; the first is the usual one.
    window : str
        How CT is shown where this target is looked for: the name of a preset, such
        as ``"lung"``; ``""`` lets its wordings decide.
    """

    id: str
    name: str
    prompts: tuple[str, ...] = ()
    window: str = ""

    @property
    def wordings(self) -> tuple[str, ...]:
        """Every wording that means the target, the usual one first, name included."""
        return tuple(dict.fromkeys((*self.prompts, self.name)))


@dataclass(frozen=True, slots=True)
class Revision:
    """One change of the project, as the ledger keeps it for ever.

    Attributes
    ----------
    number : int
        The ledger position; grows by one with each change.
    when : str
        UTC, ISO 8601.
    who, what : str
        The author's name; a verb such as ``"mask"`` or ``"restore"``.
    image, target : str or None
        Which mask, where the change is one of a mask.
    status : MaskStatus or None
        The mask's status from this revision on.
    source : Source
        Where the pixels came from.
    parent : int or None
        The revision of the same mask that this one replaced.
    seconds_spent : float
        A person's time on it.
    note : str
        Why it was flagged, or what the author wrote.
    sha256, prev_hash : str
        Of the content; of the row before (the hash chain).
    """

    number: int
    when: str
    who: str
    what: str
    image: str | None = None
    target: str | None = None
    status: MaskStatus | None = None
    source: Source = field(default=HUMAN)
    parent: int | None = None
    seconds_spent: float = 0.0
    note: str = ""
    sha256: str = ""
    prev_hash: str = ""
