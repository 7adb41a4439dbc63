"""Where a server is: ``tls://host:port``, and nothing else."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from src_core.errors import UserError

PORT: Final = 8786


def parse_address(
    address: str, *, usual: int = PORT, any_port: bool = False
) -> tuple[str, int]:
    """Return host and port of ``tls://host:port``.

    Parameters
    ----------
    address : str
        As said.
    usual : int
        The port that is meant where none is given.
    any_port : bool
        Whether port 0 is allowed, to listen on any free one.

    Raises
    ------
    UserError
        If it is anything else: what is not protected is not spoken to.
    """
    parts = urlsplit(address)
    try:
        port = usual if parts.port is None else parts.port
    except ValueError:
        port = -1
    odd = parts.path.strip("/") or parts.query or parts.username
    least = 0 if any_port else 1
    if parts.scheme != "tls" or odd or not parts.hostname or port < least:
        raise UserError(
            f"The scheduler '{address[:200]}' is not reached by tls://; use an address "
            "such as tls://server:8786."
        )
    return parts.hostname, port
