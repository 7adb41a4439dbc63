"""COCO JSON as masks: polygons and run lengths, through no library but numpy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    Picture,
    ReadOptions,
    check_size,
    has_suffix,
)
from src_core.imaging.sources import Source, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Mask = NDArray[np.uint8]

SUFFIXES: Final = (".json",)
_FIVE_BITS, _MORE, _MINUS = 0x1F, 0x20, 0x10


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image of a COCO file.

    Attributes
    ----------
    number : int
        Its ``id``.
    file_name : str
        As the file has it.
    shape : (int, int)
        Height and width.
    pieces : dict of str to list
        Category's name to the segmentations of its annotations.
    absent : tuple of str
        Categories that were looked for and are not there, as our exporter says it.
    """

    number: int
    file_name: str
    shape: tuple[int, int]
    pieces: dict[str, list[Any]]
    absent: tuple[str, ...]


def read_coco(path: Path) -> list[CocoImage]:
    """Read the images of a COCO file with their annotations.

    Raises
    ------
    BadInputError
        If it is none, or damaged.
    """
    state = path.stat()
    return list(_read(path, state.st_mtime_ns, state.st_size).values())


# each mask of a file asks for it again, and one file may have a hundred thousand
@lru_cache(maxsize=1)
def _read(path: Path, changed: int, size: int) -> dict[int, CocoImage]:
    del changed, size  # they tell one content of the file from another
    try:
        content = json.loads(path.read_bytes())
        names = {int(c["id"]): str(c["name"]) for c in content["categories"]}
        found = {}
        for entry in content["images"]:
            absent = tuple(str(name) for name in entry.get("absent") or ())
            shape = int(entry["height"]), int(entry["width"])
            number, name = int(entry["id"]), str(entry["file_name"])
            found[number] = CocoImage(number, name, shape, {}, absent)
        for one in content["annotations"]:
            pieces = found[int(one["image_id"])].pieces
            name = names[int(one["category_id"])]
            pieces.setdefault(name, []).append(one.get("segmentation"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BadInputError(
            f"'{path}' is no COCO file of images, annotations and categories "
            f"({reason}); export it again."
        ) from error
    return found


def part_of(image: CocoImage, category: str) -> str:
    """Return the part of a `Source` that names one mask of a COCO file."""
    return f"image={image.number}&category={category}"


class CocoReader:
    """The mask of one category in one image; a reader of masks only."""

    name = "COCO JSON"
    suffixes = SUFFIXES
    folders = False

    def can_read(self, path: Path) -> bool:
        """See `Reader`."""
        return has_suffix(path, self.suffixes) and path.is_file()

    def sources(self, path: Path) -> list[Source]:
        """See `Reader`: one for each image and category."""
        return [
            Source(path, part_of(image, category))
            for image in read_coco(path)
            for category in (*image.pieces, *image.absent)
        ]

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        known = {image.number: image for image in read_coco(path)}
        number, category = (
            wanted(options.part, "image"),
            wanted(options.part, "category"),
        )
        if not (number or "").isdecimal() or int(number or 0) not in known:
            raise BadInputError(
                f"'{path}' holds no image '{number}'; say which and of what, such as "
                f"'{path}#image=1&category=liver'."
            )
        image = known[int(number or 0)]
        if category not in image.pieces and category not in image.absent:
            told = ", ".join((*image.pieces, *image.absent)) or "none"
            raise BadInputError(
                f"'{path}' says of '{image.file_name}' nothing about '{category}'; it "
                f"has {told}."
            )
        check_size(path, image.shape, 1)
        mask = draw(image.pieces.get(category or "", ()), image.shape)
        space = (1.0, 1.0)
        return Picture(mask, "yx", space, "pixel", (0.0, 0.0), "", image.file_name)


def draw(pieces: Any, shape: tuple[int, int]) -> Mask:
    """Draw the segmentations of one category.

    Parameters
    ----------
    pieces : iterable
        Each a list of polygons, or run lengths: ``{"counts", "size"}`` with counts in
        a list, or packed in a string as pycocotools does. Nothing where a detector's
        box is all that is known.
    shape : (int, int)
        H and W.

    Returns
    -------
    (H, W) uint8 array
        0 and 1; a pixel belongs to a polygon if its centre does.

    Raises
    ------
    BadInputError
        If a segmentation fits neither form, or the image, or there is none. Without
        its subject.
    """
    mask = np.zeros(shape, np.uint8)
    for piece in pieces:
        if not piece:
            # an empty mask would say that the target is not there
            raise BadInputError(
                "it has a box without an outline, which does not tell which pixels "
                "are meant; outline it, or remove the annotation"
            )
        if isinstance(piece, dict):
            mask |= _from_runs(piece, shape)
            continue
        for corners in piece:
            mask |= _inside(corners, shape)
    return mask


def _inside(corners: Any, shape: tuple[int, int]) -> Mask:
    from skimage.draw import polygon

    points = np.asarray(corners, dtype=float)
    if points.ndim != 1 or len(points) % 2 or len(points) < 6:
        raise BadInputError("it has a polygon that is no list of three or more points")
    if not np.isfinite(points).all():
        raise BadInputError("it has a polygon with a corner that is no number")
    x, y = points.reshape(-1, 2).T
    mask = np.zeros(shape, np.uint8)
    # COCO counts from the picture's corner, numpy from the first pixel's centre
    mask[polygon(y - 0.5, x - 0.5, shape)] = 1
    return mask


def _from_runs(piece: dict[str, Any], shape: tuple[int, int]) -> Mask:
    counts = piece.get("counts")
    runs = _unpacked(counts) if isinstance(counts, str) else counts
    lengths = np.asarray(runs, dtype=np.int64)
    wrong = (
        lengths.ndim != 1
        or (lengths < 0).any()
        or lengths.sum() != shape[0] * (shape[1])
    )
    if wrong or list(piece.get("size") or ()) != list(shape):
        raise BadInputError(
            f"it has run lengths of the size {piece.get('size')} that do not fill an "
            f"image of {list(shape)}"
        )
    values = np.arange(len(lengths)) % 2
    flat: Mask = np.repeat(values, lengths).astype(np.uint8)
    return flat.reshape(shape, order="F")


def _unpacked(text: str) -> list[int]:
    """Read COCO's string of run lengths: six bits a letter, each the change of two.

    The form of ``rleFrString`` in pycocotools' ``maskApi.c``.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & _FIVE_BITS) << shift
        shift += 5
        if bits & _MORE:
            continue
        if bits & _MINUS:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs
