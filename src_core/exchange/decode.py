"""One image with its masks, from files to what the ledger takes; in any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from src_core.errors import BadInputError, StoreError, UserError
from src_core.imaging import (
    Picture,
    ReadOptions,
    Reference,
    Source,
    TableRow,
    load_mask,
    read_image,
)
from src_core.store.staging import Staged, stage_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from src_core.types import Image


_SLIPS = ((1, 255, 255), (255, 1, 1))
"""Value asked for, least and greatest label: black and white by its other name. Taken
by the letter it would say that the target is not there."""


@dataclass(frozen=True, slots=True)
class Job:
    """One image to be read.

    Attributes
    ----------
    source : Source
        Its files.
    rows : tuple of TableRow
        The masks that are wanted of it.
    root : Path
        The project's folder.
    salt : str
        The project's secret, for pseudonyms.
    like : Image or None
        The image where it is in the project already: only its masks are read.
    reference : Reference or None
        Of such an image, where it came from an archive.
    """

    source: Source
    rows: tuple[TableRow, ...]
    root: Path
    salt: str
    like: Image | None = None
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class DecodedMask:
    """A mask, packed eight voxels a byte on its way between processes.

    Attributes
    ----------
    row : TableRow
        What asked for it.
    packed : bytes
        Empty where there is a problem.
    shape : tuple of int
    is_partial : bool
        Whether parts of the image were left unlabelled on purpose.
    note, problem : str
        What to know; why there is none.
    instead : (int, int) or ()
        The least and the greatest label of the file, where its own is nowhere in it.
    """

    row: TableRow
    packed: bytes = b""
    shape: tuple[int, ...] = ()
    is_partial: bool = False
    note: str = ""
    problem: str = ""
    instead: tuple[int, ...] = ()

    @property
    def mask(self) -> NDArray[np.uint8]:
        """0 and 1 over the image's spatial axes."""
        count = int(np.prod(self.shape))
        bits = np.unpackbits(np.frombuffer(self.packed, np.uint8), count=count)
        return bits.reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a job.

    Attributes
    ----------
    staged : Staged or None
        None where it failed, or the image was there already.
    masks : tuple of DecodedMask
        In the rows' order.
    group : str
        The patient's pseudonym, as the file gives it.
    reference : Reference or None
    notes : tuple of str
        What a person should know.
    problem : str
        Why there is nothing.
    """

    staged: Staged | None = None
    masks: tuple[DecodedMask, ...] = ()
    group: str = ""
    reference: Reference | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


def decode(job: Job) -> Decoded:
    """Read an image and its masks; whatever is wrong is told, never raised.

    The image is on the disk when this returns, where `Project.add_staged` finds it.
    """
    try:
        if job.like is not None:
            return Decoded(masks=_masks(job.rows, stand_in(job.like, job.reference)))
        picture = read_image(job.source, ReadOptions(salt=job.salt))
        masks = _masks(job.rows, picture)
        staged = stage_image(
            job.root,
            picture.pixels,
            name=picture.name,
            axes=picture.axes,
            spacing=picture.spacing,
            unit=picture.unit,
            origin=picture.origin,
            orientation=picture.orientation,
            direction=picture.direction,
            modality=picture.modality,
        )
    except (UserError, StoreError) as error:
        return Decoded(problem=str(error))
    except MemoryError:
        return Decoded(
            problem=f"'{job.source}' does not fit into the memory that is free; close "
            "other programs, or crop it."
        )
    return Decoded(staged, masks, picture.group, picture.reference, picture.notes)


def stand_in(image: Image, reference: Reference | None = None) -> Picture:
    """Return an image of a project as a picture whose pixels take no memory.

    Enough to lay a mask over it.
    """
    pixels = np.broadcast_to(np.zeros((), np.dtype(image.dtype)), image.shape)
    space = len(image.spatial_shape)
    return Picture(
        pixels,
        image.axes,
        image.spacing,
        image.unit,
        image.origin or (0.0,) * space,
        image.orientation,
        image.name,
        image.group,
        image.direction,
        modality=image.modality,
        reference=reference,
    )


def _masks(rows: tuple[TableRow, ...], like: Picture) -> tuple[DecodedMask, ...]:
    return tuple(decode_mask(row, like) for row in rows if row.mask is not None)


def decode_mask(row: TableRow, like: Picture) -> DecodedMask:
    """Read one mask and lay it over its image; a problem is told, not raised."""
    assert row.mask is not None
    try:
        mask, note, instead = load_mask(row.mask, row.value, like=like)
        if row.ignore is None and (row.value, *instead) in _SLIPS:
            raise BadInputError(
                f"'{row.mask}' has no label {row.value}: what is marked in it is "
                f"{instead[0]}; give that as the value, or leave it empty for whatever "
                "is marked."
            )
        partial = row.ignore is not None and bool(
            load_mask(row.mask, row.ignore, like=like).mask.any()
        )
    except UserError as error:
        return DecodedMask(row, problem=str(error))
    except MemoryError:
        problem = BadInputError(f"The mask '{row.mask}' does not fit into the memory.")
        return DecodedMask(row, problem=str(problem))
    packed = np.packbits(mask).tobytes()
    return DecodedMask(row, packed, mask.shape, partial, note, instead=instead)
