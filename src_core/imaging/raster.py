"""PNG, JPEG, BMP and WebP, through Pillow."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.errors import BadInputError
from src_core.imaging.base import (
    DEFAULT_OPTIONS,
    Picture,
    ReadOptions,
    check_size,
    has_suffix,
)
from src_core.imaging.sources import Source, series_in_time, wanted_number

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

_ANIMATED = (".png", ".webp")
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "WEBP")

# Pillow's mode to the one decoded to; alpha is dropped, it is never anatomy, but for
# masks drawn on a transparent layer, see `_seen`
_MODES = {
    "1": "L",
    "L": "L",
    "La": "L",
    "LA": "L",
    "P": "RGB",
    "PA": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
    "RGBa": "RGB",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
    "I;16": "I;16",
    "I;16L": "I;16",
    "I;16B": "I;16",
    "I": "I",
    "F": "F",
}

_TRANSPARENT = ("LA", "PA", "RGBA")


class RasterReader:
    """Flat pictures without a place in the patient; sizes are in pixels.

    A camera's rotation tag is obeyed, so that the picture stands as every viewer
    shows it. Resolution tags are ignored: in these formats they speak of paper. A
    colour PNG of 16 bits a channel comes as 8 bits, which is all that Pillow gives.
    """

    name = "PNG, JPEG, BMP or WebP"
    suffixes = (".png", ".jpg", ".jpeg", ".bmp", ".dib", ".webp")
    folders = False

    def can_read(self, path: Path) -> bool:
        """See `Reader`."""
        return has_suffix(path, self.suffixes)

    def sources(self, path: Path) -> list[Source]:
        """See `Reader`; only some WebP and PNG files have frames."""
        if not has_suffix(path, _ANIMATED):
            return [Source(path)]
        with _open(path) as picture:
            count = int(getattr(picture, "n_frames", 1))
        return series_in_time(path, "frame", count)

    def read(self, path: Path, options: ReadOptions = DEFAULT_OPTIONS) -> Picture:
        """See `Reader`."""
        from PIL import ImageOps

        picture = _open(path)
        with picture:
            count = int(getattr(picture, "n_frames", 1))
            picture.seek(wanted_number(options.part, "frame", count, str(path)))
            check_size(path, (picture.height, picture.width), 4)
            lossy = _is_lossy(path, picture.format or "")
            upright = ImageOps.exif_transpose(picture)
            pixels = _decode(upright, options)
            if options.labels and picture.mode in _TRANSPARENT:
                pixels = _seen(path, pixels, np.asarray(upright.getchannel("A")))
        axes = "yx"
        if pixels.ndim == 3:
            pixels, axes = pixels.transpose(2, 0, 1), "cyx"
        return Picture(
            # a copy: Pillow's own memory is read-only
            pixels=np.array(pixels, order="C"),
            axes=axes,
            spacing=(1.0, 1.0),
            unit="pixel",
            origin=(0.0, 0.0),
            orientation="",
            name=path.name if count == 1 else f"{path.name} {options.part}",
            lossy=lossy,
        )


def _open(path: Path) -> Image.Image:
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow only warns below twice its limit; here the limit is the limit
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return Image.open(path, formats=_FORMATS)
        except (
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise BadInputError(
                f"'{path}' claims more than {Image.MAX_IMAGE_PIXELS:,} pixels; "
                "crop it or divide it into parts."
            ) from error


def _decode(picture: Image.Image, options: ReadOptions) -> np.ndarray[Any, Any]:
    """Return (H, W) or (H, W, 3) pixels."""
    mode = _MODES.get(picture.mode)
    if mode is None:
        raise BadInputError(
            f"Pillow's mode '{picture.mode}' is not supported; save it as grey or RGB"
        )
    if options.labels and picture.mode == "1":
        # a bit has no number but 1, and is white, 255, to whoever wants that
        bits = np.asarray(picture).astype(np.uint8)
        return bits * np.uint8(255) if options.value == 255 else bits
    if picture.mode in ("P", "PA"):
        table = np.array(picture.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        if (table == table[:, :1]).all():
            # an indexed grey picture: its greys are its values
            mode = "L"
        elif options.labels:
            return np.asarray(
                picture.getchannel(0) if picture.mode == "PA" else picture
            )
    pixels = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    if mode == "I" and pixels.min() >= 0 and pixels.max() < 2**16:
        # how older versions of Pillow open a 16-bit PNG
        return pixels.astype(np.uint16)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _seen(
    path: Path, labels: np.ndarray[Any, Any], alpha: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return labels that are 0 where nothing is seen of them.

    Drawing programs leave any colour below what is transparent. Where all of it is,
    but holds several colours, the transparency is what is wrong.
    """
    hidden = alpha == 0
    if hidden.all():
        return labels if (labels != labels[0, 0]).any() else np.zeros_like(labels)
    seen = labels.copy()
    seen[hidden] = 0
    if hidden.any() and not seen.any():
        raise BadInputError(
            f"'{path}' is black where something is seen and transparent elsewhere, "
            "which marks nothing; save the mask as a grey picture without "
            "transparency, with what is meant in white."
        )
    return seen


def _is_lossy(path: Path, kind: str) -> bool:
    if kind == "JPEG":
        return True
    if kind != "WEBP":
        return False
    with path.open("rb") as file:
        return b"VP8L" not in file.read(64)
