"""X.509 certificates: made and signed, written as PEM, and what one of them says.

``cryptography`` is imported where it is used: only who makes certificates needs it.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from src_core.cluster.keyring import Role
from src_core.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_SKEW: Final = datetime.timedelta(minutes=10)
"""By so much may a machine's clock be slow."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An authority: whom it signs for, its certificate, and its key."""

    role: Role
    certificate: x509.Certificate
    key: EllipticCurvePrivateKey


def sign(
    role: Role, name: str, signer: Signer | None, hosts: tuple[str, ...], days: int
) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    """Make a key and its certificate; an authority's own where there is no signer.

    Parameters
    ----------
    role : Role
        Whose certificate it is: a server's may also be used as a client's.
    name : str
        Its common name.
    signer : Signer or None
        The authority.
    hosts : tuple of str
        Names and addresses that it is good for, a server's only.
    days : int
        How long it is good.

    Raises
    ------
    BadInputError
        If a host is neither a name nor an address.
    """
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
        names = x509.SubjectAlternativeName([host_name(host) for host in hosts])
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


def host_name(host: str) -> x509.GeneralName:
    """Return a machine's name or address as a certificate holds it.

    Raises
    ------
    BadInputError
        If it is neither.
    """
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


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the names and addresses that a certificate is good for."""
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found.value)


def read_certificate(path: Path) -> x509.Certificate:
    """Read a certificate from a PEM file.

    Raises
    ------
    BadInputError
        If there is none that can be read.
    """
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"The certificate '{path}' cannot be read ({error}); remove its folder and "
            "run 'lgssl keys' again."
        ) from error


def pem(thing: Any) -> bytes:
    """Return a certificate, or a private key without a password, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as form

    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(form.Encoding.PEM)
    written: bytes = thing.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )
    return written


def time_left(certificate: x509.Certificate) -> datetime.timedelta:
    """Return for how long a certificate is still good."""
    return certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)


def expires_on(certificate: x509.Certificate) -> str:
    """Return the day on which a certificate expires, ISO 8601, in UTC."""
    return certificate.not_valid_after_utc.date().isoformat()
