"""What goes wrong in a training, and the next sensible thing to press; a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from src_core.errors import (
    JobError,
    NoEncoderError,
    OutOfMemoryError,
    StoreError,
    UserError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Asked = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remedy:
    """A button, and how it changes what was asked of the training.

    Attributes
    ----------
    label : str
    change : callable
        Gets the fields of the request, returns those of the next.
    resumes : bool
        Whether the next goes on from the last checkpoint of this one.
    """

    label: str
    change: Callable[[Asked], Asked]
    resumes: bool = True


def as_before(asked: Asked) -> Asked:
    """Ask for the same again; its checkpoint is found."""
    return asked


def smaller(asked: Asked) -> Asked:
    """Ask for the smallest batch: the worker has halved it already, and in vain."""
    return _with(asked, "train", {"batch": 2, "prompts_per_image": 1})


def built_in_words(asked: Asked) -> Asked:
    """Ask for the encoder that comes with the program, and begin anew."""
    return {**_with(asked, "text", None), "fresh": True}


def _with(asked: Asked, part: str, values: Asked | None) -> Asked:
    settings = dict(asked.get("settings") or {})
    settings[part] = {} if values is None else {**settings.get(part, {}), **values}
    return {**asked, "settings": settings}


# The first kind that fits counts: the particular before the general.
REMEDIES: tuple[tuple[type[Exception], Remedy | None], ...] = (
    (OutOfMemoryError, Remedy("Train in smaller steps", smaller, resumes=False)),
    (
        NoEncoderError,
        Remedy("Use the built-in encoder", built_in_words, resumes=False),
    ),
    (UserError, None),
    (StoreError, Remedy("Try again", as_before)),
    (JobError, Remedy("Go on", as_before)),
    (Exception, Remedy("Go on", as_before)),
)


def remedy_for(error: Exception) -> Remedy | None:
    """Return what to offer after an error of a training, None for nothing."""
    return next(remedy for kind, remedy in REMEDIES if isinstance(error, kind))
