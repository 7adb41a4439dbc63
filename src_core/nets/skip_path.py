"""The way from the bottleneck back to the picture, which every decoder takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from src_core.nets.blocks import resize

if TYPE_CHECKING:
    from collections.abc import Sequence


class SkipPath(nn.Module):
    """Upsamples level by level and adds what the encoder saw there.

    A skip is added, not concatenated: its convolution is then computed once an image
    instead of once a prompt, and a second prompt is cheap.

    Parameters
    ----------
    encoder : sequence of int
        Channels of the encoder at 1/16, 1/8, 1/4 and 1/2.
    widths : sequence of int
        Channels of the decoder at 1/8, 1/4 and 1/2.
    transposed : bool
        Upsample by transposed convolution (decoder 1) or by a convolution followed by
        interpolation (decoder 2).
    """

    def __init__(
        self, encoder: Sequence[int], widths: Sequence[int], *, transposed: bool
    ) -> None:
        super().__init__()
        pairs = list(zip((encoder[0], *widths[:-1]), widths, strict=True))
        self.transposed = transposed
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 2, stride=2, bias=False)
            if transposed
            else nn.Conv2d(a, b, 1, bias=False)
            for a, b in pairs
        )
        self.skip = nn.ModuleList(
            nn.Conv2d(e, w, 3, padding=1, bias=False)
            for e, w in zip(encoder[1:], widths, strict=True)
        )
        self.norm = nn.ModuleList(nn.BatchNorm2d(w) for w in widths)
        self.act = nn.LeakyReLU(0.01, inplace=True)

    def skip_maps(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return what the decoder adds at 1/8, 1/4 and 1/2 of the side.

        Parameters
        ----------
        maps : sequence of Tensor
            The encoder's at these levels, (B, `encoder`[i + 1], h_i, w_i).

        Returns
        -------
        tuple of Tensor
            (B, `widths`[i], h_i, w_i).
        """
        return tuple(skip(m) for skip, m in zip(self.skip, maps, strict=True))

    def join(self, level: int, x: Tensor, skip: Tensor) -> Tensor:
        """Bring a map up by a factor of two, add what the encoder saw, normalise.

        Parameters
        ----------
        level : int
            0, 1 or 2: to 1/8, 1/4 or 1/2 of the side.
        x : Tensor
            (P, C, h/2, w/2), of the level below.
        skip : Tensor
            (P, `widths`[level], h, w), of :meth:`skip_maps`.

        Returns
        -------
        Tensor
            As `skip`.
        """
        x = self.up[level](x)
        if not self.transposed:
            # After a 1x1 convolution: the same linear map, a quarter of the cost.
            x = resize(x, (skip.shape[-2], skip.shape[-1]))
        joined: Tensor = self.norm[level](x + skip)
        return joined
