"""How values become black and white: presets for CT, percentiles for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from src_core.types import Target

PRESETS: Final[dict[str, tuple[float, float]]] = {
    "lung": (-1350.0, 150.0),
    "soft tissue": (-160.0, 240.0),
    "bone": (-450.0, 1050.0),
    "brain": (0.0, 80.0),
}
"""Hounsfield units that become black and white. Radiology's usual centres and widths:
-600/1500, 40/400, 300/1500, 40/80."""

DEFAULT: Final = "soft tissue"
PERCENTILES: Final = ""
"""The name of no preset: black and white come from the picture itself."""

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "lung": (
        *("lung", "lungs", "lobe", "pulmonary", "airway", "bronchus", "bronchial"),
        *("trachea", "pneumothorax", "emphysema", "pneumonia", "infiltrate"),
        *("opacity", "opacities", "consolidation", "nodule", "covid"),
    ),
    "bone": (
        *("bone", "bones", "rib", "ribs", "vertebra", "vertebrae", "vertebral"),
        *("spine", "sacrum", "skull", "femur", "hip", "pelvis", "clavicle"),
        *("scapula", "humerus", "sternum", "fracture", "mandible", "tooth", "teeth"),
    ),
    "brain": (
        *("brain", "cerebral", "cerebellum", "intracranial", "haemorrhage"),
        *("hemorrhage", "haematoma", "hematoma", "subdural", "epidural", "stroke"),
        *("ischaemia", "ischemia", "thalamus", "putamen", "hippocampus"),
    ),
}
_CT_LOWEST: Final = -3200
_AIR: Final = (-1100, -900)
_TISSUE: Final = (-200, 300)
_LOOKED_AT: Final = 200_000


def preset_named(name: str) -> str:
    """Return a preset's name as the table has it, ``""`` for ``""``.

    Raises
    ------
    BadInputError
        If there is no such preset.
    """
    plain = " ".join(name.replace("-", " ").replace("_", " ").split()).casefold()
    if plain and plain not in PRESETS:
        raise BadInputError(
            f"There is no window '{name}'; choose one of {', '.join(PRESETS)}."
        )
    return plain


def preset_for(words: str) -> str:
    """Return the preset that a radiologist would look for these words with.

    >>> preset_for("left lower lobe"), preset_for("liver"), preset_for("a broken rib")
    ('lung', 'soft tissue', 'bone')
    """
    said = set(words.casefold().replace(",", " ").split())
    for preset, known in _WORDS.items():
        if said.intersection(known):
            return preset
    return DEFAULT


def window_of_target(target: Target) -> str:
    """Return the preset that a target is looked for with, chosen or by its words."""
    return target.window or preset_for(" ".join((target.name, *target.wordings[:1])))


def windows_by_wording(targets: Iterable[Target]) -> dict[str, str]:
    """Return wording -> preset of every wording of every target.

    What a model version keeps, so that it is asked the way it was trained even after
    somebody has chosen another preset.
    """
    return {
        plain_wording(wording): window_of_target(target)
        for target in targets
        for wording in target.wordings
    }


def plain_wording(words: str) -> str:
    """Return a wording without what does not matter: case and spaces."""
    return " ".join(words.split()).casefold()


def guess_modality(pixels: NDArray[np.generic]) -> str:
    """Return ``"CT"`` for a volume (Z, Y, X) of Hounsfield units, else ``""``.

    NIfTI, NRRD and others do not say what took an image. A scan that reaches beyond
    the skin has air at -1000, soft tissue around 0, little else, and nothing below
    what scanners fill corners with (-3024). Phases of MRI, which reach as low, are
    spread evenly.
    """
    if pixels.ndim != 3 or pixels.dtype.kind not in "if" or not pixels.size:
        return ""
    step = max(1, pixels.size // _LOOKED_AT)
    values: NDArray[Any] = pixels.reshape(-1)[::step].astype(np.float64)
    lowest, highest = float(values.min()), float(values.max())
    if lowest < _AIR[0] and lowest < highest:
        values = values[values != lowest]  # the corners outside of the scanner's bore
    air = np.mean((values > _AIR[0]) & (values < _AIR[1]))
    tissue = np.mean((values > _TISSUE[0]) & (values < _TISSUE[1]))
    known = air > 0.01 and tissue > 0.05 and air + tissue > 0.4
    fits = lowest >= _CT_LOWEST and highest < 2**15
    return "CT" if fits and known else ""
