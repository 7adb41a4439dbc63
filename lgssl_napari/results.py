"""What a model said, and how a training goes, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    version : str
    pixels : int
        Of the shown mask; for a volume voxels.
    milliseconds : float
    shown : bool
        Whether the preview holds a mask.
    cut : float
        The probability from which a pixel belongs to the shown mask.
    """

    prompt: str
    target: Target | None
    nearest: str
    similarity: float
    learned: bool
    present: bool
    score: float
    threshold: float
    version: str
    pixels: int
    milliseconds: float
    shown: bool
    cut: float = 0.5

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
        passes = self.score >= self.threshold
        verdict = "found from" if passes else "below"
        score = f"Score {self.score:.2f} ({verdict} {self.threshold:.2f})"
        if passes and not self.present:
            score += ", but no pixel is likelier inside than outside"
        shown = f", {self.pixels:,} pixels" if self.shown else ""
        return f"{score}{shown}. Model {self.version}, {self.milliseconds:.0f} ms."

    @property
    def understanding(self) -> str:
        """How the wording was understood; ``""`` where it is a known one."""
        if self.is_known:
            return (
                "" if self.learned else f"Model {self.version} has not learned it yet."
            )
        if self.target is not None:
            return f"Taken for '{self.nearest}' (similarity {self.similarity:.2f})."
        if self.nearest:
            return (
                f"No known target is like this; the nearest is '{self.nearest}' "
                f"(similarity {self.similarity:.2f})."
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
