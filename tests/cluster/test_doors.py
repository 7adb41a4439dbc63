"""Who is let in, and what listens: asked of a real server on real sockets."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
from contextlib import suppress

import psutil
import pytest

from src_core.cluster.address import parse_address
from src_core.cluster.authority import make_keys
from src_core.cluster.keyring import Keys
from src_core.cluster.link import Link
from src_core.cluster.trouble import Refused, Unreachable
from src_core.errors import BadInputError, LgsslError, NotFoundError, UserError


@pytest.fixture
def link(server, ada):
    made = Link(server.address, ada)
    yield made
    made.close()


def raw(server, context: ssl.SSLContext | None, question: bytes) -> bytes:
    """Ask on a bare socket; return all that is answered."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        if context is None:
            plain.sendall(question)
            return plain.recv(4096)
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(question)
            return secure.recv(4096)


def first_byte(port: int, context: ssl.SSLContext) -> bytes:
    """Shake hands, and wait for the other side to speak."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.recv(1)


HELLO = b"GET /v1/hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_who_has_a_certificate_is_let_in(link):
    found = link.ask("GET", "/v1/hello")
    assert (found["program"], found["you"], found["workers"]) == ("lgssl", "ada", 1)
    # Where dask listens is none of a client's business.
    assert "inside" not in found


def test_plain_tcp_gets_no_answer(server):
    with suppress(ConnectionResetError):
        assert raw(server, None, HELLO) == b""


def test_without_a_certificate_nobody_is_let_in(server, key_folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(key_folder / "server" / "servers.pem")
    # Refused after the handshake: the reason may be lost with the connection.
    refused = (ssl.SSLError, ConnectionResetError)
    with pytest.raises(refused, match=r"(?i)certificate.required|EOF|reset"):
        raw(server, context, HELLO)


def test_a_foreign_certificate_is_refused_in_a_sentence(server, key_folder, tmp_path):
    make_keys(tmp_path, ["localhost"], ["ada"])
    place = tmp_path / "clients" / "ada"
    shutil.copy(key_folder / "server" / "servers.pem", place)  # trusts the server
    with pytest.raises(Refused, match="does not accept the certificate"):
        Link(server.address, Keys.find(place)).ask("GET", "/v1/hello")


def test_a_server_of_a_foreign_authority_is_not_spoken_to(server, tmp_path):
    make_keys(tmp_path, ["localhost"], ["ada"])
    stranger = Keys.find(tmp_path / "clients" / "ada")
    with pytest.raises(Refused, match="was not signed by the authority"):
        Link(server.address, stranger).ask("GET", "/v1/hello")


def test_a_server_of_another_name_is_not_spoken_to(server, ada):
    with pytest.raises(Refused, match="is for another name"):
        Link(f"tls://127.1:{server.port}", ada).ask("GET", "/v1/hello")


def test_what_does_not_speak_tls_is_named(ada):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        async def answer() -> None:
            def ask():
                with pytest.raises(Refused, match="does not speak TLS"):
                    Link(f"tls://127.0.0.1:{port}", ada).ask("GET", "/v1/hello")

            asked = asyncio.create_task(asyncio.to_thread(ask))
            loop = asyncio.get_running_loop()
            listening.setblocking(False)
            there, _ = await loop.sock_accept(listening)
            with there:
                await loop.sock_sendall(there, b"HTTP/1.1 400 Bad Request\r\n\r\n")
                await asked

        asyncio.run(answer())


def test_where_nothing_listens_is_named(harness, ada):
    with pytest.raises(Unreachable, match="check that it runs"):
        Link(f"tls://127.0.0.1:{harness.free_port()}", ada).ask("GET", "/v1/hello")


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1:8786", "10.0.0.5:8786", "http://x:1", "tls://", "tls://x:0",
        "tls://x:99999", "tls://a@b:1", "tls://x:1/path", "TCP://x:1", "", "tls:x:1",
    ],
)  # fmt: skip
def test_what_is_not_protected_is_not_spoken_to(address):
    with pytest.raises(UserError, match="tls://server:8786"):
        parse_address(address)


@pytest.mark.parametrize(
    ("address", "place"),
    [("tls://gpu", ("gpu", 8786)), ("tls://[::1]:5/", ("::1", 5))],
)
def test_an_address_is_read(address, place):
    assert parse_address(address) == place


def listening(server) -> set[tuple[str, int]]:
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in server.family()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }


def plainly(port: int) -> bytes:
    """Ask by plain HTTP; return the first line of the answer."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        suppress(ConnectionResetError),
    ):
        plain.sendall(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
        return plain.recv(4096).split(b"\r\n")[0]
    return b""


def test_nothing_listens_beyond_this_machine(server):
    assert {ip for ip, _ in listening(server)} == {"127.0.0.1"}


def test_all_ports_ask_for_a_servers_certificate_or_have_nothing_to_give(
    server, key_folder
):
    """dask's HTTP ports cannot be closed; its others are offered a client's."""
    place = key_folder / "clients" / "ada"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(place / "servers.pem")
    context.load_cert_chain(place / "cert.pem", place / "key.pem")
    refused = 0
    for _, port in listening(server) - {("127.0.0.1", server.port)}:
        answer = plainly(port)
        if not answer:
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                first_byte(port, context)
            refused += 1
        else:
            assert answer == b"HTTP/1.1 404 Not Found"
    assert refused == 3  # scheduler, nanny, worker


def test_a_message_of_dasks_own_is_not_understood_at_the_door(server, ada):
    """Whatever a client says there is never unpickled."""
    from distributed.protocol import dumps

    class Boom:
        def __reduce__(self):
            return (exec, ("open('/tmp/lgssl-was-here', 'w')",))

    frames = b"".join(bytes(f) for f in dumps({"op": "identity", "x": Boom()}))
    context = ada.towards_server(check_name=False)
    answer = raw(server, context, frames + b"\r\n\r\n")
    assert answer == b"" or b"400" in answer.split(b"\r\n")[0]


JOB = "0" * 32
SHA = "a" * 64


@pytest.mark.parametrize(
    ("method", "path", "payload", "error"),
    [
        ("GET", f"/v1/blobs/{SHA}", None, Refused),  # servers alone
        ("PUT", f"/v1/jobs/{JOB}/checkpoint", {"files": {}}, Refused),
        ("GET", f"/v1/jobs/{JOB}", None, NotFoundError),
        ("DELETE", f"/v1/jobs/{JOB}", None, NotFoundError),
        ("POST", f"/v1/jobs/{JOB}/stop", None, NotFoundError),
        ("GET", f"/v1/jobs/{JOB}/files/model.json", None, NotFoundError),
        ("PUT", f"/v1/jobs/{JOB}", {"bundle": SHA, "request": "{}"}, NotFoundError),
        ("PUT", f"/v1/jobs/{JOB}", {"bundle": "../x", "request": "{}"}, BadInputError),
        ("PUT", f"/v1/jobs/{JOB}", {"bundle": SHA}, BadInputError),
        ("POST", "/v1/bundles", {"images": []}, BadInputError),
        ("POST", "/v1/bundles", b"\x80\x04pickle", BadInputError),
        ("POST", "/v1/blobs", b"", BadInputError),
        ("POST", "/v1/blobs", b"\0\0\0\x02[]x", BadInputError),
        ("POST", "/v1/blobs", b"\xff\xff\xff\xff", BadInputError),
        ("GET", "/v1/jobs/../../etc/passwd", None, LgsslError),
        ("GET", "/", None, LgsslError),
    ],
)
def test_what_may_not_be_asked_is_refused(link, method, path, payload, error):
    with pytest.raises(error):
        link.ask(method, path, payload)
    assert link.ask("GET", "/v1/hello")["you"] == "ada"


def test_a_content_that_nobody_waits_for_is_not_kept(server, link):
    head = json.dumps([[SHA, 3, 0, 3]]).encode()
    body = len(head).to_bytes(4, "big") + head + b"abc"
    with pytest.raises(NotFoundError, match="does not wait for"):
        link.ask("POST", "/v1/blobs", body)
    assert not (server.area / "blobs" / "partial" / SHA).exists()


def test_a_body_beyond_any_bound_is_cut_off(link):
    with pytest.raises(LgsslError):
        link.ask("POST", "/v1/blobs", bytes(80 << 20))
    assert link.ask("GET", "/v1/hello")["you"] == "ada"


def test_a_revoked_client_is_out_at_once(server, link, ada, key_folder):
    link.ask("GET", "/v1/hello")
    before = link._connection
    listed = server.keys / "revoked.json"
    listed.write_text(json.dumps({"serials": [_serial(ada)]}))
    listed.chmod(0o644)
    try:
        with pytest.raises(Refused, match="was revoked"):
            link.ask("GET", "/v1/hello")
        assert link._connection is before  # not only who comes anew
        with Link(server.address, Keys.find(key_folder / "clients" / "bob")) as bob:
            assert bob.ask("GET", "/v1/hello")["you"] == "bob"
    finally:
        listed.unlink()
    assert link.ask("GET", "/v1/hello")["you"] == "ada"


def _serial(keys: Keys) -> str:
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(
        (keys.folder / "cert.pem").read_bytes()
    )
    serial = f"{certificate.serial_number:X}"
    return serial.zfill(len(serial) + len(serial) % 2)


def test_a_second_server_on_the_same_folder_is_refused(server, key_folder, harness):
    with harness.Machine(key_folder, "second") as second:
        second.area = server.area
        with pytest.raises(AssertionError, match="Another server uses"):
            second.serve(0, "--workers", 0)


def test_a_port_that_is_taken_is_named(server, key_folder, harness):
    with (
        harness.Machine(key_folder, "taken") as second,
        pytest.raises(AssertionError, match="choose another --listen"),
    ):
        second.serve(server.port, "--workers", 0)
