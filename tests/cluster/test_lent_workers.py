"""A machine that is lent to a server: it fetches, trains, hands in, and may die."""

from __future__ import annotations

import json
import threading

import pytest

from src_core.cluster.link import Server
from src_core.cluster.remote import RemoteEngine
from src_core.cluster.training import start_training
from src_core.rounds import RoundRequest
from src_core.store import Project


@pytest.fixture(scope="module")
def hub(key_folder, harness):
    """A server without workers of its own, that lets others' join."""
    with harness.Machine(key_folder, "hub") as made:
        made.port = harness.free_port()
        inside = f"127.0.0.1:{harness.free_port()}"
        made.address = made.serve(made.port, "--workers", 0, "--workers-listen", inside)
        yield made


def lend(machine, hub):
    machine.environment["LGSSL_HAND_IN_SECONDS"] = "0.5"
    return machine.run(
        "worker", "--scheduler", hub.address, "--keys", machine.keys,
        "--area", machine.area, "--workers", 1,
    )  # fmt: skip


def test_a_lent_machine_dies_and_another_goes_on_where_it_was(
    client, hub, key_folder, harness
):
    heard: list[dict] = []

    def step() -> int:
        steps = [e["step"] for e in list(heard) if e["kind"] == "progress"]
        return steps[-1] if steps else 0

    def told(text: str) -> bool:
        return any(text in e.get("text", "") for e in list(heard))

    settings = json.loads(client.settings.read_bytes())
    asked = RoundRequest.model_validate(
        {"settings": settings, "device": "cpu", "steps": 100_000}
    )
    engine = RemoteEngine(Server(hub.address, client.keys))
    results: list[dict] = []
    with Project.open(client.project, mode="rw") as project:
        training = start_training(project, asked, engine, "ada", on_event=heard.append)
        waiting = threading.Thread(target=lambda: results.append(training.result()))
        waiting.start()
        harness.until(lambda: told("waits for a worker"))
        with harness.Machine(key_folder, "first") as first:
            assert lend(first, hub)["workers"] == 1
            harness.until(lambda: step() >= 4)
            (job,) = [p.name for p in (hub.area / "jobs").iterdir()]
            record = hub.area / "jobs" / job / "job.json"
            harness.until(lambda: json.loads(record.read_bytes())["checkpoint"])
            before = step()
            assert any(str(first.area) in path for path in first.opened())
            assert not any(str(hub.area) in path for path in first.opened())
            first.kill()  # the whole machine, its disk with it
        with harness.Machine(key_folder, "second") as second:
            lend(second, hub)
            count = len(heard)
            harness.until(
                lambda: any(e["kind"] == "progress" for e in list(heard)[count:])
            )
            resumed = next(e["step"] for e in heard[count:] if e["kind"] == "progress")
            # Not from nothing: from what the first had handed in.
            assert resumed >= 4
            assert before >= 4
            training.stop()
            waiting.join(timeout=300)
    (result,) = results
    assert result["stopped"] is True
    assert result["steps"] >= resumed


def test_a_server_that_wants_no_other_machines_says_so(server, key_folder, harness):
    with (
        harness.Machine(key_folder, "unwanted") as machine,
        pytest.raises(AssertionError, match="takes no workers of other machines"),
    ):
        lend(machine, server)


def test_a_clients_certificate_lends_nothing(server, key_folder, harness):
    with harness.Machine(key_folder, "posing") as machine:
        for path in (key_folder / "clients" / "ada").iterdir():
            (machine.keys / path.name).write_bytes(path.read_bytes())
        with pytest.raises(AssertionError, match="takes no workers of other machines"):
            lend(machine, server)
