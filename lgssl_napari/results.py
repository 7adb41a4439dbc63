"""What a model said, and how a training goes, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src_core.rounds import RoundEffort
    from src_core.types import Target


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said to one prompt.

    Attributes
    ----------
    prompt : str
    target : Target or None
        The known target it was taken for, None where none is near.
    nearest : str
        The nearest known wording, or ``""``.
    similarity : float
        Between prompt and `nearest`; 1 for the same words.
    learned : bool
        Whether the version has learned the target.
    present : bool
        Whether it was found.
    score, threshold : float
        How sure the model is that it is there; from where on it counts.
    peak : float
        The probability of the likeliest pixel.
    version : str
    pixels : int
        Of the shown mask; for a volume voxels.
    milliseconds : float
    shown : bool
        Whether the preview holds a mask.
    cut : float
        The probability from which a pixel belongs to the shown mask.
    note : str
        What had to be done otherwise than usual, or ``""``.
    """

    prompt: str
    target: Target | None
    nearest: str
    similarity: float
    learned: bool
    present: bool
    score: float
    threshold: float
    peak: float
    version: str
    pixels: int
    milliseconds: float
    shown: bool
    cut: float = 0.5
    note: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the prompt is a known wording, word by word."""
        return self.target is not None and self.similarity >= 1.0

    @property
    def title(self) -> str:
        """The answer in two words."""
        what = self.target.name if self.target else self.prompt
        return f"{'Found' if self.present else 'Not found'}: {what}"

    @property
    def detail(self) -> str:
        """The figures behind the answer."""
        shown = f", {self.pixels:,} pixels" if self.shown else ""
        who = f"Model {self.version}, {self.milliseconds:.0f} ms."
        return " ".join(filter(None, (f"{self._verdict}{shown}. {who}", self.note)))

    @property
    def _verdict(self) -> str:
        score = f"Score {self.score:.2f}"
        if self.present:
            return f"{score} (found from {self.threshold:.2f})"
        if self.score < self.threshold:
            return f"{score} (below {self.threshold:.2f})"
        # The two heads of the network disagree: said, and not shown as a sure find.
        return (
            f"The model expects it (score {self.score:.2f}) but is sure of no pixel: "
            f"the likeliest has {self.peak:.2f}"
        )

    @property
    def honest_cut(self) -> float:
        """Where to cut for who wants the mask all the same: below the peak."""
        return self.cut if self.peak > self.cut else max(0.02, round(self.peak / 2, 2))

    @property
    def understanding(self) -> str:
        """How the wording was understood; ``""`` where it is a known one."""
        if self.is_known:
            return (
                "" if self.learned else f"Model {self.version} has not learned it yet."
            )
        near = f"similarity {self.similarity:.2f}"
        if self.target is not None:
            if self.nearest != self.target.name:
                near = f"by '{self.nearest}', {near}"
            return f"New wording, taken for '{self.target.name}' ({near})."
        if self.nearest:
            return (
                f"No known target is like this; the nearest is '{self.nearest}' "
                f"({near})."
            )
        return "The project has no target yet."


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a round ended.

    Attributes
    ----------
    version : str
    promoted : bool
    sentence : str
        The gate's reason.
    old, new : float or None
        Mean Dice on the validation images.
    per_target : tuple of (str, float or None, float)
        Name, Dice before, Dice now.
    labelled, unlabelled, steps : int
    seconds : float
    stopped : bool
    """

    version: str
    promoted: bool
    sentence: str
    old: float | None
    new: float | None
    per_target: tuple[tuple[str, float | None, float], ...]
    labelled: int
    unlabelled: int
    steps: int
    seconds: float
    stopped: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """One validation mask before and after: ids, the target's name, Dice."""

    image: str
    target: str
    name: str
    old: float | None
    new: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a version changed.

    Attributes
    ----------
    version, against : str
        The version, and the one that answered before it, ``""`` for none.
    sentence : str
        The gate's reason; ``""`` where nothing was kept.
    per_target : tuple of (str, float or None, float)
        Name, Dice before, Dice after.
    changed : tuple of Changed
        The masks that changed most, most first.
    efforts : tuple of RoundEffort
        What each round cost.
    """

    version: str
    against: str = ""
    sentence: str = ""
    per_target: tuple[tuple[str, float | None, float], ...] = ()
    changed: tuple[Changed, ...] = ()
    efforts: tuple[RoundEffort, ...] = ()


@dataclass(frozen=True, slots=True)
class JobState:
    """The training under way, or the last one.

    Attributes
    ----------
    running, stopping : bool
    phase, device, memory, note : str
        What it does, where, how full the machine's memory is, what it had to change.
    done : float
        0 to 1.
    step : int
    seconds_left : float
    counts : (int, int)
        Images with and without masks that it learns from.
    dice, losses : tuple of (float, float)
        Seconds and value, growing.
    outcome : Outcome or None
    """

    running: bool = False
    stopping: bool = False
    phase: str = ""
    device: str = ""
    memory: str = ""
    note: str = ""
    done: float = 0.0
    step: int = 0
    seconds_left: float = 0.0
    counts: tuple[int, int] = (0, 0)
    dice: tuple[tuple[float, float], ...] = ()
    losses: tuple[tuple[float, float], ...] = ()
    outcome: Outcome | None = None
