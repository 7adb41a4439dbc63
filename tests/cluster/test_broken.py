"""Killed, cut off and started anew in the middle: nothing is lost, and it is told."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress

import pytest

from src_core.checkpoints import list_models
from src_core.cluster.left import Left, left_behind, write_note
from src_core.cluster.link import Server
from src_core.cluster.remote import RemoteEngine
from src_core.cluster.training import start_training
from src_core.errors import JobLostError
from src_core.rounds import RoundRequest
from src_core.store import Project


class Follower:
    """A training followed in a thread, as the window does it."""

    def __init__(self, client, address, *, timeout=5.0, patience=300.0, **changes):
        self.heard: list[dict] = []
        self.result = self.error = None
        self.engine = RemoteEngine(Server(address, client.keys, timeout, patience))
        settings = json.loads(client.settings.read_bytes())
        self.request = RoundRequest.model_validate(
            {"settings": settings, "device": "cpu", "steps": 100_000} | changes
        )
        self.client = client
        self.training = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            with Project.open(self.client.project, mode="rw") as project:
                self.training = start_training(
                    project,
                    self.request,
                    self.engine,
                    "ada",
                    on_event=self.heard.append,
                )
                self.result = self.training.result()
        except Exception as error:
            self.error = error

    def step(self) -> int:
        steps = [e["step"] for e in list(self.heard) if e["kind"] == "progress"]
        return steps[-1] if steps else 0

    def told(self, text) -> bool:
        return any(text in e.get("text", "") for e in list(self.heard))

    def join(self):
        self.thread.join(timeout=600)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.result


def started_anew_at(follower) -> int:
    """The first step that was told after the last note."""
    events = list(follower.heard)
    notes = [n for n, e in enumerate(events) if e["kind"] == "note"]
    after = [e["step"] for e in events[notes[-1] :] if e["kind"] == "progress"]
    return after[0] if after else 0


def test_a_killed_worker_costs_what_it_did_since_its_checkpoint(
    client, server, harness
):
    follower = Follower(client, server.address)
    harness.until(lambda: follower.step() >= 4)
    before = follower.step()
    for process in server.trainers():
        process.kill()
    harness.until(lambda: follower.told("The worker died; the training goes on"))
    harness.until(lambda: started_anew_at(follower) > 0)
    assert started_anew_at(follower) >= before - 2
    follower.training.stop()
    result = follower.join()
    assert result["stopped"] is True
    assert result["steps"] >= before
    with Project.open(client.project) as project:
        assert project.verify() == []


def test_a_killed_server_goes_on_with_the_training_when_it_is_back(
    client, key_folder, harness
):
    with harness.Machine(key_folder, "mortal") as machine:
        port = harness.free_port()
        address = machine.serve(port, "--workers", 1)
        follower = Follower(client, address)
        harness.until(lambda: follower.step() >= 4)
        before = follower.step()
        machine.kill()
        harness.until(lambda: follower.told("What runs there goes on. Trying again."))
        machine.serve(port, "--workers", 1)
        harness.until(lambda: follower.told("answers again"))
        harness.until(lambda: follower.told("The server was started anew"))
        harness.until(lambda: started_anew_at(follower) > 0)
        assert started_anew_at(follower) >= before - 2
        follower.training.stop()
        assert follower.join()["steps"] >= before
        assert machine.end() == 0  # asked to, it ends well


def test_a_killed_command_finds_its_job_again(client, server, harness):
    first = client.start(server.address, "--steps", 12, "--seed", 3)
    left = harness.until(
        lambda: (n := left_behind(client.project)) and n.handed_in and n
    )
    first.kill()
    first.communicate()
    # Meanwhile the person goes on labelling, and asks with other options.
    with Project.open(client.project, mode="rw") as project:
        project.add_target("spot", who="ada")
    result, told = client.train(server.address, "--steps", 50, "--method", "lg-ssl")
    assert "Following the training" in told
    assert (result["method"], result["steps"]) == ("supervised", 12)
    assert result["position"] == left.position
    (card,) = list_models(client.project / "models")
    assert card.settings.seed == 3
    assert left_behind(client.project) is None


def test_a_window_that_closes_lets_the_job_go_on(client, server, harness):
    follower = Follower(client, server.address)
    harness.until(lambda: follower.step() >= 1)
    follower.engine.close()
    with pytest.raises(JobLostError, match="goes on at"):
        follower.join()
    again = Follower(client, server.address, steps=1)
    harness.until(lambda: again.step() > follower.step())
    assert again.told("Following the training")
    again.training.stop()
    assert again.join()["stopped"] is True


def test_a_server_that_stays_away_is_told_of_and_nothing_is_lost(
    client, server, harness, wire
):
    follower = Follower(client, wire.address, timeout=2.0, patience=1.0)
    harness.until(lambda: follower.step() >= 1)
    wire.silent = True
    with pytest.raises(JobLostError, match="Nothing is lost"):
        follower.join()
    assert follower.told("does not answer")
    assert left_behind(client.project).handed_in is True
    wire.silent = False
    again = Follower(client, wire.address)
    harness.until(lambda: again.step() >= 1)
    again.training.stop()
    assert again.join()["stopped"] is True


def test_a_wish_that_never_got_there_is_not_followed_instead_of_the_next(
    client, server
):
    """Killed while it was sent: the next one counts, with what was labelled since."""
    left = Left(
        scheduler=server.address,
        job="0" * 32,
        position=3,
        request="{}",
        since="2026-01-01",
    )
    write_note(client.project, left)
    follower = Follower(client, server.address, steps=3)
    assert follower.join()["steps"] == 3
    assert not follower.told("Following")


def test_a_training_that_the_server_forgot_is_said_to_be_gone(client, server):
    left = Left(
        scheduler=server.address,
        job="1" * 32,
        position=3,
        request="{}",
        since="2026-01-01",
        handed_in=True,
    )
    write_note(client.project, left)
    follower = Follower(client, server.address, steps=3)
    assert follower.join()["steps"] == 3
    assert follower.told("no longer knows the training of 2026-01-01")


class Wire:
    """A line between two machines that can be cut, and go silent."""

    def __init__(self, port: int) -> None:
        self.port, self.silent, self.limit = port, False, 1 << 60
        self.passed, self.down = 0, False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"tls://127.0.0.1:{self._listening.getsockname()[1]}"

    def cut(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:
                return
            if self.down:
                here.close()
                continue
            there = socket.create_connection(("127.0.0.1", self.port))
            self._open += [here, there]
            for source, sink in ((here, there), (there, here)):
                threading.Thread(
                    target=self._pass, args=(source, sink, source is here), daemon=True
                ).start()

    def _pass(self, source, sink, upwards) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                while self.silent:
                    time.sleep(0.05)
                if upwards:
                    self.passed += len(data)
                    if self.passed > self.limit:
                        self.limit, self.down = 1 << 60, True
                        self.cut()
                        return
                sink.sendall(data)


@pytest.fixture
def wire(server):
    made = Wire(server.port)
    yield made
    made.silent = False
    made.close()


def test_a_line_cut_in_the_middle_of_sending_is_taken_up(
    client, server, harness, wire, make_project, monkeypatch
):
    monkeypatch.setattr("src_core.cluster.link.PIECE", 2_000)
    client.project = make_project("fresh", start=2_000)  # nothing of it is there yet
    wire.limit = 40_000
    follower = Follower(client, wire.address, timeout=2.0, steps=4)
    harness.until(lambda: follower.told("Trying again"))
    halfway = len(list((server.area / "blobs").glob("??/*")))
    wire.down = False
    assert follower.join()["steps"] == 4
    assert follower.told("answers again")
    assert len(list((server.area / "blobs").glob("??/*"))) > halfway
    # What had arrived was not sent again: the list is, and with it the questions.
    contents = sum(p.stat().st_size for p in client.project.rglob("c/0/0"))
    assert follower.training._job.sent < 40_000 + contents


def test_a_line_that_goes_silent_is_taken_up(client, server, harness, wire):
    follower = Follower(client, wire.address, timeout=2.0)
    harness.until(lambda: follower.step() >= 2)
    wire.silent = True
    harness.until(lambda: follower.told("What runs there goes on. Trying again."))
    before = follower.step()
    wire.silent = False
    harness.until(lambda: follower.told("answers again"))
    harness.until(lambda: follower.step() > before)
    wire.cut()  # and once more, while it waits for news
    harness.until(lambda: follower.step() > before + 3)
    follower.training.stop()
    result = follower.join()
    assert result["stopped"] is True


def test_rot_on_the_servers_disk_is_seen_and_sent_again(client, server, make_project):
    client.project = make_project("rot", start=3_000)
    Follower(client, server.address, steps=2).join()
    # What the next training needs has rotted meanwhile.
    (chunk,) = list((client.project / "images/im3000.png.ome.zarr/0/c").rglob("0"))[-1:]
    data = chunk.read_bytes()
    kept = [p for p in (server.area / "blobs").glob("??/*") if p.read_bytes() == data]
    assert len(kept) == 1
    kept[0].write_bytes(data[::-1])
    with pytest.raises(Exception, match="changed on the server's disk"):
        Follower(client, server.address, steps=2, fresh=True).join()
    assert Follower(client, server.address, steps=2, fresh=True).join()["steps"] == 2
