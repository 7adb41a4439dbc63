"""Mean teacher (Tarvainen & Valpola, NeurIPS 2017, arXiv 1703.01780).

Faithful: the teacher is the student's EMA; both see the same unlabelled image under
different noise; the consistency is the squared difference of their probabilities;
its weight ramps up as exp(-5·(1 - t)²).

Deviations: noise here is intensity jitter, stronger for the student; the ramp starts
after a burn-in, because with targets of 1-2 % of the picture an early teacher teaches
emptiness; foreground and background are balanced in the mean for the same reason.
"""

from __future__ import annotations

import torch
from pydantic import Field

from src_core.augment import jitter
from src_core.losses import balanced_mean
from src_core.methods.base import (
    Batch,
    Losses,
    Method,
    Moment,
    ask,
    supervised_losses,
    total,
)


class MeanTeacher(Method):
    """Squared difference between student and averaged teacher."""

    name = "mean-teacher"

    class Options(Method.Options):
        """Settings of the consistency."""

        weight: float = Field(4.0, ge=0, description="of the consistency at full ramp")
        jitter: float = Field(0.7, ge=0, description="strength on the student's view")

    options: Options

    def forward(
        self, labelled: Batch, unlabelled: Batch | None, moment: Moment
    ) -> Losses:
        """Return supervised loss + weighted consistency."""
        losses = supervised_losses(ask(self.net, labelled), labelled)
        if unlabelled is not None and moment.unlabelled > 0:
            with torch.no_grad():
                teacher = ask(self.average, unlabelled).decoded[0].logits.sigmoid()
            view = jitter(unlabelled.images, moment.rng, strength=self.options.jitter)
            student = ask(self.net, unlabelled, images=view).decoded[0].logits.sigmoid()
            counts = unlabelled.counts.view(-1, 1, 1, 1).expand_as(teacher)
            consistency = balanced_mean(
                (student - teacher).square(), teacher > 0.5, counts
            )
            losses["consistency"] = (
                self.options.weight * moment.unlabelled * consistency
            )
        return total(losses)
