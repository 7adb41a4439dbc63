"""Settings: one pydantic tree, saved beside every model version.

Every field has the unit in its description; an unknown key is an error, so that
a misspelt setting never passes silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from src_core.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Width = Annotated[int, Field(ge=1)]
DeviceName = Literal["auto", "cpu", "cuda"]


class Settings(BaseModel):
    """Base of all settings: unknown keys and wrong later assignments are errors."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class TextSettings(Settings):
    """Which frozen text encoder reads the prompts."""

    encoder: str = Field("minilm", description="row of the table in src_core.text")
    model: str = Field("", description="local folder or hub id, for 'transformers'")
    revision: str = Field("", description="pinned commit of a hub id")
    max_tokens: int = Field(32, ge=4, le=256, description="longer prompts are cut")


class FrameSettings(Settings):
    """How pictures of any size are brought to the network's grid."""

    size: int = Field(
        0, ge=0, le=1024, multiple_of=32, description="side in pixels; 0 = from data"
    )
    tiles: bool | None = Field(
        None, description="cut large pictures into tiles; null = from data"
    )
    low: float = Field(0.5, ge=0, lt=50, description="lower percentile of the window")
    high: float = Field(99.5, gt=50, le=100, description="upper percentile")
    standing: bool | None = Field(
        None, description="turn images as radiologists see them; null = from data"
    )
    slabs: bool | None = Field(
        None,
        description="show a slice with its neighbours as channels, and window a "
        "volume as a whole; null = from data",
    )
    windows: dict[str, str] | None = Field(
        None, description="wording to preset for CT; null = from the targets"
    )

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left for the data to decide."""
        chosen = (self.tiles, self.standing, self.slabs, self.windows)
        return self.size > 0 and all(value is not None for value in chosen)


class NetSettings(Settings):
    """The prompt-driven network."""

    backbone: str = Field("residual", description="'residual' or a timm model's name")
    weights: str = Field("", description="local safetensors of a timm backbone")
    widths: tuple[Width, Width, Width, Width, Width] = (24, 48, 96, 160, 224)
    decoder_widths: tuple[Width, Width, Width] = (64, 32, 16)
    text_width: Width = Field(384, description="width of the text encoder's tokens")
    slots: int = Field(8, ge=1, description="readings of one prompt (M)")
    grid: int = Field(14, ge=2, description="side of the prompt's map over the image")
    code_width: Width = Field(128, description="width of the prompt's code vector")
    decoders: Literal[1, 2] = 1
    residual: bool = Field(True, description="the adapter's learned residual")
    select: bool = Field(True, description="the gate of the text-vision fusion")
    base: int = Field(
        64, ge=8, multiple_of=8, description="LViT's first level, channels; 8-16 on CPU"
    )


class BurnInSettings(Settings):
    """When the unlabelled images join, and how they ramp in."""

    start: Fraction = Field(0.15, description="share of the budget, the earliest")
    latest: Fraction = Field(0.7, description="not after this share: too late to pay")
    behind: int = Field(
        800, ge=0, description="steps that the teacher must have made, in all rounds"
    )
    shown: float = Field(
        100, ge=0, description="times that each labelled image must have been shown"
    )
    ahead: int = Field(
        1000, ge=0, description="steps that there must be time for, at the pace so far"
    )
    dice: Fraction = Field(0.4, description="validation Dice the teacher must have")
    pairs: int = Field(
        8, ge=1, description="validation pairs; of fewer the Dice itself says nothing"
    )
    window: Fraction = Field(0.1, description="share over which the gain is looked at")
    gain: Fraction = Field(0.03, description="validation Dice; less is a plateau")
    length: Fraction = Field(0.2, description="of the ramp, share of the budget")
    blind: Fraction = Field(0.5, description="share where no validation split can tell")


class TrainSettings(Settings):
    """The one training loop."""

    batch: int = Field(8, ge=2, description="images a step; half of them unlabelled")
    prompts_per_image: int = Field(3, ge=1, description="prompts decoded an image")
    learning_rate: float | None = Field(
        None, gt=0, description="of AdamW; null = the method's own"
    )
    weight_decay: float = Field(1e-2, ge=0)
    warmup: Fraction = Field(0.05, description="share of the budget to full rate")
    small: Fraction = Field(
        0.5, description="share of the budget that sees pictures of two thirds the side"
    )
    gradient_clip: float = Field(1.0, gt=0, description="norm")
    average: float = Field(0.99, gt=0, lt=1, description="EMA decay a step")
    validations: int = Field(20, ge=1, description="looks at the validation split")
    checkpoint_seconds: float = Field(20.0, gt=0, description="between checkpoints")
    threads: int = Field(0, ge=0, description="CPU threads; 0 = all that are free")
    burn_in: BurnInSettings = BurnInSettings()


class ModelSettings(Settings):
    """Everything that, with the weights, makes one model version."""

    method: str = "lg-ssl"
    method_options: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    text: TextSettings = TextSettings()
    frame: FrameSettings = FrameSettings()
    net: NetSettings = NetSettings()
    train: TrainSettings = TrainSettings()


def without_unknown(kind: type[BaseModel], stored: Any) -> Any:
    """Drop keys that this version of the program no longer has, at every depth.

    For what the program itself wrote in the past. What a person writes is checked to
    the letter instead, by :func:`load_settings`.

    Parameters
    ----------
    kind : type
        The model that will read it.
    stored : any
        Plain values, as JSON gives them.
    """
    if not isinstance(stored, dict):
        return stored
    kept = {}
    for name, value in stored.items():
        if name in kind.model_fields:
            inner = kind.model_fields[name].annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                kept[name] = without_unknown(inner, value)
            else:
                kept[name] = value
    return kept


def load_settings(path: Path) -> ModelSettings:
    """Read a settings file.

    Raises
    ------
    BadInputError
        If the file is not there, not JSON, or a key or a value is not allowed.
    """
    try:
        return ModelSettings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInputError(
            f"The settings '{path}' cannot be read ({error.strerror}); check the name."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadInputError(
            f"The settings in '{path}' cannot be used: {where}: {first['msg']}. "
            "Correct that key or delete the file to use the defaults."
        ) from error
