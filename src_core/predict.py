"""Image + prompt -> mask. The picture is encoded once, however many prompts follow."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from src_core.answers import Answerer, Prediction, judged
from src_core.checkpoints import ModelCard, load_model
from src_core.devices import Device, pick_device
from src_core.geometry import Letterbox, tile_windows
from src_core.imaging.prepare import from_square, into_square, standardise
from src_core.methods import method_class
from src_core.text import TextEncoder, load_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from src_core.config import FrameSettings
    from src_core.imaging.prepare import Prepared
    from src_core.nets import Read, Seen

CACHED_PICTURES = 8


class Predictor(Answerer):
    """A model version, loaded and ready to be asked.

    Parameters
    ----------
    card : ModelCard
        Settings and presence rule of the version.
    weights : dict of str to Tensor
        The network's state, with the names and shapes that the settings' method builds.
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

    @property
    def name(self) -> str:
        """The version."""
        return self.card.version

    @property
    def threshold(self) -> float:
        """Of the version's presence rule."""
        return self.card.presence.threshold

    @property
    def learned(self) -> frozenset[str]:
        """As the version's card says."""
        return frozenset(self.card.targets)

    @property
    def frame(self) -> FrameSettings:
        """As the version was trained."""
        return self.card.settings.frame

    @torch.inference_mode()
    def answer_plane(
        self, shown: Callable[[], Prepared], prompts: Sequence[str], key: str
    ) -> list[Prediction]:
        """Answer prompts about one picture; see `Answerer`."""
        started = time.perf_counter()
        seen = self._see(shown, key)
        text = self.encoder.encode(prompts).to(self.device.torch)
        with self.device.autocast():
            read = self.net.prompt(text.tokens, text.mask)
            answers = [self._ask(features, read) for features in seen.features]
        logits = seen.assemble([logits for logits, _ in answers])  # (K, H, W)
        tops = logits.flatten(1).amax(1)
        presence = torch.stack([there for _, there in answers]).amax(0)
        took = (time.perf_counter() - started) * 1000 / len(prompts)
        return [
            judged(p, there, top, self.card.presence, self.card.version, took)
            for p, there, top in zip(
                logits.sigmoid().numpy(),
                presence.tolist(),
                tops.tolist(),
                strict=True,
            )
        ]

    def _ask(self, features: Seen, read: Read) -> tuple[Tensor, Tensor]:
        """One view, K prompts -> logits (K, 1, S, S) and presence (K,), on the CPU."""
        rows = torch.zeros(len(read), dtype=torch.long, device=self.device.torch)
        answer = self.net.answer(features.select(rows), read, first_only=True)
        return answer.logits.float().cpu(), answer.presence.float().cpu()

    def _see(self, shown: Callable[[], Prepared], key: str) -> Picture:
        """Encode a picture, or take what is remembered of it."""
        if key and key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        seen, views = self.views(shown())
        for view in views:
            with self.device.autocast():
                view = view.contiguous(memory_format=torch.channels_last)
                seen.features.append(self.net.encode(view, first_only=True))
        if key:
            self._pictures[key] = seen
            while len(self._pictures) > CACHED_PICTURES:
                self._pictures.popitem(last=False)
        return seen

    def views(self, picture: Prepared) -> tuple[Picture, Iterator[Tensor]]:
        """Return what the network is shown of a picture, before it looks.

        Parameters
        ----------
        picture : Prepared
            One of those that :meth:`look_at` makes of an image.

        Returns
        -------
        Picture
            Where each view lies; its features are still missing.
        iterator of Tensor
            The views, (1, 3, S, S) of mean 0 and deviation 1; made one by one, because
            all the tiles of a large picture would fill the memory.
        """
        frame = self.frame
        height, width = picture.pixels.shape[1:]
        windows = [(slice(0, height), slice(0, width))]
        if frame.tiles and max(height, width) > frame.size:
            windows = tile_windows(height, width, frame.size)
        parts = [picture.crop(window).pixels for window in windows]
        boxes = [Letterbox(part.shape[1], part.shape[2], frame.size) for part in parts]
        mean, deviation = (
            torch.tensor([value]) for value in (picture.mean, picture.deviation)
        )
        views = (
            standardise(into_square(part, box)[None], mean, deviation).to(
                self.device.torch
            )
            for part, box in zip(parts, boxes, strict=True)
        )
        return Picture((height, width), windows, boxes, []), views


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
        Of each view that was encoded.
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


__all__ = ["Picture", "Prediction", "Predictor"]
