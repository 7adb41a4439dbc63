"""What every reader gives back, what a reader is, and how much memory it may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Protocol

from src_core.errors import BadInputError
from src_core.geometry import spatial_axes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from src_core.imaging.sources import Source

MAX_DECODED_BYTES = 2**30
"""Largest decoded image, 1 GiB; checked against what the header claims, before memory
is taken. A CT of 512x512x600 voxels is 0.3 GiB."""

PACKED_AT_MOST = 1100
"""DEFLATE packs at most 1032 to 1: a header that claims more than that is a lie."""

AXES = "czyx"


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded image with its place in the world.

    World coordinates of oriented images are the patient's, in DICOM's sense: they
    grow towards the Left, Posterior and Superior.

    Attributes
    ----------
    pixels : array
        One axis for each letter of `axes`; native byte order.
    axes : str
        A subset of ``"czyx"`` in that order, with y and x.
    spacing : tuple of float
        Size of a voxel along the spatial axes, in `unit`.
    unit : str
        ``"millimeter"``, ``"micrometer"``, or ``"pixel"`` where it is unknown.
    origin : tuple of float
        For each spatial axis the first voxel's centre, in `unit`; with an
        orientation, its coordinate on the world axis that the axis runs along.
    orientation : str
        The letter (of LRPASI) towards which each spatial axis grows: ``"SPL"`` for
        axes z, y, x; ``""`` where it is unknown.
    name : str
        The file's name.
    group : str
        A hint: images of one group show one patient; ``""`` where it is unknown.
    direction : tuple of float
        Row-major 3x3, a unit vector in L, P, S for each column z, y, x, where the
        axes are oblique; ``()`` where `orientation` says it all.
    lossy : bool
        Whether compression changed values, so that label values cannot be trusted.
    modality : str
        DICOM's word for what took it, such as ``"CT"``; ``""`` where it is unknown.
    window : tuple of float
        The values that whoever took it would show as black and as white, or ``()``.
    reference : Reference or None
        Where in an archive of DICOM files it comes from.
    notes : tuple of str
        What a person should know before using it, a sentence each.
    """

    pixels: np.ndarray
    axes: str
    spacing: tuple[float, ...]
    unit: str
    origin: tuple[float, ...]
    orientation: str
    name: str
    group: str = ""
    direction: tuple[float, ...] = ()
    lossy: bool = False
    modality: str = ""
    window: tuple[float, ...] = ()
    reference: Reference | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no other part of the program could make sense of."""
        space = spatial_axes(self.axes)
        if (
            self.axes not in ("yx", "zyx", "cyx", "czyx")
            or len(self.axes) != self.pixels.ndim
            or len(self.spacing) != len(space)
            or len(self.origin) != len(space)
            or len(self.orientation) not in (0, len(space))
        ):
            raise BadInputError(
                f"'{self.name}' has axes '{self.axes}', shape {self.pixels.shape} and "
                f"spacing {self.spacing}, which do not fit one another; export it "
                "again with y and x, and at most z and channels."
            )


@dataclass(frozen=True, slots=True)
class Reference:
    """What a DICOM object must say of the pictures that it was made from.

    The identifiers name a patient's examination to whoever has the archive, so they
    are kept apart from everything that leaves a project, and only with its owner.

    Attributes
    ----------
    study, series, frame_of_reference : str
        Unique identifiers; ``""`` where an anonymiser has removed them.
    sop_class : str
        What kind of object each file is.
    instances : tuple of str
        A file's identifier for each slice, in the picture's order along z; for
        several frames of one file the same one again.
    frames : tuple of int
        Which frame of its file each slice is, from 1; ``()`` where files have one.
    positions : tuple of (float, float, float)
        Of each slice's first voxel in L, P, S, in millimetres; ``()`` if unknown.
    across_down : tuple of float
        ``ImageOrientationPatient``; ``()`` if unknown.
    spacing : tuple of float
        Millimetres down and across; ``()`` if unknown.
    thickness : float
        Of a slice in millimetres; 0 if unknown.
    rows, columns : int
        Of a slice.
    """

    study: str
    series: str
    frame_of_reference: str
    sop_class: str
    instances: tuple[str, ...]
    frames: tuple[int, ...] = ()
    positions: tuple[tuple[float, ...], ...] = ()
    across_down: tuple[float, ...] = ()
    spacing: tuple[float, ...] = ()
    thickness: float = 0.0
    rows: int = 0
    columns: int = 0


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read.

    Attributes
    ----------
    labels : bool
        The file holds label values: a coloured palette gives its indices.
    part : str
        Which picture, where a file or folder holds several; see `Source`.
    files : tuple of Path
        Of a DICOM series, in order, where they have been looked up already.
    value : int or None
        The one label that is wanted, for formats in which labels may overlap.
    salt : str
        Secret that turns a patient's identifier into a pseudonym; a project keeps
        its own, so that a patient stays one group for ever. Empty: one that is drawn
        anew in every process.
    """

    labels: bool = False
    salt: str = ""
    part: str = ""
    files: tuple[Path, ...] = ()
    value: int | None = None


