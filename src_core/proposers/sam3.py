"""SAM 3: every instance of what a phrase names.

N. Carion et al., "SAM 3: Segment Anything with Concepts", 2025, arXiv 2511.16719. The
network is the transformers library's, asked by text alone. Its instances become one
mask: those that pass the published threshold, each pixel as sure as the surest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch

from src_core.proposers.base import Proposer
from src_core.proposers.weights import Home

if TYPE_CHECKING:
    from torch import Tensor


class SAM3(Proposer):
    """For a GPU: 848 million parameters look at 1008 x 1008 pixels."""

    kind: ClassVar[str] = "sam3"
    home: ClassVar[Home] = Home("facebook/sam3", frozenset({"sam3", "sam3_video"}))
    longest: ClassVar[int] = 32

    KEPT: ClassVar[float] = 0.5

    @classmethod
    def network(cls) -> Any:
        """Return ``Sam3Model``."""
        # From its own module: the package's name for it asks for torchvision, which
        # only prompts made of boxes need.
        from transformers.models.sam3.modeling_sam3 import Sam3Model

        return Sam3Model

    def see(self, view: Tensor) -> Any:
        """(1, 3, h, w) -> the vision encoder's maps."""
        return self.net.get_vision_features(pixel_values=view)

    def ask(self, seen: Any, prompt: str) -> tuple[Tensor, Tensor]:
        """Return the union (h', w') of the instances, and the logit () of the surest.

        Where no instance passes the threshold, the likeliest one alone.
        """
        answer = self.net(
            vision_embeds=seen, **self.tokens(prompt, padding="max_length")
        )
        scores = answer.pred_logits[0].float().sigmoid()  # (Q,)
        scores = scores * answer.presence_logits[0].float().sigmoid()
        kept = scores > self.KEPT
        kept[scores.argmax()] = True
        masks = answer.pred_masks[0, kept].float().sigmoid()  # (n, h, w)
        return masks.amax(0), torch.logit(scores.max(), eps=1e-7)
