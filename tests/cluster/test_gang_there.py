"""Two workers of a server train together; one is killed; and who gets a place when."""

from __future__ import annotations

import asyncio
import json
import threading

import psutil
import pytest

from src_core.checkpoints import list_models
from src_core.cluster.link import Server
from src_core.cluster.places import Place, Places, place_of, worker_name
from src_core.cluster.remote import RemoteEngine
from src_core.cluster.training import start_training
from src_core.rounds import RoundRequest
from src_core.store import Project


@pytest.fixture(scope="module")
def two_workers(key_folder, harness):
    """A running server with two workers."""
    with harness.Machine(key_folder, "gang") as made:
        made.port = harness.free_port()
        made.address = made.serve(made.port, "--workers", 2)
        yield made


def test_a_gang_loses_a_worker_and_goes_on_by_itself(client, two_workers, harness):
    heard: list[dict] = []

    def steps() -> list[int]:
        return [e["step"] for e in list(heard) if e["kind"] == "progress"]

    def told(text: str) -> int:
        texts = [e.get("text", "") for e in list(heard)]
        return next((n for n, one in enumerate(texts, 1) if text in one), 0)

    settings = json.loads(client.settings.read_bytes())
    settings["train"]["batch"] = 8
    asked = RoundRequest.model_validate(
        {"settings": settings, "device": "cpu", "steps": 100_000, "ranks": 2}
    )
    engine = RemoteEngine(Server(two_workers.address, client.keys))
    results: list[dict] = []
    with Project.open(client.project, mode="rw") as project:
        training = start_training(project, asked, engine, "ada", on_event=heard.append)
        waiting = threading.Thread(target=lambda: results.append(training.result()))
        waiting.start()
        harness.until(lambda: steps() and steps()[-1] >= 4)
        assert told("2 × CPU")
        listening = {
            c.laddr.ip
            for p in two_workers.family()
            for c in psutil.Process(p.pid).net_connections()
            if c.status == "LISTEN"
        }
        assert listening == {"127.0.0.1"}
        two_workers.trainers()[-1].kill()
        harness.until(lambda: told("The worker died; the training goes on"))
        count, before = len(heard), max(steps())
        harness.until(lambda: any(e["kind"] == "progress" for e in list(heard)[count:]))
        again = next(e["step"] for e in heard[count:] if e["kind"] == "progress")
        assert again >= 4 - 2
        assert before >= 4
        training.stop()
        waiting.join(timeout=300)
    (result,) = results
    assert result["stopped"] is True
    (card,) = list_models(client.project / "models")
    assert card.settings.train.batch == 8


def test_more_ranks_than_workers_wait_and_let_others_pass(client, two_workers, harness):
    waits = client.start(two_workers.address, "--steps", 4, "--ranks", 3)
    notes: list[str] = []
    reading = threading.Thread(target=lambda: notes.extend(waits.stderr), daemon=True)
    reading.start()
    harness.until(lambda: any("waits for 3 workers" in line for line in notes))
    record = next((two_workers.area / "jobs").glob("*/job.json"))
    assert json.loads(record.read_bytes())["state"] == "waiting"
    waits.kill()
    waits.wait(timeout=60)
    reading.join(timeout=60)
    waits.stdout.close()
    waits.stderr.close()
    given_up, _ = client.train(two_workers.address, "--abandon")
    assert given_up == {"given_up": two_workers.address}
    harness.until(lambda: not list((two_workers.area / "jobs").iterdir()))


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


A, B, C = (Place(name, "127.0.0.1", "here") for name in "abc")
OTHER = Place("d", "127.0.0.1", "there")


def test_a_gang_is_of_one_network():
    async def try_it():
        places = Places(lambda: [A, B, OTHER])
        assert places.most() == 2
        async with places.take(1) as one, places.take(2) as two:
            return one, two

    one, two = run(try_it())
    assert (one, two) == ([OTHER], [A, B])  # the larger network was kept whole


def test_places_are_given_in_the_order_of_asking():
    async def try_it():
        got = []
        places = Places(lambda: [A, B])

        async def job(name, count):
            async with places.take(count):
                got.append(name)
                await asyncio.sleep(0.01)

        async with places.take(1):
            jobs = []
            for name, count in (("gang", 2), ("single", 1), ("too many", 3)):
                jobs.append(asyncio.create_task(job(name, count)))
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            assert got == []  # the single one does not overtake the gang
        await asyncio.gather(*jobs[:2])
        assert got == ["gang", "single"]
        jobs[2].cancel()
        async with places.take(2) as free:
            return free

    assert run(try_it()) == [A, B]


def test_a_worker_that_goes_and_one_that_comes():
    async def try_it():
        workers = [A]
        places = Places(lambda: list(workers))
        waiting = asyncio.create_task(places.take(2).__aenter__())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        workers.append(C)
        assert await waiting == [A, C]
        workers.remove(A)
        assert places.alive() == {"c"}

    run(try_it())


@pytest.mark.parametrize(
    ("ranks_host", "expected"),
    [
        (None, Place("w", "127.0.0.1", "10.0.0.7")),
        ("192.168.9.4", Place("w", "192.168.9.4", "")),
    ],
)
def test_without_a_network_of_their_own_ranks_stay_on_one_machine(ranks_host, expected):
    assert place_of("w", worker_name(ranks_host, "1"), "10.0.0.7") == expected


def test_a_worker_of_another_making_is_one_of_its_machine():
    assert place_of("w", 3, "10.0.0.7") == Place("w", "127.0.0.1", "10.0.0.7")
