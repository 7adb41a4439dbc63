"""Networks: image + text -> mask."""

from src_core.nets.base import Answer, Decoded, PromptNet, Read, Seen
from src_core.nets.dynamic_head import DynamicHeadNet, DynamicSeen, TaskCodes
from src_core.nets.lvit import LViTNet
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
    "DynamicHeadNet",
    "DynamicSeen",
    "Features",
    "LViTNet",
    "PromptAdapter",
    "PromptCodes",
    "PromptNet",
    "PromptUNet",
    "Read",
    "Seen",
    "TaskCodes",
    "TextVisionFusion",
    "TwinUNet",
    "VisionParts",
]
