"""CLIPSeg: a decoder on CLIP, steered by a prompt.

T. Lüddecke and A. Ecker, "Image segmentation using text and image prompts", CVPR 2022,
arXiv 2112.10003. The network is the transformers library's; here the picture is encoded
once for all of its prompts, which the library's own call does anew for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from src_core.proposers.base import Proposer
from src_core.proposers.weights import Home

if TYPE_CHECKING:
    from torch import Tensor


class CLIPSeg(Proposer):
    """About a second a picture on a CPU."""

    kind: ClassVar[str] = "clipseg"
    home: ClassVar[Home] = Home("CIDAS/clipseg-rd64-refined", frozenset({"clipseg"}))
    longest: ClassVar[int] = 77

    @classmethod
    def network(cls) -> Any:
        """Return ``CLIPSegForImageSegmentation``."""
        from transformers import CLIPSegForImageSegmentation

        return CLIPSegForImageSegmentation

    def see(self, view: Tensor) -> tuple[Tensor, ...]:
        """(1, 3, h, w) -> CLIP's activations that the decoder reads, (1, N, D) each."""
        states = self.net.clip.get_image_features(
            pixel_values=view, interpolate_pos_encoding=True, output_hidden_states=True
        ).hidden_states
        # The first hidden state is the embedding, before any layer.
        return tuple(states[layer + 1] for layer in self.net.extract_layers)

    def ask(self, seen: tuple[Tensor, ...], prompt: str) -> tuple[Tensor, Tensor]:
        """Return the decoder's map (h', w'), and as the logit () its highest one.

        The target is there as surely as its best pixel.
        """
        text = self.net.clip.get_text_features(**self.tokens(prompt, padding=True))
        logits = self.net.decoder(seen, text.pooler_output).logits[0].float()
        return logits.sigmoid(), logits.max()
