"""What a training tells, turned into what the panel shows; a table by kind of event."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lgssl_napari.results import JobState, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from lgssl_napari.state import VersionRow

Event = dict[str, Any]
POINTS = 400
"""Points of the loss curve that are kept; every other one goes when there are more."""


def progress(job: JobState, event: Event) -> JobState:
    """Take in how far the loop has got."""
    seconds = float(event["seconds"])
    losses = job.losses
    total = event["losses"].get("loss")
    if total is not None and math.isfinite(total):
        losses = (*losses, (seconds, float(total)))
    if len(losses) > POINTS:
        losses = losses[::2]
    dice = tuple(
        (float(at), max(value for value in (raw, average) if not math.isnan(value)))
        for _, at, raw, average in event["looks"]
        if not (math.isnan(raw) and math.isnan(average))
    )
    return replace(
        job,
        phase=f"learning from {event['phase']}",
        step=int(event["step"]),
        done=float(event["done"]),
        seconds_left=float(event["seconds_left"]),
        losses=losses,
        dice=dice,
        memory=memory_in_use(),
    )


def phase(job: JobState, event: Event) -> JobState:
    """Take in what the worker begins to do."""
    return replace(job, phase=str(event["text"]))


def device(job: JobState, event: Event) -> JobState:
    """Take in where it computes."""
    return replace(job, device=str(event["text"]))


def note(job: JobState, event: Event) -> JobState:
    """Take in what it had to change, such as a smaller batch."""
    return replace(job, note=str(event["text"]))


EVENTS: dict[str, Callable[[JobState, Event], JobState]] = {
    "progress": progress,
    "phase": phase,
    "device": device,
    "note": note,
}


def memory_in_use() -> str:
    """Return how much of the machine's memory is taken, such as ``"5.1 of 23 GB"``."""
    import psutil

    memory = psutil.virtual_memory()
    return (
        f"{(memory.total - memory.available) / 1e9:.1f} of {memory.total / 1e9:.0f} GB"
    )


def outcome_of(
    result: dict[str, Any],
    before: tuple[VersionRow, ...],
    now: tuple[VersionRow, ...],
    names: dict[str, str],
) -> Outcome:
    """Put a round's result beside the version that answered before.

    Parameters
    ----------
    result : dict
        ``RoundResult.as_dict()``.
    before, now : tuple of VersionRow
        The versions when the training began, and after it.
    names : dict
        Target id to name.
    """
    old = next((row for row in before if row.answers), None)
    new = next((row for row in now if row.version == result["version"]), None)
    old_dice = dict(old.per_target) if old else {}
    per_target = tuple(
        (names.get(target, target), old_dice.get(target), value)
        for target, value in (new.per_target if new else ())
    )
    verdict = result["verdict"]
    return Outcome(
        version=result["version"],
        promoted=result["promoted"],
        sentence=verdict["reason"],
        old=verdict["old"],
        new=verdict["new"],
        per_target=per_target,
        labelled=result["labelled"],
        unlabelled=result["unlabelled"],
        steps=result["steps"],
        seconds=result["seconds"],
        stopped=result["stopped"],
    )
