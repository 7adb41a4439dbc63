"""What a person asks of a round; needs no torch, so that a window can ask it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from src_core.config import DeviceName, ModelSettings, Settings
from src_core.errors import BadInputError

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

    def check_goes_on(self, settings: ModelSettings) -> None:
        """Refuse settings that a training which goes on from a version cannot heed.

        Parameters
        ----------
        settings : ModelSettings
            With which it is going to train.

        Raises
        ------
        BadInputError
            If the picture or the encoder was asked for otherwise: whoever compares
            settings would compare the same training with itself.
        """
        for part in ("text", "frame"):
            asked, kept = getattr(self.settings, part), getattr(settings, part)
            for name, value in asked:
                default = type(asked).model_fields[name].default
                if value not in (default, getattr(kept, name)):
                    raise BadInputError(
                        "This training goes on from the version that answers, with its "
                        f"{part}.{name} {getattr(kept, name)!r} instead of {value!r}. "
                        "Begin anew with --fresh, or leave that setting out."
                    )
