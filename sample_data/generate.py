"""Draw the sample data: ``python -m sample_data.generate [FOLDER]``.

The same files come out each time, byte for byte with the same zlib: every film and
every slide hangs on its patient's and its own number alone. Nothing in them was
taken from a real picture.
"""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sample_data import _png, phantom_chest, phantom_slide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sample_data._draw import Mask

HEADER = ("image", "mask", "value", "target", "prompt", "caption", "group", "split")

PATIENTS = {"train": 12, "val": 4, "test": 6}
"""Phantom patients of each split and modality; two images each."""
LABELLED_PATIENTS = 3
"""Of the training patients; the others' masks are left out of the table."""

WORDINGS: dict[str, tuple[str, str, str, str]] = {
    "left lung": (
        "left lung",
        "left lung field",
        "lung on the patient's left side",
        "air-filled part of the left lung",
    ),
    "right lung": (
        "right lung",
        "right lung field",
        "lung on the patient's right side",
        "air-filled part of the right lung",
    ),
    "heart": ("heart", "cardiac silhouette", "outline of the heart", "heart shadow"),
    "lung opacity": (
        "lung opacity",
        "opacity in the lung",
        "patchy consolidation",
        "area of increased density in a lung",
    ),
    "large nuclei": (
        "large nuclei",
        "big cell nuclei",
        "enlarged nuclei",
        "nuclei of large size",
    ),
    "small nuclei": (
        "small nuclei",
        "little cell nuclei",
        "nuclei of small size",
        "tiny nuclei",
    ),
    "gland": ("gland", "glandular structure", "gland with its lumen", "tubular gland"),
}
"""Ways to ask for each target."""


@dataclass(frozen=True, slots=True)
class MaskFile:
    """One mask file of an image: a label map of targets that cannot overlap.

    Attributes
    ----------
    suffix : str
        Added to the image's name.
    values : dict of str to int
        The label value of each target; 0 where any non-zero pixel means it.
    """

    suffix: str
    values: dict[str, int]


MASK_FILES: dict[str, tuple[MaskFile, ...]] = {
    "chest": (
        MaskFile("organs", {"left lung": 1, "right lung": 2, "heart": 3}),
        MaskFile("opacity", {"lung opacity": 0}),
    ),
    "slide": (
        MaskFile("nuclei", {"large nuclei": 1, "small nuclei": 2}),
        MaskFile("gland", {"gland": 0}),
    ),
}


@dataclass(frozen=True, slots=True)
class Phantom:
    """Which picture to draw, and what the table says of it.

    Attributes
    ----------
    kind : str
        ``"chest"`` or ``"slide"``.
    patient, shot : int
        Both count from 0; they alone decide on the picture.
    split : str
        ``"train"``, ``"val"`` or ``"test"``; the patient's.
    labelled : bool
        Whether the table names its masks.
    """

    kind: str
    patient: int
    shot: int
    split: str
    labelled: bool

    @property
    def name(self) -> str:
        """Stem of its files."""
        return f"{self.kind}_{self.patient + 1:02d}{'ab'[self.shot]}"

    @property
    def group(self) -> str:
        """The phantom patient."""
        return f"{self.kind}-patient-{self.patient + 1:02d}"

    def draw(self) -> phantom_chest.Film | phantom_slide.Slide:
        """Draw it; every third film is clear, every fourth slide has no gland."""
        number = 2 * self.patient + self.shot
        if self.kind == "chest":
            return phantom_chest.film(self.patient, self.shot, number % 3 != 2)
        return phantom_slide.slide(self.patient, self.shot, number % 4 != 3)


def phantoms() -> Iterator[Phantom]:
    """Every phantom in the table's order."""
    for kind in MASK_FILES:
        patient = 0
        for split, count in PATIENTS.items():
            for place in range(count):
                labelled = split != "train" or place < LABELLED_PATIENTS
                for shot in range(2):
                    yield Phantom(kind, patient, shot, split, labelled)
                patient += 1


def truth(image: str | Path) -> dict[str, Mask]:
    """Return what is to be found in a sample image, drawn afresh.

    It knows the images that the table leaves unlabelled too, so that a demonstration
    can play the part of the person who labels them.

    Parameters
    ----------
    image : str or path
        The image's file; only its stem counts.

    Returns
    -------
    dict of str to (192, 192) bool array
        One mask for each target of the modality; all False where it is absent.

    Raises
    ------
    KeyError
        If no sample image has that name.
    """
    stem = Path(image).stem
    for phantom in phantoms():
        if phantom.name == stem:
            return phantom.draw().masks
    raise KeyError(f"no sample image is called '{stem}'")


def generate(folder: Path) -> list[Path]:
    """Write images, masks and ``table.csv`` below `folder`; return what was written.

    About 10 s for 88 images on one core.
    """
    files: dict[str, bytes] = {}
    rows: list[tuple[str, ...]] = []
    for number, phantom in enumerate(phantoms()):
        drawn = phantom.draw()
        image = f"{phantom.kind}/{phantom.name}.png"
        files[image] = _encode_picture(drawn)
        for part in MASK_FILES[phantom.kind]:
            mask = ""
            if phantom.labelled:
                mask = f"{phantom.kind}/masks/{phantom.name}_{part.suffix}.png"
                files[mask] = _png.encode(_label_map(part, drawn.masks))
            for target, value in part.values.items():
                rows.append(
                    (
                        image,
                        mask,
                        str(value or ""),
                        target,
                        _prompt(target, number, phantom.labelled),
                        drawn.caption,
                        phantom.group,
                        phantom.split,
                    )
                )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
    files["table.csv"] = text.getvalue().encode()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return [folder / name for name in files]


def _encode_picture(drawn: phantom_chest.Film | phantom_slide.Slide) -> bytes:
    if isinstance(drawn, phantom_slide.Slide):
        return _png.encode(drawn.index, drawn.palette)
    return _png.encode(drawn.pixels)


def _label_map(part: MaskFile, masks: dict[str, Mask]) -> np.ndarray:
    """One file's targets by their values; 255 where the file has one target alone."""
    labels = np.zeros(next(iter(masks.values())).shape, dtype=np.uint8)
    for target, value in part.values.items():
        labels[masks[target]] = value or 255
    return labels


def _prompt(target: str, number: int, labelled: bool) -> str:
    """Wordings in turn; a labelled image offers two, so that few images cover all."""
    words = WORDINGS[target]
    first = words[number % len(words)]
    return f"{first}|{words[(number + 1) % len(words)]}" if labelled else first


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
