"""From stored pixels to what the network sees, the same in training and prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from src_core.config import FrameSettings
    from src_core.geometry import Letterbox


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as the network is shown it, or a tile of one.

    Attributes
    ----------
    pixels : ndarray
        (C, H, W) uint8 with 1 or 3 channels, windowed.
    mean, deviation : float
        Of the whole picture, which a tile shares: what is dark in the picture is dark
        in each of its tiles.
    """

    pixels: NDArray[np.uint8]
    mean: float
    deviation: float

    def crop(self, window: tuple[slice, slice]) -> Prepared:
        """Return the part of the picture in a window of rows and columns."""
        return Prepared(self.pixels[(slice(None), *window)], self.mean, self.deviation)


def prepare(pixels: NDArray[np.generic], axes: str, frame: FrameSettings) -> Prepared:
    """Window a 2-D picture and measure it.

    Parameters
    ----------
    pixels : ndarray
        With the axes ``"yx"`` or ``"cyx"``.
    axes : str
        As above.
    frame : FrameSettings
        The window's percentiles.
    """
    windowed = to_uint8(to_channels(pixels, axes), frame.low, frame.high)
    return Prepared(windowed, float(windowed.mean()), max(1.0, float(windowed.std())))


def to_channels(pixels: NDArray[np.generic], axes: str) -> NDArray[np.generic]:
    """Return a 2-D image as (C, H, W) with 1 or 3 channels.

    Parameters
    ----------
    pixels : ndarray
        With the axes ``"yx"`` or ``"cyx"``.
    axes : str
        As above. With two channels the third is empty; of more than three the first
        three are seen.
    """
    if axes == "yx":
        return pixels[None]
    channels = pixels[:3]
    if len(channels) == 2:
        channels = np.concatenate([channels, np.zeros_like(channels[:1])])
    return channels


def to_uint8(pixels: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Window intensities by percentiles to 0-255.

    Eight-bit colour keeps its values: its black and white are meant.

    Parameters
    ----------
    pixels : ndarray
        (C, H, W); what is not finite counts as 0.
    low, high : float
        Percentiles that become 0 and 255.
    """
    if pixels.dtype == np.uint8 and len(pixels) == 3:
        return np.ascontiguousarray(pixels)
    return scale_to_uint8(pixels, percentiles(pixels, low, high))


def percentiles(
    pixels: NDArray[np.generic], low: float, high: float
) -> tuple[float, float]:
    """Return the values that become black and white.

    Parameters
    ----------
    pixels : ndarray
        Of any shape; what is not finite counts as 0.
    low, high : float
        Percentiles, 0 to 100.

    Returns
    -------
    low, high : float
        The values at them; where these coincide, the least and the greatest.
    """
    values = _finite(pixels)
    bottom, top = np.percentile(values, [low, high])
    if top <= bottom:  # a bright speck on black can be less than the percentile
        return float(values.min()), float(values.max())
    return float(bottom), float(top)


def scale_to_uint8(
    pixels: NDArray[np.generic], bounds: tuple[float, float]
) -> NDArray[np.uint8]:
    """Window values so that the bounds become 0 and 255; beyond them they are cut.

    Parameters
    ----------
    pixels : ndarray
        Of any shape, which the result keeps; what is not finite counts as 0.
    bounds : (float, float)
        Black and white.
    """
    bottom, top = bounds
    scaled = (_finite(pixels) - bottom) / max(top - bottom, 1e-6)
    windowed: NDArray[np.uint8] = (scaled.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return windowed


def _finite(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = pixels.astype(np.float32)
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def into_square(pixels: NDArray[np.uint8], box: Letterbox) -> Tensor:
    """Scale (C, H, W) uint8 into the letterbox's square, black around it.

    Returns
    -------
    Tensor
        (C, S, S) uint8.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(pixels))[None]
    if box.scaled != (box.height, box.width):
        scaled = F.interpolate(
            tensor.float(), box.scaled, mode="bilinear", antialias=True
        )
        tensor = scaled.round().clamp(0, 255).to(torch.uint8)
    square = torch.zeros((tensor.shape[1], box.size, box.size), dtype=torch.uint8)
    square[(slice(None), *box.window)] = tensor[0]
    return square


def mask_into_square(mask: NDArray[np.uint8], box: Letterbox) -> Tensor:
    """Scale a mask (H, W) of 0 and 1 into the square; half covered counts as covered.

    Returns
    -------
    Tensor
        (S, S) uint8 of 0 and 1.
    """
    scaled = F.interpolate(
        torch.from_numpy(np.ascontiguousarray(mask))[None, None].float(),
        box.scaled,
        mode="bilinear",
        antialias=True,
    )
    square = torch.zeros((box.size, box.size), dtype=torch.uint8)
    square[box.window] = (scaled[0, 0] >= 0.5).to(torch.uint8)
    return square


def from_square(values: Tensor, box: Letterbox) -> Tensor:
    """Bring (N, 1, S, S) logits back to the picture: (N, 1, H, W)."""
    inside = values[(..., *box.window)]
    return F.interpolate(
        inside, (box.height, box.width), mode="bilinear", align_corners=False
    )


def standardise(squares: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """(B, C, S, S) in 0-255 -> (B, 3, S, S) of mean 0 and deviation 1."""
    shape = (-1, 1, 1, 1)
    scaled = (squares.float() - mean.view(shape)) / deviation.view(shape)
    return scaled if scaled.shape[1] == 3 else scaled[:, :1].expand(-1, 3, -1, -1)
