"""Makes certificates: an authority for servers, one for clients, and what they sign.

::

    FOLDER/authority/      both authorities, with their keys: stays with who runs this
    FOLDER/server/         goes to each server
    FOLDER/clients/NAME/   goes to one workstation

Whoever holds an authority's key can let anybody in; a server needs neither key.
"""

from __future__ import annotations

import datetime
import json
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from src_core.cluster.certificates import (
    Signer,
    expires_on,
    host_name,
    hosts_of,
    pem,
    read_certificate,
    sign,
    time_left,
)
from src_core.cluster.keyring import CERTIFICATE, CLIENTS, KEY, REVOKED, SERVERS, Role
from src_core.errors import BadInputError, MissingExtraError, NotFoundError
from src_core.files import PRIVATE_FOLDER, write_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


DAYS: Final = 365
_AUTHORITY_DAYS: Final = 3650
_SOON: Final = datetime.timedelta(days=30)
_ALWAYS: Final = ("localhost", "127.0.0.1")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_FILES: Final = {Role.SERVER: SERVERS, Role.CLIENT: CLIENTS}


@dataclass(frozen=True, slots=True)
class Issued:
    """One certificate as it now stands.

    Attributes
    ----------
    name : str
        The client's name, ``"server"`` for the server's.
    folder : Path
        What to copy to its machine.
    expires : str
        Day, ISO 8601.
    new : bool
        Whether it was made just now.
    """

    name: str
    folder: Path
    expires: str
    new: bool


def make_keys(
    folder: Path,
    hosts: Sequence[str] = (),
    clients: Sequence[str] = (),
    *,
    days: int = DAYS,
    renew: bool = False,
) -> list[Issued]:
    """Make what is missing, and again what expires within 30 days.

    Parameters
    ----------
    folder : Path
        Kept for later: it holds the authorities.
    hosts : sequence of str
        Names and addresses under which clients reach the server; by default those of
        the certificate there is, or else this machine's name.
    clients : sequence of str
        One a workstation or person; those made before are looked after too.
    days : int
        How long a certificate is good for.
    renew : bool
        Make every certificate again, whenever it expires. Those given out before stay
        good until they expire.

    Returns
    -------
    list of Issued
        The server's first.

    Raises
    ------
    BadInputError
        If a name cannot be used.
    MissingExtraError
        If the library that makes certificates is not installed.
    """
    _need_library()
    for name in clients:
        if not _NAME.fullmatch(name):
            raise BadInputError(
                f"{name[:80]!r} cannot name a client: use letters, digits, '-', '_' "
                "and '.', for example the workstation's name."
            )
    signers = {role: _signer(folder / "authority", role) for role in Role}
    server = folder / "server"
    wanted = (*hosts, *_ALWAYS) if hosts else ()
    issued = [_issue(signers, Role.SERVER, server, "server", wanted, days, renew)]
    known = folder / "clients"
    before = [path.name for path in known.glob("*")] if known.is_dir() else []
    for name in sorted({*before, *clients}):
        place = known / name
        issued.append(_issue(signers, Role.CLIENT, place, name, (), days, renew))
    return issued


def revoke(folder: Path, client: str) -> str:
    """Stop letting a client in, and forget its certificate.

    Returns
    -------
    str
        The path of the list that the server must be given.

    Raises
    ------
    NotFoundError
        If there is no such client.
    """
    _need_library()
    place = folder / "clients" / client
    if not _NAME.fullmatch(client) or not (place / CERTIFICATE).is_file():
        raise NotFoundError(
            f"'{folder}' has no client '{client[:80]}'; its clients are the folders "
            f"in '{folder / 'clients'}'."
        )
    path = folder / "server" / REVOKED
    known = json.loads(path.read_bytes())["serials"] if path.exists() else []
    # As ssl prints it, so that a server needs no library to compare.
    serial = f"{read_certificate(place / CERTIFICATE).serial_number:X}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    content = {"serials": sorted({*known, serial})}
    write_private(path, json.dumps(content).encode())
    for left in place.iterdir():
        left.unlink()
    place.rmdir()
    return str(path)


def _need_library() -> None:
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise MissingExtraError("Making certificates", "cluster")


def _signer(folder: Path, role: Role) -> Signer:
    """Read an authority, or make it the first time."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificate = folder / _FILES[role]
    secret = certificate.with_name(f"{certificate.stem}-key.pem")
    if not certificate.exists():
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        key, made = sign(role, role.value, None, (), _AUTHORITY_DAYS)
        write_private(secret, pem(key))
        write_private(certificate, pem(made))
    try:
        found = load_pem_private_key(secret.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"The key '{secret}' of an authority cannot be read ({error}); bring the "
            "folder 'authority' back, or make all certificates again in a new folder."
        ) from error
    read = read_certificate(certificate)
    if not isinstance(found, EllipticCurvePrivateKey) or time_left(read) < _SOON:
        raise BadInputError(
            f"The authority '{certificate}' expires on {expires_on(read)}; make new "
            "certificates in a new folder and give them to every machine."
        )
    return Signer(role, read, found)


def _issue(
    signers: dict[Role, Signer],
    role: Role,
    place: Path,
    name: str,
    hosts: tuple[str, ...],
    days: int,
    renew: bool,
) -> Issued:
    """Make one folder of certificates where it is due."""
    path = place / CERTIFICATE
    standing = read_certificate(path) if path.exists() else None
    named = hosts_of(standing) if standing is not None else ()
    if role is Role.SERVER and not hosts:
        hosts = named or (socket.gethostname(), *_ALWAYS)
    hosts = tuple(dict.fromkeys(str(host_name(host).value) for host in hosts))
    is_due = (
        renew
        or standing is None
        or time_left(standing) < _SOON
        or set(hosts) != set(named)
    )
    if is_due:
        place.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        place.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        key, standing = sign(role, name, signers[role], hosts, days)
        write_private(place / KEY, pem(key))
        write_private(path, pem(standing))
    assert standing is not None
    trusted = Role if role is Role.SERVER else (Role.SERVER,)
    for other in trusted:
        write_private(place / _FILES[other], pem(signers[other].certificate))
    return Issued(name, place, expires_on(standing), is_due)
