"""Makes certificates: an authority for servers, one for clients, and what they sign.

::

    FOLDER/authority/      both authorities, with their keys: stays with who runs this
    FOLDER/server/         goes to each server
    FOLDER/clients/NAME/   goes to one workstation

Whoever holds an authority's key can let anybody in; a server needs neither key.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from src_core.cluster.keyring import CERTIFICATE, CLIENTS, KEY, REVOKED, SERVERS, Role
from src_core.errors import BadInputError, MissingExtraError, NotFoundError
from src_core.files import PRIVATE_FOLDER, write_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

DAYS: Final = 365
_AUTHORITY_DAYS: Final = 3650
_SOON: Final = datetime.timedelta(days=30)
_SKEW: Final = datetime.timedelta(minutes=10)
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


@dataclass(frozen=True, slots=True)
class _Signer:
    role: Role
    certificate: x509.Certificate
    key: EllipticCurvePrivateKey


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
    serial = f"{_read(place / CERTIFICATE).serial_number:X}"
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


def _signer(folder: Path, role: Role) -> _Signer:
    """Read an authority, or make it the first time."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificate = folder / _FILES[role]
    secret = certificate.with_name(f"{certificate.stem}-key.pem")
    if not certificate.exists():
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        key, made = _sign(role, role.value, None, (), _AUTHORITY_DAYS)
        write_private(secret, _pem(key))
        write_private(certificate, _pem(made))
    try:
        found = load_pem_private_key(secret.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"The key '{secret}' of an authority cannot be read ({error}); bring the "
            "folder 'authority' back, or make all certificates again in a new folder."
        ) from error
    read = _read(certificate)
    if not isinstance(found, EllipticCurvePrivateKey) or _left(read) < _SOON:
        raise BadInputError(
            f"The authority '{certificate}' expires on {_day(read)}; make new "
            "certificates in a new folder and give them to every machine."
        )
    return _Signer(role, read, found)


def _issue(
    signers: dict[Role, _Signer],
    role: Role,
    place: Path,
    name: str,
    hosts: tuple[str, ...],
    days: int,
    renew: bool,
) -> Issued:
    """Make one folder of certificates where it is due."""
    path = place / CERTIFICATE
    standing = _read(path) if path.exists() else None
    named = _names(standing) if standing is not None else ()
    if role is Role.SERVER and not hosts:
        hosts = named or (socket.gethostname(), *_ALWAYS)
    hosts = tuple(dict.fromkeys(str(_host(host).value) for host in hosts))
    is_due = (
        renew or standing is None or _left(standing) < _SOON or set(hosts) != set(named)
    )
    if is_due:
        place.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        place.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        key, standing = _sign(role, name, signers[role], hosts, days)
        write_private(place / KEY, _pem(key))
        write_private(path, _pem(standing))
    assert standing is not None
    trusted = Role if role is Role.SERVER else (Role.SERVER,)
    for other in trusted:
        write_private(place / _FILES[other], _pem(signers[other].certificate))
    return Issued(name, place, _day(standing), is_due)


def _sign(
    role: Role, name: str, signer: _Signer | None, hosts: tuple[str, ...], days: int
) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    """Make a key and its certificate; an authority's own where there is no signer."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = signer.key.public_key() if signer else public
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(
            x509.BasicConstraints(ca=signer is None, path_length=None if signer else 0),
            critical=True,
        )
        .add_extension(_usage(signer is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False
        )
    )
    if signer is not None:
        # A worker connects to the scheduler too, so that a server is also a client.
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if role is Role.SERVER:
            uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if hosts:
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return key, builder.sign(signer.key if signer else key, hashes.SHA256())


def _usage(is_authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host.encode("idna").decode())
    except UnicodeError as error:
        raise BadInputError(
            f"{host[:80]!r} is neither a machine's name nor an address; give what "
            "clients will write behind tls://."
        ) from error


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found.value)


def _read(path: Path) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"The certificate '{path}' cannot be read ({error}); remove its folder and "
            "run 'lgssl keys' again."
        ) from error


def _pem(thing: Any) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as form

    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(form.Encoding.PEM)
    pem: bytes = thing.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )
    return pem


def _left(certificate: x509.Certificate) -> datetime.timedelta:
    return certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)


def _day(certificate: x509.Certificate) -> str:
    return certificate.not_valid_after_utc.date().isoformat()