DEFAULT_OPTIONS = ReadOptions()


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One image of a project with its masks, on the way out.

    Attributes
    ----------
    stem : str
        What its files are called, without suffix; no two items share one.
    picture : Picture
        The image and its place in the world.
    masks : mapping of str to array
        Target's name to 0 and not 0 over the spatial axes. A target that nobody has
        looked for is not there; one that is absent is all 0.
    person : mapping of str to str
        DICOM attributes that name the patient, where somebody has agreed to that.
    """

    stem: str
    picture: Picture
    masks: Mapping[str, np.ndarray]
    person: Mapping[str, str] = field(default_factory=dict)


class Exporter(Protocol):
    """Writes images with their masks in one format."""

    def __call__(self, items: Iterable[ExportItem], out: Path) -> list[Path]:
        """Write below the folder `out`, taking one item at a time.

        Returns
        -------
        list of Path
            What was written.

        Raises
        ------
        BadInputError
            If the format cannot hold an item, or a file is there already that no
            earlier export wrote.
        MissingExtraError
            If a library is needed that is not installed.
        """
        ...


class Reader(Protocol):
    """One family of formats.

    Attributes
    ----------
    name : str
        As people call it, for messages.
    suffixes : tuple of str
        Lower case, dot included.
    folders : bool
        Whether a folder can be one image, so that nothing is looked for inside it.
    """

    @property
    def name(self) -> str: ...
    @property
    def folders(self) -> bool: ...

    @property
    def suffixes(self) -> tuple[str, ...]: ...

    def can_read(self, path: Path) -> bool:
        """Whether the file looks like one of this family; cheap."""
        ...

    def sources(self, path: Path) -> list[Source]:
        """List the pictures in a file: volumes, frames, tiles; mostly it is one.

        Raises
        ------
        BadInputError
            If it is damaged.
        MissingExtraError
            If a library is needed that is not installed.
        """
        ...

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """Decode the file.

        Raises
        ------
        BadInputError
            If it is damaged, too large, or holds what cannot be taken.
        MissingExtraError
            If a library is needed that is not installed.
        """
        ...


def has_suffix(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether the file's name ends in one of these, in any case."""
    return path.name.lower().endswith(suffixes)


def check_claim(path: Path, claimed: int, held: int) -> None:
    """Compare how many bytes of voxels a header claims with what the file can hold.

    Parameters
    ----------
    path : Path
        For the message.
    claimed, held : int
        Bytes; `held` times `PACKED_AT_MOST` where they may be packed.

    Raises
    ------
    BadInputError
        If the file is cut off, or its header lies.
    """
    if claimed > held:
        raise BadInputError(
            f"'{path}' claims {claimed:,} bytes of voxels, more than the file can "
            "hold; it is cut off or damaged, copy or export it again."
        )


def check_size(path: Path, shape: Sequence[int], itemsize: int) -> int:
    """Return the decoded size in bytes that a header claims.

    Parameters
    ----------
    path : Path
        For the message.
    shape : sequence of int
        As claimed by the header.
    itemsize : int
        Bytes a value.

    Raises
    ------
    BadInputError
        If an axis is empty, or the whole would exceed `MAX_DECODED_BYTES`.
    """
    if not shape or min(shape) < 1:
        raise BadInputError(
            f"'{path}' claims the shape {tuple(shape)}, which holds no pixels; "
            "the file is damaged or empty, export it again."
        )
    size = prod(int(n) for n in shape) * itemsize
    if size > MAX_DECODED_BYTES:
        raise BadInputError(
            f"'{path}' would take {size / 2**30:.1f} GiB decoded, more than the limit "
            f"of {MAX_DECODED_BYTES / 2**30:g} GiB; crop it or divide it into parts."
        )
    return size
