"""The version that answers when a round begins: to go on from, and to be judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from src_core.checkpoints import load_model
from src_core.errors import CorruptError, NotFoundError
from src_core.rounds.promotion import promoted

if TYPE_CHECKING:
    from torch import Tensor

    from src_core.checkpoints import ModelCard
    from src_core.store import Project


@dataclass(frozen=True, slots=True)
class Parent:
    """What answers when a round begins.

    Attributes
    ----------
    version : str
        Its name, ``""`` before the first.
    card : ModelCard or None
        None also where its files cannot be read.
    weights : dict
        The network's state; empty without a card.
    """

    version: str = ""
    card: ModelCard | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def is_lost(self) -> bool:
        """Whether something answers that cannot be read."""
        return bool(self.version) and self.card is None


def find_parent(project: Project) -> Parent:
    """Return what answers; a version that cannot be read must not lock a project."""
    version = promoted(project)
    if version is None:
        return Parent()
    try:
        return Parent(version, *load_model(project.models_dir / version))
    except (NotFoundError, CorruptError):
        return Parent(version)


def lost_sentence(version: str, *, began_anew: bool) -> str:
    """Say that a version cannot be read, what was done, and what one can do.

    Parameters
    ----------
    version : str
        That answers, or did.
    began_anew : bool
        Whether the round was to go on from it.
    """
    so = "nothing could be compared"
    if began_anew:
        so = "the new one began with fresh weights and could not be compared"
    return (
        f"the files of {version} are gone or damaged, so {so}; to have {version} "
        "back, restore its folder from a backup."
    )
