"""Phantoms of chest films and stained slides, with truth: no person's pictures.

`table_path` names a table in the import format; `chest` and `slide` load one image
each, ready for a viewer. ``sample_data.generate`` draws the files.

Laterality is the patient's, as in radiology: the *left* lung lies on the right-hand
side of the picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent


def table_path() -> Path:
    """Return the table that ``lgssl import`` takes; its paths are relative to it."""
    return FOLDER / "table.csv"


def chest() -> tuple[np.ndarray, dict[str, Any]]:
    """Load a phantom chest film.

    Returns
    -------
    pixels : (192, 192) uint8 array
    about : dict
        ``name``, and ``metadata`` with the file's ``path``.
    """
    return _load("chest/chest_01a.png", "Phantom chest film")


def slide() -> tuple[np.ndarray, dict[str, Any]]:
    """Load a phantom of a stained slide.

    Returns
    -------
    pixels : (192, 192, 3) uint8 array
        RGB.
    about : dict
        ``name``, ``rgb``, and ``metadata`` with the file's ``path``.
    """
    pixels, about = _load("slide/slide_01a.png", "Phantom stained slide")
    return pixels, about | {"rgb": True}


def _load(name: str, title: str) -> tuple[np.ndarray, dict[str, Any]]:
    # imported here, so that asking for the table's path stays cheap
    from PIL import Image

    path = FOLDER / name
    with Image.open(path) as picture:
        mode = "RGB" if picture.mode == "P" else "L"
        pixels = np.asarray(picture.convert(mode))
    return pixels, {"name": title, "metadata": {"path": str(path)}}
