"""Workers of a server: one for each GPU of this machine, here or lent to another."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, Final

from src_core.cluster.address import parse_address
from src_core.cluster.errand import AREA, BOUND, HUB, KEYS
from src_core.cluster.link import Link
from src_core.cluster.places import worker_name
from src_core.cluster.trouble import Unreachable
from src_core.engine import configure_dask
from src_core.errors import UserError
from src_core.files import PRIVATE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Nanny

    from src_core.cluster.keyring import Keys

LOG: Final = logging.getLogger("lgssl.serve")
LOOPBACK: Final = "127.0.0.1"
GIB: Final = 1 << 30
_AGAIN: Final = 5.0

QUIET: Final[dict[str, Any]] = {
    # dask opens an HTTP port whatever one says; then let nothing answer there.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "logging": {"distributed": "warning", "tornado": "warning"},
}


def join(
    address: str,
    keys: Keys,
    area: Path,
    *,
    workers: int | None = None,
    host: str | None = None,
    cache_gb: float = 50.0,
    ranks_host: str | None = None,
    ready: Callable[[dict[str, Any]], None] = lambda facts: None,
) -> None:
    """Run this machine's workers for a server elsewhere until asked to end.

    A server that goes away is waited for.

    Parameters
    ----------
    address : str
        The server's, as clients write it.
    keys : Keys
        A server's certificates.
    area : Path
        The folder of what is fetched and trained here.
    workers : int, optional
        How many; one a GPU, and at least one, if not given.
    host : str, optional
        Address of this machine that the server can reach.
    cache_gb : float
        What contents may take on the disk.
    ranks_host : str, optional
        Address of this machine in a network of servers alone, at which workers of
        other machines may train together with its own.
    ready : callable
        Called each time that the workers have joined.

    Raises
    ------
    UserError
        If the server does not accept these certificates, or takes no other machine's
        workers.
    """
    folder = make_area(area)
    configure_dask(QUIET)
    env = {
        AREA: str(folder),
        BOUND: str(int(cache_gb * GIB)),
        HUB: address,
        KEYS: str(keys.folder),
    }
    hosts = host, ranks_host
    asyncio.run(_join(address, keys, env, workers, hosts, ready))


async def start_workers(
    address: str,
    security: Any,
    env: dict[str, str],
    wanted: int | None,
    host: str,
    ranks_host: str | None = None,
) -> list[Nanny]:
    """Return workers that are not started yet, each with a GPU of its own if any."""
    from distributed import Nanny

    gpus = await asyncio.to_thread(_gpus)
    made = []
    for number in range(wanted if wanted is not None else max(1, len(gpus))):
        own = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
        made.append(
            Nanny(
                address,
                nthreads=1,
                name=worker_name(ranks_host, uuid.uuid4().hex),
                host=host,
                protocol="tls",
                security=security,
                memory_limit=0,
                dashboard_address=f"{LOOPBACK}:0",
                env={**env, **own},
                local_directory=str(Path(env[AREA]) / "dask"),
                silence_logs=logging.ERROR,
            )
        )
    return made


def _gpus() -> list[str]:
    """List the GPUs, asked in a process of its own: torch stays out of this one."""
    if which("nvidia-smi") is None and not Path("/dev/nvidia0").exists():
        return []  # a second saved at each start
    code = "import torch; print(torch.cuda.device_count())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    count = int(done.stdout) if done.returncode == 0 else 0
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return [name.strip() for name in named if name.strip()][:count] or [
        str(number) for number in range(count)
    ]


async def _join(
    address: str,
    keys: Keys,
    env: dict[str, str],
    wanted: int | None,
    hosts: tuple[str | None, str | None],
    ready: Callable[[dict[str, Any]], None],
) -> None:
    over = asked_to_end()
    security = keys.among_servers()
    server, _ = parse_address(address)
    while not over.is_set():
        try:
            with Link(address, keys) as link:
                found = await asyncio.to_thread(link.ask, "GET", "/v1/hello")
            port = found.get("inside")
            if not port:
                raise UserError(
                    f"'{address}' takes no workers of other machines; start it with "
                    "--workers-listen ADDRESS."
                )
            inside = f"tls://{server}:{int(port)}"
            mine = hosts[0] or _own_address(server)
            async with AsyncExitStack() as stack:
                made = await start_workers(
                    inside, security, env, wanted, mine, hosts[1]
                )
                for worker in made:
                    await stack.enter_async_context(worker)
                LOG.info("%d workers joined %s", len(made), address)
                ready({"address": address, "workers": len(made)})
                await _first(over.wait(), *(worker.finished() for worker in made))
        except Unreachable as error:
            LOG.warning("%s Trying again.", error)
        except (OSError, RuntimeError, TimeoutError) as error:
            LOG.warning("%s went away (%s). Trying again.", address, error)
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _AGAIN)


async def _first(*waits: Any) -> None:
    """Wait until one of several is over."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()


def _own_address(server: str) -> str:
    """Return the address from which this machine reaches the server."""
    family, kind, _, _, place = socket.getaddrinfo(server, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:  # nothing is sent
        probe.connect(place)
        return str(probe.getsockname()[0])


def asked_to_end() -> asyncio.Event:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, over.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(over.set))
    return over


def make_area(area: Path) -> Path:
    """Make a server's folder, for its owner alone."""
    folder = area.expanduser().absolute()
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        raise UserError(
            f"Others can enter the server's folder '{folder}'; run: chmod 700 "
            f"'{folder}'."
        )
    for inner in ("work", "dask"):
        (folder / inner).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    return folder
