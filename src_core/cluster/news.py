"""What a server may tell of a job: nothing else reaches a terminal or a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from src_core.cluster.trouble import plain
from src_core.config import Settings

if TYPE_CHECKING:
    from src_core.jobs import Event

_LONGEST: Final = 10_000


class Said(Settings):
    """A sentence for a person."""

    kind: Literal["phase", "note", "device"]
    text: str

    def event(self) -> Event:
        """Return it with nothing in it that a terminal would obey."""
        return {"kind": self.kind, "text": plain(self.text)}


class Stands(Settings):
    """How far a training has got."""

    kind: Literal["progress"]
    phase: str
    step: int
    done: float
    seconds: float
    seconds_left: float
    losses: Annotated[dict[str, float], Field(max_length=100)]
    looks: Annotated[list[tuple[int, float, float, float]], Field(max_length=_LONGEST)]

    def event(self) -> Event:
        """Return it as the local worker tells it."""
        losses = {plain(name): value for name, value in self.losses.items()}
        looks = [list(look) for look in self.looks]
        phase = plain(self.phase)
        return {**self.model_dump(), "phase": phase, "losses": losses, "looks": looks}


class Looking(Settings):
    """How far a pool has been looked at."""

    kind: Literal["looking"]
    text: str
    done: int
    total: int

    def event(self) -> Event:
        """Return it as the local worker tells it."""
        return {**self.model_dump(), "text": plain(self.text)}


_NEWS: Final[TypeAdapter[Said | Stands | Looking]] = TypeAdapter(
    Annotated[Said | Stands | Looking, Field(discriminator="kind")]
)


def read_news(told: Any) -> Event | None:
    """Return an event that came from a server, None where it is no event."""
    try:
        return _NEWS.validate_python(told).event()
    except ValidationError:
        return None
