"""A volume, or a flat image, as the pictures that the network is shown.

The same in training and in prediction: which way up, with which neighbours, with which
window. A volume is read block by block as its slices are asked for, so that a large one
is never in memory as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from src_core.imaging.prepare import (
    Prepared,
    percentiles,
    prepare,
    scale_to_uint8,
    to_channels,
)
from src_core.imaging.turn import Turn
from src_core.imaging.windows import PERCENTILES, PRESETS, plain_wording, preset_for

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from src_core.config import FrameSettings

_SAMPLED: Final = 48
"""Slices that a volume's window is measured on, spread evenly."""

_SAMPLED_SIDE: Final = 128
_BLOCK: Final = 16
"""Slices read at once where the source does not say."""


class Pixels(Protocol):
    """An array in memory, or a zarr array on the disk."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, key: Any, /) -> Any: ...


class Looked(Protocol):
    """What is known about an image besides its pixels."""

    @property
    def spacing(self) -> tuple[float, ...]: ...
    @property
    def orientation(self) -> str: ...
    @property
    def modality(self) -> str: ...


class Planes:
    """The pictures of one image.

    Parameters
    ----------
    source : array
        With the axes ``"yx"``, ``"cyx"``, ``"zyx"`` or ``"czyx"``, in memory or on
        the disk.
    axes : str
        As above.
    frame : FrameSettings
        Of the model version.
    like : picture or image, optional
        Orientation, spacing and modality; without it the image is shown as stored.
    """

    def __init__(
        self,
        source: Pixels,
        axes: str,
        frame: FrameSettings,
        like: Looked | None = None,
    ) -> None:
        self.frame, self.axes = frame, axes
        self._is_volume = "z" in axes
        stands = bool(frame.standing) and like is not None
        self.turn = Turn("", "")
        if stands and like is not None and len(like.orientation) in (2, 3):
            self.turn = Turn.of_image(like.orientation, like.spacing)
        self._is_ct = like is not None and like.modality == "CT"
        space = tuple(n for a, n in zip(axes, source.shape, strict=True) if a != "c")
        self.stored_shape = space
        self._slabs = bool(frame.slabs) and self._is_volume
        across = self.turn.slices if self._is_volume else 0
        self._axis = axes.index("z") + across if self._is_volume else -1
        lazy = self._is_volume and across == 0 and not isinstance(source, np.ndarray)
        self._source = source if lazy else np.asarray(source[...])
        chunks = getattr(source, "chunks", None) if lazy else None
        self._block = int(chunks[self._axis]) if chunks else _BLOCK
        self._blocks: dict[int, NDArray[Any]] = {}
        self._windowed: dict[tuple[int, str], NDArray[np.uint8]] = {}
        self._measured: dict[str, tuple[tuple[float, float], float, float]] = {}
        self._sample: NDArray[Any] | None = None

    def __len__(self) -> int:
        return self.stored_shape[self.turn.slices] if self._is_volume else 1

    def window_for(self, prompt: str) -> str:
        """Return the preset that a prompt is looked for with; ``""``: percentiles."""
        if not self._is_ct or self.frame.windows is None:
            return PERCENTILES
        known = self.frame.windows.get(plain_wording(prompt))
        return known or preset_for(prompt)

    def picture(self, n: int, window: str = PERCENTILES) -> Prepared:
        """Return one slice as the network is shown it.

        Parameters
        ----------
        n : int
            Counted the way the image stands; 0 for a flat image.
        window : str
            A preset, or ``""`` for percentiles.
        """
        axes = self.axes.replace("z", "")
        if self._slabs:
            _, mean, deviation = self._measure(window)
            if "c" in axes:
                return Prepared(self._scaled(n, window), mean, deviation)
            near = (max(0, n - 1), n, min(len(self) - 1, n + 1))
            channels = [self._scaled(k, window)[0] for k in near]
            return Prepared(np.stack(channels), mean, deviation)
        plane = self._plane(n)
        if window == PERCENTILES:
            return prepare(plane, axes, self.frame)
        scaled = scale_to_uint8(to_channels(plane, axes), PRESETS[window])
        return Prepared(scaled, float(scaled.mean()), max(1.0, float(scaled.std())))

    def blank(self, dtype: DTypeLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return zeros over the spatial axes, as stored and as a view that stands.

        What is written into the view's slice ``n`` lands where it belongs.
        """
        stored = np.zeros(self.stored_shape, dtype)
        shown = self.turn.show(stored)
        return stored, shown if self._is_volume else shown[None]

    def show(self, mask: NDArray[Any]) -> NDArray[Any]:
        """Return a mask as the slices that the network is shown; a view.

        Parameters
        ----------
        mask : ndarray
            Over the spatial axes, as stored.

        Returns
        -------
        ndarray
            (N, H, W), turned upright; N is 1 for a flat image.
        """
        shown = self.turn.show(mask)
        return shown if self._is_volume else shown[None]

    # -------------------------------------------------------------- reading
    def _plane(self, n: int) -> NDArray[Any]:
        """Read one slice, and turn it upright: (H, W) or (C, H, W)."""
        if not self._is_volume:
            return self.turn.show(np.asarray(self._source))
        turn, axis = self.turn, self._axis
        kept = ""
        if turn.stored:
            across = turn.slices
            if turn.stored[across] != turn.shown[0]:
                n = len(self) - 1 - n
            kept = turn.stored[:across] + turn.stored[across + 1 :]
        plane = np.take(self._read(n), n % self._block, axis=axis)
        return Turn(kept, turn.shown[1:]).show(plane)

    def _read(self, n: int) -> NDArray[Any]:
        """Return the block that a stored slice lies in."""
        number = n // self._block
        if number not in self._blocks:
            where: list[slice] = [slice(None)] * len(self._source.shape)
            first = number * self._block
            where[self._axis] = slice(first, first + self._block)
            while len(self._blocks) > 1:  # neighbours may lie in the block before
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[number] = np.asarray(self._source[tuple(where)])
        return self._blocks[number]

    def _scaled(self, n: int, window: str) -> NDArray[np.uint8]:
        """Return a slice windowed by the volume's bounds: (C, H, W)."""
        key = (n, window)
        if key not in self._windowed:
            channels = to_channels(self._plane(n), self.axes.replace("z", ""))
            bounds, _, _ = self._measure(window)
            while len(self._windowed) > 8:
                self._windowed.pop(next(iter(self._windowed)))
            self._windowed[key] = self._apply(channels, bounds)
        return self._windowed[key]

    def _apply(
        self, channels: NDArray[Any], bounds: tuple[float, float]
    ) -> NDArray[np.uint8]:
        if channels.dtype == np.uint8 and "c" in self.axes and len(channels) == 3:
            return np.ascontiguousarray(channels)  # colours mean what they are
        return scale_to_uint8(channels, bounds)

    def _measure(self, window: str) -> tuple[tuple[float, float], float, float]:
        """Return what is black and white in the volume, its mean and deviation."""
        if window not in self._measured:
            sample = self._some()
            bounds = PRESETS.get(window) or percentiles(
                sample, self.frame.low, self.frame.high
            )
            scaled = self._apply(sample, bounds)
            deviation = max(1.0, float(scaled.std()))
            self._measured[window] = (bounds, float(scaled.mean()), deviation)
        return self._measured[window]

    def _some(self) -> NDArray[Any]:
        """Return some slices of the volume, made smaller, side by side: (C, N)."""
        if self._sample is None:
            picked = np.linspace(0, len(self) - 1, min(len(self), _SAMPLED))
            axes = self.axes.replace("z", "")
            parts = []
            for n in np.unique(picked.round().astype(int)):
                channels = to_channels(self._plane(int(n)), axes)
                step = max(1, min(channels.shape[1:]) // _SAMPLED_SIDE)
                parts.append(channels[:, ::step, ::step].reshape(len(channels), -1))
            self._sample = np.concatenate(parts, axis=1)
        return self._sample
