"""Before the first label: published models that propose masks from a prompt.

One file a proposer, one row each in the table. Their weights are looked for on this
machine, in a folder of one's own or in the hub's cache; none is ever fetched unasked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from src_core.errors import BadInputError
from src_core.proposers.base import Proposer
from src_core.proposers.clipseg import CLIPSeg
from src_core.proposers.sam3 import SAM3
from src_core.proposers.weights import (
    Weights,
    fetch_weights,
    find_weights,
    own_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.devices import Device

PROPOSERS: dict[str, type[Proposer]] = {CLIPSeg.kind: CLIPSeg, SAM3.kind: SAM3}


def proposer_class(kind: str) -> type[Proposer]:
    """Return the proposer of that name.

    Raises
    ------
    BadInputError
        If the table has no such proposer.
    """
    if kind not in PROPOSERS:
        raise BadInputError(
            f"There is no proposer '{kind}'; choose one of {', '.join(PROPOSERS)}."
        )
    return PROPOSERS[kind]


def is_proposer(model: str | None) -> bool:
    """Whether a mask's source, such as ``"clipseg@0123456789ab"``, is a proposer."""
    return bool(model) and str(model).split("@")[0] in PROPOSERS


def find(kind: str, folder: Path | None = None, revision: str = "") -> Weights | None:
    """Look for a proposer's weights on this machine; see :func:`find_weights`."""
    return find_weights(kind, proposer_class(kind).home, folder, revision)


def fetch(kind: str, revision: str) -> Weights:
    """Fetch a proposer's weights; see :func:`fetch_weights`."""
    return fetch_weights(kind, proposer_class(kind).home, revision)


def load(weights: Weights, device: Device, text_cache: Path | None = None) -> Proposer:
    """Load a proposer; raises as :class:`Proposer`."""
    return proposer_class(weights.kind)(weights, device, text_cache)


__all__ = [
    "PROPOSERS",
    "Proposer",
    "Weights",
    "fetch",
    "find",
    "is_proposer",
    "load",
    "own_folder",
    "proposer_class",
]
