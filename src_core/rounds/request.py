"""What a person asks of a round; needs no torch, so that a window can ask it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from src_core.config import DeviceName, ModelSettings, Settings

if TYPE_CHECKING:
    from src_core.train import Budget


class RoundRequest(Settings):
    """What a person asks of a round.

    Exactly one of `minutes` and `steps` limits it.
    """

    settings: ModelSettings = ModelSettings()
    minutes: float | None = Field(None, gt=0, allow_inf_nan=False)
    steps: int | None = Field(None, ge=1)
    clock: Literal["wall", "cpu"] = Field(
        "wall",
        description="what minutes are; cpu = of this process alone, to compare "
        "trainings on a busy machine",
    )
    device: DeviceName = "auto"
    ranks: int = Field(
        1, ge=1, le=1024, description="processes that train together, one a GPU"
    )
    fresh: bool = Field(False, description="start from nothing, not from what answers")
    proposals_teach: bool | None = Field(
        None, description="in the first round; null = as the project says"
    )

    def budget(self) -> Budget:
        """Return the limit as the loop wants it."""
        from src_core.train import Budget

        if self.steps is not None:
            return Budget(steps=self.steps)
        clock = time.process_time if self.clock == "cpu" else time.monotonic
        return Budget(seconds=60.0 * (self.minutes or 1.0), clock=clock)
