"""Two networks of one kind, from different random weights; the first one answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src_core.nets.prompt_unet import PromptUNet

if TYPE_CHECKING:
    from src_core.config import NetSettings


class TwinUNet(PromptUNet):
    """A prompt-driven network that carries a second one along.

    It encodes and answers as the first alone, and prediction costs no more. The first
    one's weights have the names that a single network's have, so that a version which
    another method trained is a start for it.

    Parameters
    ----------
    settings : NetSettings
        Of both networks.

    Attributes
    ----------
    other : PromptUNet
        The second network; whoever trains both asks it by itself.
    """

    def __init__(self, settings: NetSettings) -> None:
        super().__init__(settings)
        self.other = PromptUNet(settings)
