"""What each round cost a person, and how good the proposals were that it began with."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from src_core.checkpoints import CARD, load_card
from src_core.errors import CorruptError
from src_core.metrics import dice
from src_core.types import MaskStatus, Revision, SourceKind

if TYPE_CHECKING:
    from src_core.store import Project


@dataclass(frozen=True, slots=True)
class RoundEffort:
    """What people did between two trainings.

    Attributes
    ----------
    number : int
        From 1; the first round is the one before any training.
    model : str
        The newest version that proposed in it, ``""`` for none.
    images, masks : int
        That a person finished.
    minutes : float
        A person's time on them.
    proposals : int
        Masks that began with a model's proposal.
    dice : float or None
        Mean Dice between those proposals and what became of them.
    """

    number: int
    model: str
    images: int
    masks: int
    minutes: float
    proposals: int
    dice: float | None

    @property
    def minutes_an_image(self) -> float:
        """A person's time on one image; 0 where none was finished."""
        return self.minutes / self.images if self.images else 0.0


@dataclass(slots=True)
class _Tally:
    models: list[str] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    masks: int = 0
    seconds: float = 0.0
    dices: list[float] = field(default_factory=list)


def effort(project: Project) -> list[RoundEffort]:
    """Return the rounds with what people did in them, oldest first.

    A round ends where a training took its snapshot. Reads the masks of every proposal
    that was corrected, about a millisecond each.
    """
    ends = sorted(_positions(project))
    tallies = [_Tally() for _ in range(len(ends) + 1)]
    revisions = {r.number: r for r in project.history()}
    for revision in sorted(revisions.values(), key=lambda r: r.number):
        if _is_work(revision):
            tally = tallies[bisect_left(ends, revision.number)]
            _add(project, tally, revision, revisions.get(revision.parent or 0))
    return [
        RoundEffort(
            number,
            tally.models[-1] if tally.models else "",
            len(tally.images),
            tally.masks,
            tally.seconds / 60,
            len(tally.dices),
            sum(tally.dices) / len(tally.dices) if tally.dices else None,
        )
        for number, tally in enumerate(tallies, start=1)
    ]


def _positions(project: Project) -> list[int]:
    found = []
    for path in project.models_dir.glob(f"v*/{CARD}"):
        try:
            found.append(load_card(path.parent).position)
        except CorruptError:
            continue
    return found


def _is_work(revision: Revision) -> bool:
    """Whether a person finished or flagged a mask with it."""
    finished = revision.status is not None and (
        revision.status.is_truth or revision.status is MaskStatus.FLAGGED
    )
    by_hand = revision.source.kind is SourceKind.HUMAN
    return revision.what == "mask" and by_hand and finished


def _add(
    project: Project, tally: _Tally, revision: Revision, parent: Revision | None
) -> None:
    assert revision.image is not None
    assert revision.target is not None
    tally.images.add(revision.image)
    tally.masks += 1
    tally.seconds += revision.seconds_spent
    if revision.source.model:
        tally.models.append(revision.source.model)
    if parent is None or parent.status is not MaskStatus.PROPOSED:
        return
    image = project.image(revision.image)
    proposed = project.read_mask(image, revision.target, parent.number)
    finished = project.read_mask(image, revision.target, revision.number)
    tally.dices.append(dice(proposed, finished))
