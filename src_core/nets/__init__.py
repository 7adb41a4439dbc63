"""Networks: image + text -> mask."""

from src_core.nets.prompt_unet import Decoded, Decoder, Features, PromptUNet
from src_core.nets.text_vision import (
    PromptAdapter,
    PromptCodes,
    TextVisionFusion,
    VisionParts,
)

__all__ = [
    "Decoded",
    "Decoder",
    "Features",
    "PromptAdapter",
    "PromptCodes",
    "PromptUNet",
    "TextVisionFusion",
    "VisionParts",
]
