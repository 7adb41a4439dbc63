"""Networks: image + text -> mask."""

from src_core.nets.base import Answer, Decoded, PromptNet, Read, Seen
from src_core.nets.prompt_unet import Decoder, Features, PromptUNet
from src_core.nets.text_vision import (
    PromptAdapter,
    PromptCodes,
    TextVisionFusion,
    VisionParts,
)
from src_core.nets.twin import TwinUNet

__all__ = [
    "Answer",
    "Decoded",
    "Decoder",
    "Features",
    "PromptAdapter",
    "PromptCodes",
    "PromptNet",
    "PromptUNet",
    "Read",
    "Seen",
    "TextVisionFusion",
    "TwinUNet",
    "VisionParts",
]
