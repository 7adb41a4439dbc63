"""Which worker of a server does what: one job each, and gangs all at once.

dask would start the half of a gang that finds a worker, and let it wait for a half that
never comes. So places are given out here, in the order in which they were asked for.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from src_core.ranks.seat import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

_LOOK_AGAIN: Final = 0.5
_APART: Final = "/"


@dataclass(frozen=True, slots=True)
class Place:
    """A worker.

    Attributes
    ----------
    address : str
        By which dask knows it.
    host : str
        Where other ranks reach it: 127.0.0.1 unless a network was named for that.
    network : str
        Workers of one network can be one gang.
    """

    address: str
    host: str
    network: str


def worker_name(ranks_host: str | None, number: str) -> str:
    """Return a worker's name, which tells where other ranks reach it."""
    return f"{ranks_host or ''}{_APART}{number}"


def place_of(address: str, name: object, host: str) -> Place:
    """Read what :func:`worker_name` wrote.

    Parameters
    ----------
    address, name : str
        Of a worker.
    host : str
        Its machine, as dask sees it.
    """
    told, apart, _ = str(name).partition(_APART)
    if apart and told:
        return Place(address, told, "")
    return Place(address, LOOPBACK, host)


@dataclass(slots=True, eq=False)
class _Wish:
    count: int


class Places:
    """Gives workers out.

    Parameters
    ----------
    workers : callable
        Returns those there are.
    """

    def __init__(self, workers: Callable[[], list[Place]]) -> None:
        self._workers = workers
        self._taken: set[str] = set()
        self._line: list[_Wish] = []
        self._changed = asyncio.Event()

    def most(self) -> int:
        """Return how many could do one job together, were all of them free."""
        return max(map(len, self._networks(self._workers()).values()), default=0)

    def alive(self) -> set[str]:
        """Return the addresses of the workers there are."""
        return {place.address for place in self._workers()}

    @asynccontextmanager
    async def take(self, count: int) -> AsyncIterator[list[Place]]:
        """Wait for so many workers of one network, and have them until the end.

        Whoever asks for more than there are lets others pass.
        """
        wish = _Wish(count)
        self._line.append(wish)
        try:
            while not (found := self._found(wish)):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LOOK_AGAIN)
            taken = {place.address for place in found}
            self._taken |= taken
        finally:
            self._line.remove(wish)
            self._wake()
        try:
            yield found
        finally:
            self._taken -= taken
            self._wake()

    def _found(self, wish: _Wish) -> list[Place]:
        most = self.most()
        turn = next((other for other in self._line if other.count <= most), None)
        if turn is not wish:
            return []
        free = [p for p in self._workers() if p.address not in self._taken]
        groups = self._networks(free).values()
        enough = [group for group in groups if len(group) >= wish.count]
        # The smallest that will do, so that a larger one stays whole.
        return min(enough, key=len, default=[])[: wish.count]

    @staticmethod
    def _networks(places: list[Place]) -> Mapping[str, list[Place]]:
        groups: dict[str, list[Place]] = {}
        for place in sorted(places, key=lambda p: p.address):
            groups.setdefault(place.network, []).append(place)
        return groups

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
