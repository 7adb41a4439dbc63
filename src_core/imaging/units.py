"""Units of length, whatever a format calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_METRES = {
    "angstrom": 1e-10,
    "å": 1e-10,
    "nm": 1e-9,
    "nanometer": 1e-9,
    "um": 1e-6,
    "µm": 1e-6,
    "μm": 1e-6,
    "\\u00b5m": 1e-6,
    "micron": 1e-6,
    "microns": 1e-6,
    "micrometer": 1e-6,
    "mm": 1e-3,
    "millimeter": 1e-3,
    "cm": 1e-2,
    "centimeter": 1e-2,
    "inch": 0.0254,
    "m": 1.0,
    "meter": 1.0,
}


def common_unit(units: Sequence[str]) -> tuple[tuple[float, ...], str]:
    """Bring each axis's unit of length to one for all.

    Returns
    -------
    factors : tuple of float
        What to multiply each axis's lengths by.
    unit : str
        ``"millimeter"`` where an axis has millimetres or more, ``"micrometer"`` for
        smaller ones, ``"pixel"`` (factors 1) where any unit is unknown.
    """
    metres = [_METRES.get(unit.strip().lower()) for unit in units]
    known = [m for m in metres if m is not None]
    if not known or len(known) < len(metres):
        return (1.0,) * len(metres), "pixel"
    whole, unit = (1e-3, "millimeter") if max(known) >= 1e-3 else (1e-6, "micrometer")
    return tuple(m / whole for m in known), unit
