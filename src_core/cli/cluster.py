"""Commands for trainings on other machines: certificates, a server, its workers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from src_core.cli.console import AsJson, emit, tell

KeysFolder = Annotated[
    Path | None,
    typer.Option("--keys", help="Folder of certificates.", show_default=False),
]
Area = Annotated[
    Path | None,
    typer.Option("--area", help="Folder of jobs and images.", show_default=False),
]
Workers = Annotated[
    int | None,
    typer.Option(min=0, help="How many; default one a GPU.", show_default=False),
]
RanksHost = Annotated[
    str,
    typer.Option(
        help="This machine's address in a network of servers alone: trainings may then "
        "run on several machines at once.",
        show_default=False,
    ),
]
CacheGb = Annotated[float, typer.Option(min=0.1, help="Disk that images may take.")]


def keys(
    folder: Annotated[Path, typer.Argument(help="Kept by who runs the server.")],
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="Name or address of the server; may be repeated."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option("--client", help="A workstation's name; may be repeated."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="How long they are good.")] = 365,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make all again, whenever they expire.")
    ] = False,
    revoke: Annotated[
        str, typer.Option(help="Let this client in no more.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make the certificates of a server and its clients, and renew them."""
    from src_core.cluster import authority

    if revoke:
        path = authority.revoke(folder, revoke)
        sentence = (
            f"Copy '{path}' to the server's keys: then '{revoke}' is out at once."
        )
        emit({"revoked": revoke, "list": path}, sentence, as_json=as_json)
        return
    issued = authority.make_keys(
        folder, host or (), client or (), days=days, renew=renew
    )
    lines = [
        f"{'new ' if one.new else 'kept'}  {one.name:<24} good until {one.expires}  "
        f"{one.folder}"
        for one in issued
    ]
    found = [
        {
            "name": one.name,
            "folder": str(one.folder),
            "expires": one.expires,
            "new": one.new,
        }
        for one in issued
    ]
    payload = {"authority": str(folder / "authority"), "certificates": found}
    emit(payload, "\n".join(lines), as_json=as_json)


def serve(
    listen: Annotated[
        str, typer.Option(help="Where clients come in, host:port.")
    ] = "127.0.0.1:8786",
    keys: KeysFolder = None,
    area: Area = None,
    workers: Workers = None,
    workers_listen: Annotated[
        str,
        typer.Option(
            help="host:port, for other machines' workers.", show_default=False
        ),
    ] = "",
    cache_gb: CacheGb = 50.0,
    ranks_host: RanksHost = "",
    as_json: AsJson = False,
) -> None:
    """Run trainings of other computers here: scheduler, and a worker for each GPU."""
    from src_core.cluster.address import parse_address
    from src_core.cluster.keyring import Keys
    from src_core.cluster.serve import ServerSettings
    from src_core.cluster.serve import serve as run

    _log_to_standard_error()
    host, port = parse_address(f"tls://{listen}", any_port=True)
    inside = f"tls://{workers_listen}"
    settings = ServerSettings(
        keys=Keys.find(keys, server=True),
        area=area or _default_area("server"),
        host=host,
        port=port,
        workers=workers,
        inside=parse_address(inside, usual=port + 1) if workers_listen else None,
        cache_gb=cache_gb,
        ranks_host=ranks_host or None,
    )
    run(settings, _ready("Listening on {address}, {workers} workers.", as_json))


def worker(
    scheduler: Annotated[str, typer.Option(help="tls://host:port of the server.")],
    keys: KeysFolder = None,
    area: Area = None,
    workers: Workers = None,
    host: Annotated[
        str,
        typer.Option(help="This machine's address for the server.", show_default=False),
    ] = "",
    cache_gb: CacheGb = 50.0,
    ranks_host: RanksHost = "",
    as_json: AsJson = False,
) -> None:
    """Lend this machine to a server: its GPUs train what was handed in there."""
    from src_core.cluster.keyring import Keys
    from src_core.cluster.workers import join

    _log_to_standard_error()
    join(
        scheduler,
        Keys.find(keys, server=True),
        area or _default_area("worker"),
        workers=workers,
        host=host or None,
        cache_gb=cache_gb,
        ranks_host=ranks_host or None,
        ready=_ready("{workers} workers joined {address}.", as_json),
    )


def _ready(sentence: str, as_json: bool) -> Callable[[dict[str, Any]], None]:
    def ready(facts: dict[str, Any]) -> None:
        if as_json:
            emit(facts, "", as_json=True)
        else:
            tell(sentence.format(**facts))

    return ready


def _default_area(name: str) -> Path:
    from platformdirs import user_data_path

    return user_data_path("lgssl-napari") / name


def _log_to_standard_error() -> None:
    """Let what happens be read in the service's log."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING
    )
    logging.getLogger("lgssl").setLevel(logging.INFO)


COMMANDS: dict[str, Callable[..., None]] = {
    "keys": keys,
    "serve": serve,
    "worker": worker,
}
