"""Masks to files: one mask, or many images with their masks in a format by name."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from src_core.errors import BadInputError, MissingExtraError
from src_core.imaging.base import Exporter, ExportItem, has_suffix
from src_core.imaging.coco import export_coco
from src_core.imaging.names import Names
from src_core.imaging.omezarr_write import export_ome_zarr
from src_core.imaging.space import affine_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from src_core.imaging.space import Placed

MASK_SUFFIXES = (".png", ".nii.gz", ".nii")


class _Plain(NamedTuple):
    """A place of which the spacing alone is known."""

    spacing: tuple[float, ...]
    unit: str = "millimeter"
    origin: tuple[float, ...] = ()
    orientation: str = ""


def write_mask(
    path: str | Path,
    mask: np.ndarray,
    *,
    like: Placed | None = None,
    spacing: tuple[float, ...] | None = None,
) -> None:
    """Write a mask, whole or not at all; missing folders are made.

    Parameters
    ----------
    path : str or Path
        ``.png`` (0 and 255; flat masks) or ``.nii``, ``.nii.gz`` (0 and 1).
    mask : (Y, X) or (Z, Y, X) array
        Anything that is not 0 belongs to it.
    like : picture or image, optional
        Where the mask lies; NIfTI gets the matrix that it was read with.
    spacing : tuple of float, optional
        Millimetres along the axes, where no `like` is at hand.

    Raises
    ------
    BadInputError
        If the suffix is another one, or PNG is asked to hold a volume.
    MissingExtraError
        If NIfTI's library is not installed.
    """
    path = Path(path)
    if mask.ndim not in (2, 3):
        raise BadInputError(
            f"A mask of shape {mask.shape} cannot be written to '{path}'; give one "
            "over y and x, or z, y and x."
        )
    place = like or _Plain(
        spacing or (1.0,) * mask.ndim, "millimeter" if spacing else "pixel"
    )
    write = _writer(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as part:
        write(part, mask != 0, place)


def _writer(path: Path) -> Callable[[Path, np.ndarray, Placed], None]:
    if has_suffix(path, (".png",)):
        return _write_png
    if has_suffix(path, (".nii", ".nii.gz")):
        return _write_nifti
    raise BadInputError(
        f"A mask cannot be written as '{path.name}'; end the name in "
        f"{' or '.join(MASK_SUFFIXES)}."
    )


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a name beside `path`; move the file there when it is complete."""
    part = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _write_png(path: Path, mask: np.ndarray, place: Placed) -> None:
    from PIL import Image

    del place  # PNG has no word for it
    if mask.ndim != 2:
        raise BadInputError(
            f"PNG holds one slice, the mask has {mask.shape[0]}; write it as .nii.gz."
        )
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(path, optimize=True)


def _write_nifti(path: Path, mask: np.ndarray, place: Placed) -> None:
    try:
        import nibabel
    except ImportError as error:
        raise MissingExtraError("Writing NIfTI", "nifti") from error
    volume = mask.astype(np.uint8).reshape((1, *mask.shape)[-3:]).transpose(2, 1, 0)
    affine = affine_of(place)
    image = nibabel.Nifti1Image(volume, affine)
    known = 1 if place.orientation else 0
    image.set_sform(affine, code=known)
    image.set_qform(affine, code=known, strip_shears=True)
    unit = {"millimeter": "mm", "micrometer": "micron"}.get(place.unit, "unknown")
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)


def _masks_as(suffix: str) -> Exporter:
    """Make an exporter of a file a mask: ``OUT/IMAGE/TARGET<suffix>``."""

    def export_masks(items: Iterable[ExportItem], out: Path) -> list[Path]:
        written = []
        images = Names()
        for item in items:
            folder = out / images.new(item.stem)
            targets = Names()
            for target, mask in item.masks.items():
                path = folder / f"{targets.new(target)}{suffix}"
                write_mask(path, mask, like=item.picture)
                written.append(path)
        return written

    return export_masks


EXPORTERS: dict[str, Exporter] = {
    "png": _masks_as(".png"),
    "nifti": _masks_as(".nii.gz"),
    "ome-zarr": export_ome_zarr,
    "coco": export_coco,
}
"""Formats by the name that the command line takes."""


def export(kind: str, items: Iterable[ExportItem], out: str | Path) -> list[Path]:
    """Write images with their masks below the folder `out`; see `Exporter`.

    Raises
    ------
    BadInputError
        If the format is unknown, or cannot hold an item.
    MissingExtraError
        If it needs an optional library.
    """
    if kind not in EXPORTERS:
        raise BadInputError(
            f"There is no export format '{kind}'; choose one of {', '.join(EXPORTERS)}."
        )
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    return EXPORTERS[kind](items, out)
