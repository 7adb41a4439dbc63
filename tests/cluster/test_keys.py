"""Certificates: who trusts whom, for how long, and what lies on the disk."""

from __future__ import annotations

import json
import os
import ssl

import pytest

from src_core.cluster import authority, certificates
from src_core.cluster.authority import make_keys, revoke
from src_core.cluster.keyring import VARIABLE, Keys, Peer, Role
from src_core.errors import BadInputError, NotFoundError, UserError

HOST = "gpu.hospital.local"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, [HOST, "10.0.0.7"], ["ada", "bob"])
    return folder


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str
) -> tuple[Peer | None, Peer | None]:
    """Let both sides shake hands in memory; return whom each has seen."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server, server_hostname=name)
    waiting = {here, there}
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
                waiting.discard(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    return Peer.of(there.getpeercert()), Peer.of(here.getpeercert())


def keys(folder, *parts):
    return Keys.find(folder.joinpath(*parts))


@pytest.mark.parametrize("name", [HOST, "10.0.0.7", "localhost", "127.0.0.1"])
def test_a_client_and_a_server_know_one_another_by_name(made, name):
    server = keys(made, "server").towards_clients()
    client = keys(made, "clients", "ada").towards_server()
    seen_there, seen_here = handshake(server, client, name)
    assert (seen_there.name, seen_there.role) == ("ada", Role.CLIENT)
    assert (seen_here.name, seen_here.role) == ("server", Role.SERVER)
    assert seen_here.expires > seen_there.expires - 60


def test_only_the_newest_tls_is_spoken(made):
    server = keys(made, "server").towards_clients()
    old = keys(made, "clients", "ada").towards_server()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        handshake(server, old, HOST)


def test_a_server_of_another_name_is_not_trusted(made):
    server = keys(made, "server").towards_clients()
    client = keys(made, "clients", "ada").towards_server()
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)hostname"):
        handshake(server, client, "elsewhere.example")


def test_a_client_cannot_pose_as_the_server(made):
    client = keys(made, "clients", "ada").towards_server()
    posing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    place = made / "clients" / "bob"
    posing.load_cert_chain(place / "cert.pem", place / "key.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(posing, client, HOST)


def test_dasks_ports_let_no_client_in(made):
    """What dask listens on trusts servers alone: its messages can run code."""
    security = keys(made, "server").among_servers()
    assert security.require_encryption
    inside = security.get_listen_args("scheduler")["ssl_context"]
    client = keys(made, "clients", "ada").towards_server(check_name=False)
    with pytest.raises(ssl.SSLError):
        handshake(inside, client, HOST)
    fellow = keys(made, "server").towards_server(check_name=False)
    assert handshake(inside, fellow, HOST)[0].role is Role.SERVER


@pytest.mark.parametrize("whose", ["none", "foreign", "self-made"])
def test_strangers_are_not_let_in(made, tmp_path, whose):
    server = keys(made, "server").towards_clients()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(made / "server" / "servers.pem")
    if whose != "none":
        make_keys(tmp_path, [HOST], ["ada"])
        place = tmp_path / ("clients/ada" if whose == "foreign" else "server")
        context.load_cert_chain(place / "cert.pem", place / "key.pem")
    with pytest.raises(ssl.SSLError):
        handshake(server, context, HOST)


def test_an_expired_certificate_is_refused(made, tmp_path, monkeypatch):
    make_keys(tmp_path, [HOST], ["ada"])
    signers = {role: authority._signer(tmp_path / "authority", role) for role in Role}
    place = tmp_path / "clients" / "ada"
    _, old = certificates.sign(Role.CLIENT, "ada", signers[Role.CLIENT], (), 365)
    key, expired = _expired(monkeypatch, signers[Role.CLIENT])
    assert old.not_valid_after_utc > expired.not_valid_after_utc
    (place / "key.pem").write_bytes(certificates.pem(key))
    (place / "cert.pem").write_bytes(certificates.pem(expired))
    server = keys(tmp_path, "server").towards_clients()
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(server, keys(tmp_path, "clients", "ada").towards_server(), HOST)


def _expired(monkeypatch, signer):
    import datetime

    monkeypatch.setattr(certificates, "_SKEW", datetime.timedelta(days=3))
    return certificates.sign(Role.CLIENT, "ada", signer, (), -1)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_nobody_else_can_read_any_of_it(made):
    for path in made.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_authorities_keys_go_nowhere(made):
    names = {path.name for path in made.rglob("*-key.pem")}
    assert names == {"servers-key.pem", "clients-key.pem"}
    assert {path.parent.name for path in made.rglob("*-key.pem")} == {"authority"}
    given = {path.name for path in (made / "clients" / "ada").iterdir()}
    assert given == {"cert.pem", "key.pem", "servers.pem"}


@pytest.mark.parametrize(
    ("again", "new"),
    [
        ({}, {"server": False, "ada": False}),
        ({"clients": ["ada"]}, {"server": False, "ada": False}),
        ({"clients": ["eve"]}, {"server": False, "ada": False, "eve": True}),
        ({"hosts": ["other"]}, {"server": True, "ada": False}),
        ({"renew": True}, {"server": True, "ada": True}),
    ],
)
def test_asked_again_it_makes_what_is_due_alone(tmp_path, again, new):
    make_keys(tmp_path, [HOST], ["ada"])
    before = (tmp_path / "clients" / "ada" / "key.pem").read_bytes()
    issued = make_keys(tmp_path, **again)
    assert {one.name: one.new for one in issued} == new
    after = (tmp_path / "clients" / "ada" / "key.pem").read_bytes()
    assert (before != after) == new["ada"]
    server = keys(tmp_path, "server").towards_clients()
    handshake(server, keys(tmp_path, "clients", "ada").towards_server(), "localhost")


def test_what_expires_soon_is_renewed_unasked(tmp_path):
    make_keys(tmp_path, [HOST], ["ada"], days=10)
    issued = make_keys(tmp_path)
    assert all(one.new for one in issued)
    assert not any(one.new for one in make_keys(tmp_path))


def test_a_revoked_client_is_on_the_list_that_the_server_reads(tmp_path):
    make_keys(tmp_path, [HOST], ["ada", "bob"])
    server = keys(tmp_path, "server")
    assert server.revoked() == frozenset()
    ada = keys(tmp_path, "clients", "ada").towards_server()
    seen, _ = handshake(server.towards_clients(), ada, HOST)
    revoke(tmp_path, "ada")
    assert server.revoked() == {seen.serial}
    assert not (tmp_path / "clients" / "ada").exists()
    revoke(tmp_path, "bob")
    assert len(server.revoked()) == 2
    with pytest.raises(NotFoundError, match="no client 'ada'"):
        revoke(tmp_path, "ada")


def test_a_list_that_cannot_be_read_lets_nobody_in(tmp_path):
    make_keys(tmp_path, [HOST], ["ada"])
    (tmp_path / "server" / "revoked.json").write_text("[]")
    with pytest.raises(UserError, match="revoked"):
        keys(tmp_path, "server").revoked()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", ".hidden", "x" * 80, "-a"])
def test_a_clients_name_is_a_plain_one(tmp_path, name):
    with pytest.raises(BadInputError, match="cannot name a client"):
        make_keys(tmp_path, [HOST], [name])
    assert list(tmp_path.iterdir()) == []


def _loosen(folder):
    (folder / "server" / "key.pem").chmod(0o644)


def _lose(folder):
    (folder / "server" / "clients.pem").unlink()


def _mix(folder):
    other = folder / "clients" / "ada" / "key.pem"
    (folder / "server" / "key.pem").write_bytes(other.read_bytes())


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (_loosen, "Others can read the private key"),
        (_lose, r"There is no clients\.pem"),
        (_mix, "cannot be used"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_keys_that_will_not_do_are_named(tmp_path, harm, sentence):
    make_keys(tmp_path, [HOST], ["ada"])
    harm(tmp_path)
    with pytest.raises(UserError, match=sentence):
        Keys.find(tmp_path / "server", server=True).towards_clients()


def test_the_usual_place_can_be_named(made, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(made / "clients" / "ada"))
    assert Keys.find().folder == made / "clients" / "ada"
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(UserError, match="lgssl keys"):
        Keys.find()


@pytest.mark.parametrize("kind", ["missing", "torn"])
def test_an_authority_without_its_key_says_so(tmp_path, kind):
    make_keys(tmp_path, [HOST], ["ada"])
    secret = tmp_path / "authority" / "servers-key.pem"
    if kind == "missing":
        secret.unlink()
    else:
        secret.write_bytes(b"-----BEGIN PRIVATE KEY-----")
    with pytest.raises(BadInputError, match="bring the folder 'authority' back"):
        make_keys(tmp_path, renew=True)


def test_serials_are_kept_as_ssl_prints_them(tmp_path):
    """Compared as text: an odd number of digits must not slip through."""
    make_keys(tmp_path, [HOST], [f"c{n}" for n in range(12)])
    server = keys(tmp_path, "server")
    context = server.towards_clients()
    for n in range(12):
        client = keys(tmp_path, "clients", f"c{n}").towards_server()
        seen, _ = handshake(context, client, HOST)
        revoke(tmp_path, f"c{n}")
        listed = json.loads((server.folder / "revoked.json").read_bytes())["serials"]
        assert seen.serial in listed
