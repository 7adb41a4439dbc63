"""What of a project is truth: finished masks, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from src_core.store.project import Project
    from src_core.types import Split

    Truth = dict[str, NDArray[np.uint8]]


def truths(project: Project, split: Split | None = None) -> dict[str, list[str]]:
    """Return image id -> ids of the targets whose mask is truth, in one query."""
    found: dict[str, list[str]] = {}
    for mask in project.masks(split):
        if mask.status is not None and mask.status.is_truth:
            found.setdefault(mask.image, []).append(mask.target)
    return found


def read_truth(project: Project, image: str, targets: list[str]) -> Truth:
    """Read the truth of one image, target by target, over its spatial axes."""
    read = {}
    for target in targets:
        mask = project.mask(image, target)
        if mask is not None:
            read[target] = mask.read()
    return read
