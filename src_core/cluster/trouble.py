"""What went wrong between two machines, in this program's errors and sentences."""

from __future__ import annotations

import math
import ssl
import time
from typing import TYPE_CHECKING, Any, Final

from src_core import errors
from src_core.errors import JobError, LgsslError, UserError

if TYPE_CHECKING:
    from pathlib import Path

_EXPIRED: Final = 10
_WRONG_NAME: Final = 62


class Unreachable(JobError):
    """The server does not answer just now; asking again may help."""


class Refused(UserError):
    """The server, or this side, does not accept the other's certificate."""


def broken_line(error: Exception, address: str, folder: Path) -> LgsslError:
    """Return what a broken connection means to a person.

    Parameters
    ----------
    error : Exception
        What Python raised.
    address : str
        Of the server.
    folder : Path
        That of this side's certificates.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reasons = {
            _EXPIRED: "its certificate has expired; renew it with 'lgssl keys'",
            _WRONG_NAME: "its certificate is for another name; use the name that "
            "was given to 'lgssl keys', or add this one there",
        }
        otherwise = f"it was not signed by the authority in '{folder}'"
        reason = reasons.get(error.verify_code, otherwise)
        return Refused(f"'{address}' was not trusted: {reason}.")
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        expired = "EXPIRED" in (error.reason or "")
        why = "it has expired" if expired else "another authority signed it"
        return Refused(
            f"'{address}' does not accept the certificate in '{folder}' "
            f"({why}); ask whoever runs the server for another."
        )
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return Refused(
            f"'{address}' does not speak TLS; check the address and the port."
        )
    return Unreachable(
        f"The scheduler '{address}' does not answer "
        f"({plain(str(error)) or type(error).__name__}); check that it runs, and "
        "that the address is right."
    )


def as_error(kind: str, text: str) -> LgsslError:
    """Return an error of this program by its class's name."""
    found = getattr(errors, kind, None)
    is_ours = isinstance(found, type) and issubclass(found, LgsslError)
    try:
        made: LgsslError = found(plain(text)) if is_ours else JobError(plain(text))  # type: ignore[misc]
    except TypeError:  # one that is made of other things than a sentence
        made = JobError(plain(text))
    return made


def plain(text: Any) -> str:
    """Return a text from elsewhere as one printable line."""
    kept = "".join(c if c.isprintable() else " " for c in str(text)[:1_000])
    return " ".join(kept.split())


def days_left(expires: float) -> int:
    """Return for how many whole days a certificate is good."""
    return math.floor((expires - time.time()) / 86_400)
