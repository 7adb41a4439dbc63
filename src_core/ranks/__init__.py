"""Several processes that train one network together, and one that trains alone.

Each process, a *rank*, holds the whole network and a part of each batch. What a
training does differs in a few places only, and all of them ask :func:`here`: chance is
drawn for everybody and each keeps its rows, a mean is over everybody's rows, and what
hangs on a clock or on a person is decided once, by the first rank. A process that is
alone gets the plain answer each time, so that nobody else need know of ranks.

Importing this package brings no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Generator, Tensor, nn

Net = TypeVar("Net", bound="nn.Module")


class Ranks:
    """A process that trains alone; the base of those that train together.

    Attributes
    ----------
    number, count : int
        Which one this is, from 0, and how many there are.
    beside : int
        How many of them share this machine's processor.
    """

    number: int = 0
    count: int = 1
    beside: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one speaks with people and with the disk."""
        return self.number == 0

    def own(self, rows: Tensor) -> Tensor:
        """Return this rank's of the rows (n·count, ...) of all: (n, ...).

        Neighbours stay together, and so do a row of the first half and the one that
        has its place in the second: methods mix images so.

        Raises
        ------
        ValueError
            If they cannot be dealt out evenly.
        """
        return rows

    def fitting(self, batch: int) -> int:
        """Return the smallest batch that can be dealt out and is not below `batch`.

        Half of a batch may be unlabelled, and methods mix neighbours in pairs: each
        rank gets a multiple of four.
        """
        unit = 4 * self.count if self.count > 1 else 1
        return -(-batch // unit) * unit

    def agree(self, decide: Callable[[], Sequence[float]]) -> tuple[float, ...]:
        """Have the first rank decide, and return to all what it decided.

        Parameters
        ----------
        decide : callable
            Returns as many numbers each time; called on the first rank alone.
        """
        return tuple(decide())

    def denominator(self, total: Tensor) -> Tensor:
        """Return what a rank divides its own sum by, to get a mean over all rows.

        That of every rank's quotients is the quotient of the sums over all ranks.

        Parameters
        ----------
        total : Tensor
            A scalar without gradient: what this rank's rows add up to.

        Returns
        -------
        Tensor
            The sum over all ranks, at least 1, divided by their number.
        """
        return total.clamp_min(1.0)

    def averaged(self, values: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the mean over ranks of some scalars, tensors of shape ()."""
        return {name: float(value.detach()) for name, value in values.items()}

    def joined(self, rows: Tensor) -> Tensor:
        """Return the rows (n, ...) of all ranks, in their order, to each of them."""
        return rows

    def of_others(self, rows: Tensor) -> Tensor:
        """Return the rows (n, ...) of all other ranks, in their order."""
        return rows[:0]

    def from_first(self, read: Callable[[], bytes]) -> bytes:
        """Return to all what the first rank reads."""
        return read()

    def share_statistics(self, net: Net) -> Net:
        """Let batch norms see the whole batch, and not this rank's part of it."""
        return net

    def parallel(self, method: nn.Module) -> Callable[..., Any]:
        """Return a way to call a method whose gradients are then those of all ranks."""
        return method


ALONE: Final = Ranks()
_here: list[Ranks] = [ALONE]


def here() -> Ranks:
    """Return the ranks that this process is one of; :data:`ALONE` for none."""
    return _here[-1]


def enter(ranks: Ranks) -> None:
    """Make this process one of several, until :func:`leave`."""
    _here.append(ranks)


def leave() -> None:
    """Make it again what it was before."""
    _here.pop()


def draw(
    make: Callable[..., Tensor], shape: Sequence[int], rng: Generator, **options: Any
) -> Tensor:
    """Draw rows by chance as if this process drew for all ranks, and return its own.

    Parameters
    ----------
    make : callable
        Such as ``torch.rand``: called with a shape, and ``generator``.
    shape : sequence of int
        Of this rank's rows, alike on all ranks.
    rng : Generator
        In the same state on all ranks.
    **options
        For `make`.
    """
    ranks, rows = here(), shape[0] * here().count
    return ranks.own(make((rows, *shape[1:]), generator=rng, **options))


__all__ = ["ALONE", "Ranks", "draw", "enter", "here", "leave"]
