"""The processes of a server: the door, dask's scheduler, and a worker for each GPU.

::

    clients ──HTTPS──> door ──> jobs on disk ──> scheduler ──TLS──> workers

The door listens where it is told to. dask listens on 127.0.0.1 unless workers of other
machines are to join, and then it asks for a server's certificate. Nothing listens
without TLS but an HTTP port on 127.0.0.1 that dask insists on, and that answers
nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from src_core.cluster.blobs import BlobStore
from src_core.cluster.errand import AREA, BOUND
from src_core.cluster.link import Link
from src_core.cluster.places import Place, Places, place_of
from src_core.cluster.trouble import days_left
from src_core.cluster.workers import (
    GIB,
    LOG,
    LOOPBACK,
    QUIET,
    asked_to_end,
    make_area,
    start_workers,
)
from src_core.engine import configure_dask
from src_core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tornado.httpserver import HTTPServer

    from src_core.cluster.hub import Hub
    from src_core.cluster.keyring import Keys

WARN_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server is run.

    Attributes
    ----------
    keys : Keys
        A server's certificates.
    area : Path
        The folder of jobs and contents; this server's alone.
    host, port : str, int
        Where clients come in; port 0 takes any free one.
    workers : int or None
        How many on this machine; one a GPU, and at least one, if None.
    inside : (str, int) or None
        Where dask listens for workers of other machines; None lets none join.
    cache_gb : float
        What contents may take on the disk.
    ranks_host : str or None
        Address of this machine, in a network of servers alone, at which workers of
        other machines may train together with its own; None keeps gangs to one machine.
    """

    keys: Keys
    area: Path
    host: str = LOOPBACK
    port: int = 8786
    workers: int | None = None
    inside: tuple[str, int] | None = None
    cache_gb: float = 50.0
    ranks_host: str | None = None


def serve(
    settings: ServerSettings,
    ready: Callable[[dict[str, Any]], None] = lambda facts: None,
) -> None:
    """Run a server until it is asked to end (SIGTERM, SIGINT).

    Parameters
    ----------
    settings : ServerSettings
        Where, with what, and how many.
    ready : callable
        Called once it listens, with its address and how many work there.

    Raises
    ------
    UserError
        If the area is another server's, or the port is taken.
    """
    from filelock import FileLock, Timeout

    area = make_area(settings.area)
    lock = FileLock(area / ".lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            f"Another server uses '{area}'; stop it, or give this one another --area."
        ) from error
    try:
        configure_dask(QUIET)
        asyncio.run(_serve(settings, area, ready))
    finally:
        lock.release()


async def _serve(
    settings: ServerSettings, area: Path, ready: Callable[[dict[str, Any]], None]
) -> None:
    from distributed import Client, Scheduler

    from src_core.cluster.dispatch import Dispatcher
    from src_core.cluster.hub import Hub
    from src_core.cluster.records import JobBook

    security = settings.keys.among_servers()
    store = BlobStore(area / "blobs", int(settings.cache_gb * GIB))
    book = JobBook(area / "jobs")
    over = asked_to_end()
    inside, inside_port = settings.inside or (LOOPBACK, 0)
    async with AsyncExitStack() as stack:
        scheduler = await stack.enter_async_context(
            Scheduler(
                host=inside,
                port=inside_port,
                protocol="tls",
                security=security,
                dashboard=False,
                dashboard_address=f"{LOOPBACK}:0",
            )
        )
        address = f"tls://{_reached(inside)}:{scheduler.port}"
        client = await stack.enter_async_context(
            Client(address, asynchronous=True, security=security, timeout="30s")
        )

        def count() -> int:
            return len(scheduler.workers)

        def workers() -> list[Place]:
            return [
                place_of(address, worker.name, worker.host)
                for address, worker in scheduler.workers.items()
            ]

        dispatcher = Dispatcher(client, book, store, area / "work", Places(workers))
        hub = Hub(
            store=store,
            book=book,
            start=dispatcher.start,
            stop=dispatcher.stop,
            workers=count,
            inside=lambda: scheduler.port if settings.inside else 0,
            revoked=settings.keys.revoked,
        )
        door = _open_door(hub, settings)
        stack.callback(door.stop)
        port = next(iter(door._sockets.values())).getsockname()[1]
        await asyncio.to_thread(_look_at_oneself, settings, port)
        env = {AREA: str(area), BOUND: str(store.bound)}
        for worker in await start_workers(
            address, security, env, settings.workers, LOOPBACK, settings.ranks_host
        ):
            await stack.enter_async_context(worker)
        left = dispatcher.resume()
        tidy = asyncio.create_task(dispatcher.keep_tidy())
        stack.callback(tidy.cancel)
        stack.push_async_callback(dispatcher.close)
        facts = {"address": f"tls://{settings.host}:{port}", "workers": count()}
        LOG.info("listening on %s, %d workers, %d jobs left", *facts.values(), left)
        ready(facts)
        await over.wait()
        LOG.info("ending: what runs goes on at the next start")


def _open_door(hub: Hub, settings: ServerSettings) -> HTTPServer:
    from src_core.cluster.door import open_door

    try:
        context = settings.keys.towards_clients()
        return open_door(hub, settings.host, settings.port, context)
    except OSError as error:
        raise UserError(
            f"Nothing can listen on {settings.host}:{settings.port} "
            f"({error.strerror}); choose another --listen, or stop what listens there."
        ) from error


def _look_at_oneself(settings: ServerSettings, port: int) -> None:
    """Come in by one's own door: the certificates must fit, and not have expired."""
    address = f"tls://{_reached(settings.host)}:{port}"
    with Link(address, settings.keys, check_name=False) as link:
        link.ask("GET", "/v1/hello")
    if days_left(link.expires) < WARN_DAYS:
        LOG.warning(
            "the certificates in '%s' expire in %d days: renew them with 'lgssl keys'",
            settings.keys.folder,
            days_left(link.expires),
        )


def _reached(host: str) -> str:
    """Where a host is reached from itself, if it listens everywhere."""
    return LOOPBACK if host in ("0.0.0.0", "::") else host
