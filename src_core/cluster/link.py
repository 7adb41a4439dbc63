"""The way to a server: HTTPS with certificates on both sides, JSON and bytes alone."""

from __future__ import annotations

import http.client
import json
import math
import selectors
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from src_core.cluster.address import parse_address
from src_core.cluster.keyring import Peer
from src_core.cluster.trouble import Refused, as_error, broken_line, plain
from src_core.errors import CorruptError, JobError, LgsslError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from src_core.cluster.keyring import Keys

PROTOCOL: Final = 1
TIMEOUT: Final = 30.0
PATIENCE: Final = 600.0
PIECE: Final = 8 << 20
LARGEST_ANSWER: Final = 64 << 20
_BATCH: Final = 2_000


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and how one deals with it.

    Attributes
    ----------
    address : str
        ``tls://host:port``.
    keys : Keys
        A client's certificates.
    timeout : float
        Seconds of silence after which a connection counts as lost.
    patience : float
        Seconds after which a lost connection is given up.
    """

    address: str
    keys: Keys
    timeout: float = TIMEOUT
    patience: float = PATIENCE

    def link(self) -> Link:
        """Return a connection of one's own; it is opened when first used."""
        return Link(self.address, self.keys, self.timeout)


class Link:
    """A connection to one server, opened when needed and again when it broke.

    Parameters
    ----------
    address : str
        ``tls://host:port``.
    keys : Keys
        This side's certificates.
    timeout : float
        Seconds of silence after which the server counts as out of reach.
    check_name : bool
        Whether the certificate must name the host that was asked for.
    """

    def __init__(
        self,
        address: str,
        keys: Keys,
        timeout: float = TIMEOUT,
        *,
        check_name: bool = True,
    ) -> None:
        self.address, self.keys, self.timeout = address, keys, timeout
        self._host, self._port = parse_address(address)
        self._context = keys.towards_server(check_name=check_name)
        self._connection: http.client.HTTPSConnection | None = None
        self._guard = threading.Lock()
        self._aborted = False
        self.sent = 0
        self.expires = math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def ask(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | bytes | None = None,
        *,
        patience: float = 0.0,
    ) -> dict[str, Any]:
        """Ask for something and return the answer.

        Parameters
        ----------
        method, path : str
            Of HTTP.
        payload : mapping or bytes, optional
            A mapping travels as JSON.
        patience : float
            Seconds that the server may think before it begins to answer.

        Raises
        ------
        Unreachable
            If it does not answer.
        Refused
            If either side does not accept the other's certificate.
        LgsslError
            What the server says is wrong.
        """
        body: bytes | str = b""
        if payload is not None:
            body = payload if isinstance(payload, bytes) else json.dumps(payload)
        data = self._exchange(method, path, body, {}, patience)
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._odd() from error
        if not isinstance(found, dict):
            raise self._odd()
        return found

    def fetch(self, path: str, offset: int, length: int) -> bytes:
        """Return a part of a content; raises as :meth:`ask`."""
        wanted = {"Range": f"bytes={offset}-{offset + length - 1}"}
        data = self._exchange("GET", path, "", wanted, 0.0)
        if not 0 < len(data) <= length:
            raise self._odd()
        return data

    def send(
        self,
        blobs: Mapping[str, int],
        read: Callable[[str, int, int], bytes],
        told: Callable[[int], None] = lambda sent: None,
        begun: Mapping[str, int] | None = None,
    ) -> None:
        """Send contents, many small ones at once and large ones in pieces.

        Parameters
        ----------
        blobs : mapping
            Hash -> bytes.
        read : callable
            Called with hash, offset and length.
        told : callable
            Called with the bytes sent so far.
        begun : mapping, optional
            Hash -> bytes that the server has of it already.
        """
        done = 0
        for pieces in _batches(blobs, begun or {}):
            data = [read(sha256, offset, size) for sha256, offset, size in pieces]
            if [len(d) for d in data] != [size for *_, size in pieces]:
                raise CorruptError(
                    "A file of the project has become shorter than it was; run "
                    "'lgssl verify', and restore the project from a backup."
                )
            head = json.dumps(
                [[sha256, blobs[sha256], offset, n] for sha256, offset, n in pieces]
            ).encode()
            body = b"".join((struct.pack(">I", len(head)), head, *data))
            self.ask("POST", "/v1/blobs", body)
            done += sum(map(len, data))
            told(done)

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def abort(self) -> None:
        """Break off for good: who waits, in another thread, finds nobody there."""
        self._aborted = True
        connection = self._connection
        sock = None if connection is None else connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | str,
        headers: dict[str, str],
        patience: float,
    ) -> bytes:
        asked = (method, path, body, headers)
        with self._guard:
            was_open = self._connection is not None
            try:
                try:
                    status, data = self._once(asked, patience)
                except (ConnectionError, ssl.SSLEOFError):
                    if not was_open or self._aborted:
                        raise
                    # It had been idle for too long; all can be asked twice.
                    self.close()
                    status, data = self._once(asked, patience)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise broken_line(error, self.address, self.keys.folder) from error
        if status in (200, 206):
            return data
        raise self._complaint(status, data)

    def _once(self, asked: tuple[Any, ...], patience: float) -> tuple[int, bytes]:
        if self._aborted:
            raise ConnectionAbortedError("it is no longer listened to")
        connection = self._connected()
        assert connection.sock is not None
        connection.sock.settimeout(self.timeout + patience)
        connection.request(*asked)
        self.sent += len(asked[2])
        response = connection.getresponse()
        data = response.read(LARGEST_ANSWER + 1)
        if response.will_close or len(data) > LARGEST_ANSWER:
            self.close()
        return response.status, data

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            connection = self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self.timeout, context=self._context
            )
            connection.connect()
            sock = connection.sock
            assert isinstance(sock, ssl.SSLSocket)
            _await_verdict(sock, self.timeout)
            peer = Peer.of(sock.getpeercert())
            self.expires = peer.expires if peer else math.inf
        return self._connection

    def _complaint(self, status: int, data: bytes) -> LgsslError:
        """Return what the server says is wrong as one of this program's errors."""
        try:
            said = json.loads(data)
            kind, text = str(said["kind"]), plain(said["text"])
        except (ValueError, KeyError, TypeError, RecursionError):
            kind, text = "", ""
        if status == 403:
            return Refused(text or f"'{self.address}' does not let this computer in.")
        if not text:
            return self._odd()
        return as_error(kind, text)

    def _odd(self) -> LgsslError:
        return JobError(
            f"'{self.address}' answers, but not as a server of lgssl does; check the "
            "address, and that both sides have the same version."
        )


def _await_verdict(sock: ssl.SSLSocket, timeout: float) -> None:
    """Wait until the server has looked at our certificate.

    In TLS 1.3 a client's handshake is over before that. Whoever goes on writing may
    have the connection reset, and never reads why it was refused.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        selector.select(timeout)
    sock.setblocking(False)
    try:
        sock.recv(1)
    except ssl.SSLWantReadError:
        return  # what came was a session ticket: we are in
    finally:
        sock.settimeout(timeout)
    raise ConnectionResetError("it closed the connection")


def _batches(
    blobs: Mapping[str, int], begun: Mapping[str, int]
) -> Iterator[list[tuple[str, int, int]]]:
    """Cut contents into messages of about :data:`PIECE` bytes: hash, offset, length."""
    pieces: list[tuple[str, int, int]] = []
    room = PIECE
    for sha256, size in blobs.items():
        offset = min(size, begun.get(sha256, 0))
        while True:
            length = min(size - offset, room)
            pieces.append((sha256, offset, length))
            offset += length
            room -= length
            if room == 0 or len(pieces) == _BATCH:
                yield pieces
                pieces, room = [], PIECE
            if offset == size:
                break
    if pieces:
        yield pieces
