"""The seam of a network: image + text -> mask, in three steps.

An image is encoded once and a prompt read once, however many pairs of the two are then
asked: a second prompt of one image costs its answer alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, Self

from torch import Tensor, nn


class Seen(Protocol):
    """What a network keeps of B images: the prompt-free part of its work."""

    def select(self, rows: Tensor) -> Self:
        """Return what is kept of the images at `rows` (P,) long, repeats allowed."""
        ...


class Read(Protocol):
    """What a network made of K prompts."""

    def __len__(self) -> int: ...

    def detach(self) -> Self:
        """Return the same without its history: LG-SSL's stop-gradient."""
        ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one decoder answers to P pairs of image and prompt.

    Attributes
    ----------
    logits : Tensor
        (P, 1, H, W), positive inside the target.
    deep : tuple of Tensor
        Logits of the deep supervision heads, finest first; empty where there are none.
    """

    logits: Tensor
    deep: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network said to P pairs.

    Attributes
    ----------
    decoded : tuple of Decoded
        By each decoder; prediction takes the first.
    rows : tuple of Tensor
        (P_i,) long, the pairs that each decoder was asked about.
    presence : Tensor
        (P,) logits that the target is there at all.
    """

    decoded: tuple[Decoded, ...]
    rows: tuple[Tensor, ...]
    presence: Tensor

    @property
    def logits(self) -> Tensor:
        """(P, 1, H, W), of the decoder that prediction takes."""
        return self.decoded[0].logits


class PromptNet(nn.Module, ABC):
    """Image + text -> mask."""

    @abstractmethod
    def encode(self, image: Tensor, *, first_only: bool = False) -> Any:
        """(B, 3, H, W), each image of mean 0 and deviation 1 -> a :class:`Seen`.

        With `first_only` it serves the first decoder alone, as prediction needs it.
        """

    @abstractmethod
    def prompt(self, tokens: Tensor, mask: Tensor) -> Any:
        """Frozen tokens (K, L, D) and mask (K, L) of K prompts -> a :class:`Read`."""

    @abstractmethod
    def answer(
        self,
        seen: Any,
        read: Any,
        *,
        others: Tensor | None = None,
        first_only: bool = False,
    ) -> Answer:
        """Answer P pairs.

        Parameters
        ----------
        seen : Seen
            Of P images: select those of the pairs.
        read : Read
            Of P prompts.
        others : Tensor, optional
            (R,) long, the pairs that the decoders after the first are asked about;
            all of them if not given.
        first_only : bool
            Do not ask the decoders after the first at all.
        """

    def describe(self, seen: Any) -> Tensor | None:
        """Return a vector (B, D) by which images can be likened; None where none is.

        Of the deepest features, pooled over the image.
        """
        return None

    def forward(self, image: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, H, W) and one prompt an image -> logits (B, 1, H, W)."""
        seen = self.encode(image, first_only=True)
        return self.answer(seen, self.prompt(tokens, mask), first_only=True).logits
