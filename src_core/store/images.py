"""An image's pixels: imported once as OME-Zarr 0.5, durable, never changed."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError, CorruptError
from src_core.files import clear_disk_errors, fsync_folder, seal_tree
from src_core.store.guard import (
    LIMITS,
    check_array,
    check_size,
    contained,
    parse_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import zarr
    from numpy.typing import NDArray

    from src_core.types import Image

AXES: Final = "czyx"
UNITS: Final = ("pixel", "millimeter", "micrometer")
_KINDS: Final = "biuf"
_PLANE: Final = 64 << 20
_SLAB: Final = 4 << 20
_AXIS_KIND: Final = {"c": "channel", "z": "space", "y": "space", "x": "space"}


def check_pixels(
    pixels: NDArray[Any],
    axes: str,
    spacing: Sequence[float] | None,
    origin: Sequence[float],
    unit: str,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Check what an image is said to be.

    Returns
    -------
    spacing, origin : tuple of float
        One value a spatial axis; origin stays empty where it was.

    Raises
    ------
    BadInputError
        With the sentence for whoever made the import.
    """
    where = f"An image with axes {axes!r} and shape {pixels.shape}"
    letters = [letter for letter in AXES if letter in axes]
    if axes != "".join(letters) or not {"y", "x"} <= set(axes):
        raise BadInputError(
            f"Axes {axes!r} are not usable: give one letter an axis, in the order of "
            f"{AXES!r}, with y and x among them."
        )
    if pixels.ndim != len(axes) or 0 in pixels.shape:
        raise BadInputError(f"{where} has not one pixel for each letter; check both.")
    if pixels.dtype.kind not in _KINDS or pixels.dtype.itemsize > 8:
        raise BadInputError(
            f"{where} has pixels of type {pixels.dtype}; convert them to whole numbers "
            "or floats."
        )
    check_size(pixels.shape, pixels.dtype.itemsize, LIMITS.image, where)
    if unit not in UNITS:
        raise BadInputError(f"The unit {unit!r} is not one of {', '.join(UNITS)}.")
    spatial = sum(letter != "c" for letter in axes)
    steps = tuple(float(step) for step in (spacing or (1.0,) * spatial))
    start = tuple(float(value) for value in origin)
    if len(steps) != spatial or not all(0 < step < math.inf for step in steps):
        raise BadInputError(
            f"{where} needs {spatial} positive spacings, not {steps}; correct the file."
        )
    if len(start) not in (0, spatial) or not all(map(math.isfinite, start)):
        raise BadInputError(f"{where} needs {spatial} origins or none, not {start}.")
    return steps, start


def check_direction(
    direction: Sequence[float], orientation: str, axes: str
) -> tuple[float, ...]:
    """Check the oblique axes of a volume.

    Raises
    ------
    BadInputError
        When they are not nine finite numbers, or nothing says where they are.
    """
    numbers = tuple(float(value) for value in direction)
    fits = len(numbers) == 9 and "z" in axes and len(orientation) == 3
    if numbers and not (fits and all(map(math.isfinite, numbers))):
        raise BadInputError(
            f"The direction {numbers} is not usable: give nine numbers for a volume "
            "whose orientation is known, or none."
        )
    return numbers


