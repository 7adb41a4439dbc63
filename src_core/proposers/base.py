"""The seam of a proposer: a published model that answers before there is one here.

Its masks are proposals, never truth: nobody has measured it on these images. It is
asked as a model version is asked, so everything that asks one can ask the other.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor

from src_core.answers import Answerer, Prediction, judged
from src_core.config import FrameSettings, TextSettings
from src_core.errors import BadInputError
from src_core.presence import PresenceRule
from src_core.text import load_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from src_core.devices import Device
    from src_core.imaging.prepare import Prepared
    from src_core.proposers.weights import Home, Weights
    from src_core.text import TextEncoder

CACHED_PICTURES = 4
FRAME = FrameSettings(standing=True, slabs=False, windows={})
_RESAMPLE = {2: "bilinear", 3: "bicubic"}  # PIL's numbers, as the files hold them


@dataclass(frozen=True, slots=True)
class View:
    """How the model wants to be shown a picture.

    Read from the files beside the weights, and done in torch: the library's own image
    processors need torchvision, whose builds do not fit every torch.

    Attributes
    ----------
    size : (int, int)
        Height and width; the picture is stretched to it.
    mean, deviation : tuple of float
        Of the three channels, in 0-1.
    mode : str
        Of the interpolation.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    mode: str

    @classmethod
    def read(cls, folder: Path) -> View:
        """Read ``preprocessor_config.json`` or ``processor_config.json``.

        Raises
        ------
        BadInputError
            If neither says how.
        """
        try:
            found = _preprocessor(folder)
            size = found["size"]
            height, width = (
                (size["height"], size["width"])
                if isinstance(size, dict)
                else (size, size)
            )
            view = cls(
                (int(height), int(width)),
                tuple(float(x) for x in found["image_mean"]),
                tuple(float(x) for x in found["image_std"]),
                _RESAMPLE.get(found.get("resample", 2), "bilinear"),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                f"The preprocessor file in '{folder}' does not say how to show a "
                f"picture ({error}). Fetch the model's files again."
            ) from error
        if len(view.mean) != 3 or len(view.deviation) != 3 or min(view.size) < 1:
            raise BadInputError(
                f"The preprocessor file in '{folder}' is not of a model for colour "
                "pictures. Fetch the model's files again."
            )
        return view

    def of(self, pixels: Tensor) -> Tensor:
        """(C, H, W) uint8 with 1 or 3 channels -> (1, 3, h, w) float32."""
        rgb = pixels.expand(3, -1, -1)[None].float()
        shown = F.interpolate(
            rgb, self.size, mode=self.mode, antialias=True, align_corners=False
        )
        shown = shown.round().clamp(0, 255) / 255  # as the processors keep 8 bits
        shape = (1, 3, 1, 1)
        mean, deviation = torch.tensor(self.mean), torch.tensor(self.deviation)
        return (shown - mean.view(shape)) / deviation.view(shape)


def _preprocessor(folder: Path) -> dict[str, Any]:
    """Return the settings of the image processor, from either of its two files."""
    path = folder / "preprocessor_config.json"
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found
    nested: dict[str, Any] = json.loads((folder / "processor_config.json").read_bytes())
    inner: dict[str, Any] = nested["image_processor"]
    return inner


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep the library from drawing progress bars while it loads."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


class Proposer(Answerer):
    """A published model, loaded and ready to be asked.

    Parameters
    ----------
    weights : Weights
        Where they lie.
    device : Device
        Where to compute.
    text_cache : Path, optional
        Keeps what tells which known target a wording means.

    Raises
    ------
    BadInputError
        If the files cannot be loaded.
    """

    kind: ClassVar[str]
    home: ClassVar[Home]
    longest: ClassVar[int]

    def __init__(
        self, weights: Weights, device: Device, text_cache: Path | None = None
    ) -> None:
        from transformers import AutoTokenizer

        self.weights, self.device = weights, device
        self.view = View.read(weights.folder)
        self._identity = weights.identity()
        local = {"trust_remote_code": False, "local_files_only": True}
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(weights.folder, **local)
            with _no_bars():
                net, loaded = self.network().from_pretrained(
                    weights.folder,
                    use_safetensors=True,
                    output_loading_info=True,
                    **local,
                )
            # The library would draw what is missing at random, and only warn.
            if missing := (*loaded["missing_keys"], *loaded["mismatched_keys"]):
                raise ValueError(f"{len(missing)} of its weights are not there.")
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise BadInputError(
                f"'{self.kind}' in '{weights.folder}' cannot be loaded: "
                f"{str(error).splitlines()[0]} Fetch the model's files again."
            ) from error
        self.net: Any = device.place(net).eval().requires_grad_(False)
        self.encoder: TextEncoder = load_encoder(TextSettings(), text_cache)
        self._pictures: OrderedDict[str, Any] = OrderedDict()

    @property
    def name(self) -> str:
        """Kind and revision."""
        return self._identity

    @property
    def threshold(self) -> float:
        """Likelier there than not: nothing here could calibrate it."""
        return PresenceRule().threshold

    @property
    def learned(self) -> frozenset[str]:
        """None of the project's targets."""
        return frozenset()

    @classmethod
    @abstractmethod
    def network(cls) -> Any:
        """Return the class of the library that holds the weights."""

    @abstractmethod
    def see(self, view: Tensor) -> Any:
        """(1, 3, h, w) -> what is kept of a picture."""

    @abstractmethod
    def ask(self, seen: Any, prompt: str) -> tuple[Tensor, Tensor]:
        """Return probabilities (h', w'), and the logit () that it is there at all."""

    @property
    def frame(self) -> FrameSettings:
        """Upright, and CT with the window that the words ask for."""
        return FRAME

    @torch.inference_mode()
    def answer_plane(
        self, shown: Callable[[], Prepared], prompts: Sequence[str], key: str
    ) -> list[Prediction]:
        """Answer prompts about one picture; see `Answerer`."""
        started = time.perf_counter()
        pixels = shown().pixels  # (C, H, W) uint8
        seen = self._seen(torch.from_numpy(pixels), key)
        answers = []
        for prompt in prompts:
            with self.device.autocast():
                small, presence = self.ask(seen, prompt)
            full = F.interpolate(
                small.float()[None, None],
                pixels.shape[1:],
                mode="bilinear",
                align_corners=False,
            )[0, 0].cpu()
            top = float(full.max().double().logit(eps=1e-7))
            answers.append((full.numpy(), float(presence), top))
        took = (time.perf_counter() - started) * 1000 / len(prompts)
        rule = PresenceRule()
        return [
            judged(probability, presence, top, rule, self.name, took)
            for probability, presence, top in answers
        ]

    def tokens(self, prompt: str, padding: str | bool) -> dict[str, Tensor]:
        """Return ``input_ids`` and ``attention_mask`` (1, L) of a prompt."""
        rows = self.tokenizer(
            [prompt],
            padding=padding,
            truncation=True,
            max_length=self.longest,
            return_tensors="pt",
        )
        return {
            name: rows[name].to(self.device.torch)
            for name in ("input_ids", "attention_mask")
        }

    def _seen(self, pixels: Tensor, key: str) -> Any:
        if key and key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        with self.device.autocast():
            seen = self.see(self.view.of(pixels).to(self.device.torch))
        if key:
            self._pictures[key] = seen
            while len(self._pictures) > CACHED_PICTURES:
                self._pictures.popitem(last=False)
        return seen
