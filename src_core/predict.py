"""Image + prompt -> mask. The picture is encoded once, however many prompts follow."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from src_core.checkpoints import ModelCard, load_model
from src_core.devices import Device, pick_device
from src_core.geometry import Letterbox
from src_core.imaging.prepare import (
    from_square,
    intensity_statistics,
    into_square,
    standardise,
    to_channels,
    to_uint8,
)
from src_core.methods import method_class
from src_core.nets import Features, PromptUNet
from src_core.text import TextEncoder, load_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CACHED_PICTURES = 8


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's answer to one prompt about one picture.

    Attributes
    ----------
    probability : ndarray
        (H, W) float32 in [0, 1], or (Z, H, W) for a volume.
    score : float
        How sure the model is that the target is there at all, 0 to 1.
    present : bool
        Whether it counts as found: the score passes the version's threshold and at
        least one pixel is likelier inside than outside.
    version : str
        The model that answered.
    milliseconds : float
        For this prompt, the picture's encoding included where it was new.
    """

    probability: NDArray[np.float32]
    score: float
    present: bool
    version: str
    milliseconds: float

    @property
    def mask(self) -> NDArray[np.uint8]:
        """0 and 1, the probability cut at one half; empty where nothing was found."""
        if not self.present:
            return np.zeros(self.probability.shape, np.uint8)
        return self.shape_mask

    @property
    def shape_mask(self) -> NDArray[np.uint8]:
        """The cut at one half whatever the score, for who asks all the same."""
        return (self.probability > 0.5).astype(np.uint8)


class Predictor:
    """A model version, loaded and ready to be asked.

    Parameters
    ----------
    card : ModelCard
        Settings and presence rule of the version.
    weights : dict
        The network's state.
    device : Device
        Where to compute.
    encoder : TextEncoder
        The one that the settings name.
    """

    def __init__(
        self,
        card: ModelCard,
        weights: dict[str, Tensor],
        device: Device,
        encoder: TextEncoder,
    ) -> None:
        self.card, self.device, self.encoder = card, device, encoder
        settings = card.settings
        net = PromptUNet(method_class(settings.method).net_settings(settings.net))
        net.load_state_dict(weights)
        self.net = device.place(net).eval()
        self._pictures: OrderedDict[str, tuple[Features, Letterbox]] = OrderedDict()

    @classmethod
    def load(
        cls, folder: Path, device: Device | None = None, text_cache: Path | None = None
    ) -> Predictor:
        """Load a model version from its folder.

        Raises
        ------
        NotFoundError, CorruptError
            If there is no such version, or its files are damaged.
        """
        card, weights = load_model(folder)
        encoder = load_encoder(card.settings.text, text_cache)
        return cls(card, weights, device or pick_device(), encoder)

    @torch.inference_mode()
    def predict(
        self,
        pixels: NDArray[np.generic],
        axes: str,
        prompts: Sequence[str],
        key: str = "",
    ) -> list[Prediction]:
        """Answer prompts about one picture or volume.

        Parameters
        ----------
        pixels : ndarray
            With the axes ``"yx"``, ``"cyx"``, ``"zyx"`` or ``"czyx"``.
        axes : str
            As above.
        prompts : sequence of str
            Each is answered on its own; masks may overlap.
        key : str
            Identifies the pixels; if given, their features are kept for a while.

        Returns
        -------
        list of Prediction
            One a prompt.
        """
        if "z" not in axes:
            return self._predict_plane(pixels, axes, prompts, key)
        depth = axes.index("z")
        plane_axes = axes.replace("z", "")
        planes = [
            self._predict_plane(
                np.take(pixels, z, axis=depth),
                plane_axes,
                prompts,
                f"{key}@{z}" if key else "",
            )
            for z in range(pixels.shape[depth])
        ]
        return [_stack(list(answers)) for answers in zip(*planes, strict=True)]

    def _predict_plane(
        self, pixels: NDArray[np.generic], axes: str, prompts: Sequence[str], key: str
    ) -> list[Prediction]:
        started = time.perf_counter()
        features, box = self._features(pixels, axes, key)
        text = self.encoder.encode(prompts).to(self.device.torch)
        rows = torch.zeros(len(prompts), dtype=torch.long, device=self.device.torch)
        with self.device.autocast():
            codes = self.net.prompt(text.tokens, text.mask)
            repeated = features.select(rows)
            fused = self.net.fuse(repeated, codes)
            logits = self.net.decode(repeated, fused, codes).logits
            presence = self.net.present(fused, codes)
        probability = from_square(logits.float(), box).sigmoid()[:, 0].cpu().numpy()
        rule = self.card.presence
        scores = torch.sigmoid(rule.slope * presence.float() + rule.bias).tolist()
        took = (time.perf_counter() - started) * 1000 / len(prompts)
        return [
            Prediction(
                p,
                score,
                score >= rule.threshold and bool((p > 0.5).any()),
                self.card.version,
                took,
            )
            for p, score in zip(probability, scores, strict=True)
        ]

    def _features(
        self, pixels: NDArray[np.generic], axes: str, key: str
    ) -> tuple[Features, Letterbox]:
        if key and key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        frame = self.card.settings.frame
        channels = to_uint8(to_channels(pixels, axes), frame.low, frame.high)
        box = Letterbox(channels.shape[1], channels.shape[2], frame.size)
        square = into_square(channels, box)
        mean, deviation = intensity_statistics(square, box)
        view = standardise(
            square[None], torch.tensor([mean]), torch.tensor([deviation])
        )
        view = view.to(self.device.torch).contiguous(memory_format=torch.channels_last)
        with self.device.autocast():
            found = self.net.encode(view), box
        if key:
            self._pictures[key] = found
            while len(self._pictures) > CACHED_PICTURES:
                self._pictures.popitem(last=False)
        return found


def _stack(planes: list[Prediction]) -> Prediction:
    best = max(planes, key=lambda plane: plane.score)
    return Prediction(
        np.stack([plane.probability * plane.present for plane in planes]),
        best.score,
        any(plane.present for plane in planes),
        best.version,
        sum(plane.milliseconds for plane in planes),
    )