def native(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels of any shape with little-endian items, as stored and hashed."""
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)


def pixel_hash(
    shape: Sequence[int], dtype: str, axes: str, read: Callable[[slice], NDArray[Any]]
) -> str:
    """Hash pixels together with their shape, type and axes.

    Parameters
    ----------
    shape : sequence of int
        The lengths.
    dtype : str
        NumPy's name of the pixel type.
    axes : str
        The letters.
    read : callable
        Returns a slab along the first axis; a volume is never held twice.

    Returns
    -------
    str
        sha256 in hexadecimal.
    """
    header = {"axes": axes, "dtype": dtype, "shape": list(shape)}
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    row = math.prod(shape[1:]) * np.dtype(dtype).itemsize
    step = max(1, _PLANE // max(row, 1))
    for start in range(0, shape[0], step):
        slab = np.ascontiguousarray(native(read(slice(start, start + step))))
        digest.update(slab.data)
    return digest.hexdigest()


def chunk_shape(shape: Sequence[int], axes: str, itemsize: int) -> tuple[int, ...]:
    """One chunk for a 2-D image, slabs of about 4 MiB for a volume.

    A plane beyond 64 MiB is cut into tiles: a decoder works on whole chunks.
    """
    lengths = dict(zip(axes, shape, strict=True))
    plane = lengths.get("c", 1) * lengths["y"] * lengths["x"] * itemsize
    if plane > _PLANE:
        lengths.update(
            y=min(lengths["y"], 2048),
            x=min(lengths["x"], 2048),
            c=min(lengths.get("c", 1), 4),
            z=1,
        )
    elif "z" in lengths:
        lengths["z"] = min(lengths["z"], max(1, _SLAB // plane))
    return tuple(lengths[letter] for letter in axes)


def ome_attributes(image: Image) -> dict[str, Any]:
    """The OME-Zarr 0.5 metadata of one image with a single resolution."""
    axes: list[dict[str, str]] = []
    for letter in image.axes:
        axis = {"name": letter, "type": _AXIS_KIND[letter]}
        if letter != "c" and image.unit != "pixel":
            axis["unit"] = image.unit
        axes.append(axis)
    channels = [1.0] * image.axes.count("c")
    steps: list[dict[str, Any]] = [
        {"type": "scale", "scale": [*channels, *image.spacing]}
    ]
    if image.origin:
        start = [0.0] * len(channels)
        steps.append({"type": "translation", "translation": [*start, *image.origin]})
    scale = {"path": "0", "coordinateTransformations": steps}
    return {
        "ome": {
            "version": "0.5",
            "multiscales": [{"name": image.id, "axes": axes, "datasets": [scale]}],
        }
    }


def folder_name(image: str) -> str:
    """An image's folder inside the project."""
    return f"images/{image}.ome.zarr"


def write_image(root: Path, image: Image, pixels: NDArray[Any]) -> None:
    """Put an image's folder in place, whole and durable, or not at all.

    Parameters
    ----------
    root : Path
        The project's folder.
    image : Image
        Its identifier is not in the ledger yet: a folder of that name is what a
        killed import left, and is replaced.
    pixels : ndarray
        As `image` says, in any byte order.

    Raises
    ------
    StoreError
        When the disk is full; nothing is left behind.
    """
    adopt(root, image, stage(root, image, pixels))


def stage(root: Path, image: Image, pixels: NDArray[Any]) -> Path:
    """Write an image's folder, whole and durable, where nobody sees it yet.

    Any process may do so while one has the project open for writing.

    Parameters
    ----------
    root : Path
        The project's folder.
    image : Image
        What the pixels are.
    pixels : ndarray
        Of the shape and type that `image` says, in any byte order.

    Returns
    -------
    Path
        The folder, which `adopt` puts in its place.

    Raises
    ------
    StoreError
        When the disk is full; nothing is left behind.
    """
    import zarr
    from zarr.codecs import ZstdCodec
    from zarr.storage import LocalStore

    with clear_disk_errors(root):
        temporary = Path(tempfile.mkdtemp(prefix="import-", dir=root / "tmp"))
        try:
            store = LocalStore(temporary)
            zarr.create_group(store, attributes=ome_attributes(image))
            array = zarr.create_array(
                store,
                name="0",
                shape=image.shape,
                chunks=chunk_shape(image.shape, image.axes, pixels.dtype.itemsize),
                dtype=np.dtype(image.dtype),
                compressors=ZstdCodec(level=3, checksum=True),
                fill_value=0,
                dimension_names=list(image.axes),
            )
            array[...] = native(pixels)
            seal_tree(temporary)
        except BaseException:
            discard(temporary)
            raise
    return temporary


def adopt(root: Path, image: Image, folder: Path) -> None:
    """Put a staged folder in its place, or remove it if that cannot be done."""
    final = contained(root, folder_name(image.id))
    with clear_disk_errors(root):
        try:
            if final.exists():
                shutil.rmtree(final)
            folder.replace(final)
            fsync_folder(final.parent)
        except BaseException:
            discard(folder)
            raise


def discard(folder: Path) -> None:
    """Remove a staged folder."""
    with suppress(OSError):
        shutil.rmtree(folder)


def open_pixels(root: Path, image: Image) -> zarr.Array[Any]:
    """Open an image's pixels for reading; nothing is read before it is indexed.

    Raises
    ------
    CorruptError
        When the folder is not there or not readable.
    BadInputError
        When it declares anything else than what was imported, or leads out.
    """
    import zarr
    from zarr.storage import StorePath

    from src_core.store.image_store import ImageStore

    what = f"Image '{image.id}'"
    folder = contained(root, folder_name(image.id))
    path = contained(root, f"{folder_name(image.id)}/0/zarr.json")
    try:
        with path.open("rb") as file:
            data = file.read(LIMITS.document + 1)
    except OSError as error:
        raise CorruptError(
            f"{what} has no readable pixels at '{path}'; restore the project from a "
            "backup."
        ) from error
    document = parse_json(data, f"The zarr.json of {what}")
    size = check_array(document, shape=image.shape, dtype=image.dtype, what=what)
    compressed = any(codec["name"] == "zstd" for codec in document["codecs"])
    store = ImageStore(folder, chunk_bytes=size, compressed=compressed)
    document["codecs"] = document["codecs"][:1]  # the store decompresses
    return zarr.Array.from_dict(StorePath(store, "0"), document)


def stored_hash(array: zarr.Array[Any], image: Image) -> str:
    """Hash the pixels as they are on the disk now."""

    def read(rows: slice) -> NDArray[Any]:
        return np.asarray(array[rows])

    return pixel_hash(image.shape, image.dtype, image.axes, read)
