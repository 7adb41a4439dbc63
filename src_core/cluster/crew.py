"""Workers that do one job together: all are started, and none is left waiting."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from src_core.errors import JobLostError
from src_core.jobs import of_all
from src_core.ranks.seat import seats

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from src_core.cluster.places import Place

_GRACE: Final = 10.0
_LOOK_AGAIN: Final = 1.0
_GONE_FOR: Final = 5.0


class Crew:
    """One worker, or several, with one job.

    Parameters
    ----------
    client : Client
        Of dask, asynchronous.
    alive : callable
        Returns the addresses of the workers there are.
    places : list of Place
        Those that do it, the first of them for all that only one does.
    name : str
        Of this attempt, like no other's.
    """

    def __init__(
        self,
        client: Client,
        alive: Callable[[], set[str]],
        places: list[Place],
        name: str,
    ) -> None:
        self._client, self._alive, self._name = client, alive, name
        self._places = places
        self._addresses = [place.address for place in places]

    async def do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run ``work(*arguments)``, with a seat for each of several as last argument.

        Returns
        -------
        any
            What the first one returns.

        Raises
        ------
        JobLostError
            If a worker died.
        LgsslError
            If the work itself failed.
        """
        told: list[tuple[str, ...]] = [()]
        if len(self._places) > 1:
            hosts = [place.host for place in self._places]
            told = [(seat.pack(),) for seat in seats(self._name, hosts)]
        futures = [
            self._client.submit(
                work,
                *arguments,
                *more,
                key=f"{self._name}-{number}",
                workers=[address],
                pure=False,
                retries=0,
            )
            for number, (address, more) in enumerate(
                zip(self._addresses, told, strict=True)
            )
        ]
        tasks = [asyncio.ensure_future(future.result()) for future in futures]
        try:
            return await self._outcome(tasks)
        finally:
            # Whoever still waits for a fellow that is gone does so for ever.
            stuck = not all(task.done() for task in tasks)
            for task in tasks:
                task.cancel()
            with suppress(Exception):
                await self._client.cancel(futures)
            if stuck and len(tasks) > 1:
                await self._end()

    async def _outcome(self, tasks: list[asyncio.Task[Any]]) -> Any:
        gone = 0.0
        while True:
            wanted = asyncio.FIRST_COMPLETED
            await asyncio.wait(tasks, timeout=_LOOK_AGAIN, return_when=wanted)
            failed = any(task.done() and _error(task) for task in tasks)
            if failed or tasks[0].done():
                await asyncio.wait(tasks, timeout=_GRACE)
                if not _error(tasks[0]) and tasks[0].done():
                    return tasks[0].result()
                raise of_all([_error(task) for task in tasks])
            # A task for a worker that died before it took it up would wait for ever.
            there = self._alive().issuperset(self._addresses)
            gone = 0.0 if there else gone or time.monotonic()
            if gone and time.monotonic() - gone > _GONE_FOR:
                raise JobLostError("The worker went away before it had begun.")

    async def _end(self) -> None:
        left = sorted(self._alive().intersection(self._addresses))
        with suppress(Exception):
            await self._client.restart_workers(left, raise_for_error=False)


def _error(task: asyncio.Task[Any]) -> BaseException | None:
    if not task.done():
        return None
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception()
