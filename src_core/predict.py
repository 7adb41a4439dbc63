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
from src_core.geometry import Letterbox, tile_windows
from src_core.imaging.prepare import from_square, into_square, prepare, standardise
from src_core.methods import method_class
from src_core.text import TextEncoder, load_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from src_core.nets import Read, Seen

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
        net = method_class(settings.method).build(settings)
        net.load_state_dict(weights)
        self.net = device.place(net).eval()
        self._pictures: OrderedDict[str, Picture] = OrderedDict()

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
        seen = self._see(pixels, axes, key)
        text = self.encoder.encode(prompts).to(self.device.torch)
        with self.device.autocast():
            read = self.net.prompt(text.tokens, text.mask)
            answers = [self._ask(features, read) for features in seen.features]
        probability = seen.assemble([logits for logits, _ in answers]).sigmoid()
        presence = torch.stack([there for _, there in answers]).amax(0)
        rule = self.card.presence
        scores = torch.sigmoid(rule.slope * presence + rule.bias).tolist()
        took = (time.perf_counter() - started) * 1000 / len(prompts)
        return [
            Prediction(
                p,
                score,
                score >= rule.threshold and bool((p > 0.5).any()),
                self.card.version,
                took,
            )
            for p, score in zip(probability.numpy(), scores, strict=True)
        ]

    def _ask(self, features: Seen, read: Read) -> tuple[Tensor, Tensor]:
        """One view, K prompts -> logits (K, 1, S, S) and presence (K,), on the CPU."""
        rows = torch.zeros(len(read), dtype=torch.long, device=self.device.torch)
        answer = self.net.answer(features.select(rows), read, first_only=True)
        return answer.logits.float().cpu(), answer.presence.float().cpu()

    def _see(self, pixels: NDArray[np.generic], axes: str, key: str) -> Picture:
        """Encode a picture, or take what is remembered of it."""
        if key and key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        frame = self.card.settings.frame
        picture = prepare(pixels, axes, frame)
        height, width = picture.pixels.shape[1:]
        windows = [(slice(0, height), slice(0, width))]
        if frame.tiles and max(height, width) > frame.size:
            windows = tile_windows(height, width, frame.size)
        boxes, features = [], []
        for window in windows:
            part = picture.crop(window).pixels
            box = Letterbox(part.shape[1], part.shape[2], frame.size)
            view = standardise(
                into_square(part, box)[None],
                torch.tensor([picture.mean]),
                torch.tensor([picture.deviation]),
            ).to(self.device.torch)
            with self.device.autocast():
                view = view.contiguous(memory_format=torch.channels_last)
                features.append(self.net.encode(view, first_only=True))
            boxes.append(box)
        seen = Picture((height, width), windows, boxes, features)
        if key:
            self._pictures[key] = seen
            while len(self._pictures) > CACHED_PICTURES:
                self._pictures.popitem(last=False)
        return seen


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as the network has seen it: whole, or in tiles.

    Attributes
    ----------
    shape : (int, int)
        H and W.
    windows : list of (slice, slice)
        Where each view lies in the picture.
    boxes : list of Letterbox
        How each view was fitted into the network's square.
    features : list of Seen
        Of each view.
    """

    shape: tuple[int, int]
    windows: list[tuple[slice, slice]]
    boxes: list[Letterbox]
    features: list[Seen]

    def assemble(self, views: list[Tensor]) -> Tensor:
        """Join the views' logits (K, 1, S, S) to the picture's (K, H, W).

        Where tiles overlap, each counts the more the farther a pixel lies from its
        edge: there the network has seen most around it.
        """
        if len(views) == 1:
            return from_square(views[0], self.boxes[0])[:, 0]
        count = len(views[0])
        total = torch.zeros((count, *self.shape))
        weights = torch.zeros(self.shape)
        for view, box, window in zip(views, self.boxes, self.windows, strict=True):
            rows, columns = (
                torch.bartlett_window(n + 2, periodic=False)[1:-1]
                for n in (box.height, box.width)
            )
            weight = rows[:, None] * columns[None]
            total[(slice(None), *window)] += from_square(view, box)[:, 0] * weight
            weights[window] += weight
        return total / weights


def _stack(planes: list[Prediction]) -> Prediction:
    best = max(planes, key=lambda plane: plane.score)
    return Prediction(
        np.stack([plane.probability * plane.present for plane in planes]),
        best.score,
        any(plane.present for plane in planes),
        best.version,
        sum(plane.milliseconds for plane in planes),
    )
