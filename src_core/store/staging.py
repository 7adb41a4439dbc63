"""Images made ready to be imported, by any number of processes at once.

Decoding, hashing and compressing is most of an import's work and needs no ledger; what
does need it, the commit, takes a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.store import images, records
from src_core.types import Image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_NAMELESS: Final = "image"


@dataclass(frozen=True, slots=True)
class Staged:
    """An image whose pixels lie ready in the project's ``tmp``.

    Attributes
    ----------
    image : Image
        All that the file tells; identifier, group, split and caption are not final.
    folder : Path
        Its pixels.
    """

    image: Image
    folder: Path


def describe(
    pixels: NDArray[Any],
    *,
    name: str,
    axes: str,
    spacing: Sequence[float] | None = None,
    unit: str = "pixel",
    origin: Sequence[float] = (),
    orientation: str = "",
    direction: Sequence[float] = (),
    modality: str = "",
) -> tuple[Image, NDArray[Any]]:
    """Check and hash an image; see `Project.add_image`.

    Returns
    -------
    Image
        Without group, split and caption, under a provisional identifier.
    ndarray
        The pixels as they are to be stored.

    Raises
    ------
    BadInputError
        When the pixels do not fit what is said about them.
    """
    pixels = images.native(np.asarray(pixels))
    steps, start = images.check_pixels(pixels, axes, spacing, origin, unit)
    dtype = pixels.dtype.name
    sha256 = images.pixel_hash(pixels.shape, dtype, axes, pixels.__getitem__)
    image = Image(
        id=records.slug(name, lambda known: known == "", _NAMELESS),
        name=records.clean(name, "name of an image"),
        sha256=sha256,
        axes=axes,
        shape=pixels.shape,
        dtype=dtype,
        spacing=steps,
        unit=unit,
        origin=start,
        orientation=records.clean(orientation, "orientation", empty=True),
        direction=images.check_direction(direction, orientation, axes),
        modality=records.clean(modality, "modality", empty=True),
    )
    return image, pixels


def stage_image(root: Path, pixels: NDArray[Any], **about: Any) -> Staged:
    """Make an image ready for `Project.add_staged`, from any process.

    Parameters
    ----------
    root : Path
        Of a project that some process has open for writing.
    pixels, **about
        As `describe`.

    Raises
    ------
    BadInputError
        As `describe`.
    StoreError
        When the disk is full; nothing is left behind.
    """
    image, stored = describe(pixels, **about)
    return Staged(image, images.stage(root, image, stored))
