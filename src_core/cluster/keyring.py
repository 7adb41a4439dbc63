"""The certificates of one side of a connection, and what they are good for.

Servers and clients are signed by different authorities. The port for clients trusts
both; what dask listens on trusts the servers' alone, because whoever can speak to dask
can run code. A client trusts the servers' authority alone, so that no client can pose
as the server.
"""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from src_core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributed.security import Security

CERTIFICATE: Final = "cert.pem"
KEY: Final = "key.pem"
SERVERS: Final = "servers.pem"
CLIENTS: Final = "clients.pem"
REVOKED: Final = "revoked.json"
VARIABLE: Final = "LGSSL_KEYS"


class Role(StrEnum):
    """What a certificate makes its holder; also its authority's common name."""

    SERVER = "lgssl servers"
    CLIENT = "lgssl clients"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, as their certificate says.

    Attributes
    ----------
    name : str
        The common name.
    role : Role
        Which authority signed.
    serial : str
        Hexadecimal, upper case.
    expires : float
        Seconds since 1970.
    """

    name: str
    role: Role
    serial: str
    expires: float

    @classmethod
    def of(cls, certificate: Mapping[str, Any] | None) -> Self | None:
        """Read what ``ssl`` says of a verified certificate; None if it is not ours."""
        if not certificate:
            return None
        issuer = _common_name(certificate.get("issuer", ()))
        if issuer not in list(Role):
            return None
        return cls(
            _common_name(certificate.get("subject", ())),
            Role(issuer),
            str(certificate["serialNumber"]),
            float(ssl.cert_time_to_seconds(certificate["notAfter"])),
        )


def _common_name(name: Any) -> str:
    pairs = [pair for part in name for pair in part]
    return next((value for key, value in pairs if key == "commonName"), "")


def default_folder() -> Path:
    """Where certificates lie when nobody says otherwise."""
    from platformdirs import user_config_path

    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_config_path("lgssl-napari") / "keys"


@dataclass(frozen=True, slots=True)
class Keys:
    """A folder of certificates: a server's, or one client's.

    Parameters
    ----------
    folder : Path
        Holds ``cert.pem``, ``key.pem``, ``servers.pem`` and, on a server,
        ``clients.pem``.
    """

    folder: Path

    @classmethod
    def find(cls, folder: Path | None = None, *, server: bool = False) -> Self:
        """Return the certificates of a folder, by default of the usual one.

        Parameters
        ----------
        folder : Path, optional
            Else the variable ``LGSSL_KEYS``, else ``keys`` in the user's settings.
        server : bool
            Whether they must be a server's.

        Raises
        ------
        UserError
            If some are missing, or others can read the key.
        """
        keys = cls((folder or default_folder()).expanduser().absolute())
        needed = (CERTIFICATE, KEY, SERVERS, *((CLIENTS,) if server else ()))
        missing = [name for name in needed if not (keys.folder / name).is_file()]
        if missing:
            part = "'server'" if server else "'clients/NAME'"
            raise UserError(
                f"There is no {missing[0]} in '{keys.folder}'; put the folder {part} "
                "that 'lgssl keys' made there, or name it with --keys."
            )
        mode = (keys.folder / KEY).stat().st_mode
        if os.name == "posix" and mode & 0o077:
            raise UserError(
                f"Others can read the private key '{keys.folder / KEY}'; make new "
                f"certificates, or at least run: chmod 600 '{keys.folder / KEY}'."
            )
        return keys

    def towards_server(self, *, check_name: bool = True) -> ssl.SSLContext:
        """How a client connects: shows its own certificate, wants a server's.

        Parameters
        ----------
        check_name : bool
            Whether the server's certificate must name the host that was asked for.
        """
        context = self._context(ssl.PROTOCOL_TLS_CLIENT, SERVERS)
        context.check_hostname = check_name
        return context

    def towards_clients(self) -> ssl.SSLContext:
        """How the server listens: wants a client's or a server's certificate."""
        return self._context(ssl.PROTOCOL_TLS_SERVER, SERVERS, CLIENTS)

    def among_servers(self) -> Security:
        """How dask's scheduler and workers speak: a server's on either side."""
        from distributed.security import Security

        own = {
            f"tls_{role}_{part}": str(self.folder / name)
            for role in ("client", "scheduler", "worker")
            for part, name in (("cert", CERTIFICATE), ("key", KEY))
        }
        return Security(
            require_encryption=True,
            tls_ca_file=str(self.folder / SERVERS),
            tls_min_version=ssl.TLSVersion.TLSv1_3,
            **own,
        )

    def revoked(self) -> frozenset[str]:
        """Return the serial numbers that are no longer let in.

        Raises
        ------
        UserError
            If the list is there and cannot be read: then nobody may be let in.
        """
        path = self.folder / REVOKED
        try:
            return frozenset(map(str, json.loads(path.read_bytes())["serials"]))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"The list of revoked certificates '{path}' cannot be read ({error}); "
                "put the one that 'lgssl keys' wrote there."
            ) from error

    def _context(self, protocol: int, *authorities: str) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        try:
            for name in authorities:
                context.load_verify_locations(self.folder / name)
            context.load_cert_chain(self.folder / CERTIFICATE, self.folder / KEY)
        except (ssl.SSLError, OSError) as error:
            raise UserError(
                f"The certificates in '{self.folder}' cannot be used ({error}); put "
                "those that 'lgssl keys' made there, all of one making."
            ) from error
        return context
