"""The same training on another machine, over TLS, with no folder in common."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading

import pytest

from discs_and_bars import draw
from src_core.checkpoints import list_models, load_model
from src_core.cluster.keyring import Keys
from src_core.cluster.left import Left, left_behind, write_note
from src_core.cluster.link import Link, Server
from src_core.cluster.remote import RemoteEngine
from src_core.cluster.training import start_training
from src_core.errors import NotFoundError, UserError
from src_core.rounds import RoundRequest, promoted, read_comparison
from src_core.store import Project
from src_core.types import MaskStatus


def request(client, **changes) -> RoundRequest:
    settings = json.loads(client.settings.read_bytes())
    return RoundRequest.model_validate(
        {"settings": settings, "device": "cpu", "steps": 6} | changes
    )


def run(client, server, rounds_request, heard=None):
    """Train there from Python; return the result and the bytes sent."""
    engine = RemoteEngine(Server(server.address, client.keys))
    with Project.open(client.project, mode="rw") as project:
        training = start_training(
            project, rounds_request, engine, "ada", on_event=heard
        )
        result = training.result()
        return result, training._job.sent


def test_the_same_model_comes_of_it_and_nothing_here_was_looked_into(client, server):
    shutil.copytree(client.project, client.home / "twin")
    result, _ = client.train(server.address, "--steps", 6)
    assert {"version", "method", "steps", "seconds", "promoted"} <= result.keys()
    assert (result["version"], result["steps"], result["labelled"]) == ("v1", 6, 5)

    client.project = client.home / "twin"
    twin, _ = client.train("", "--steps", 6)  # on this machine
    client.project = client.home / "project"
    assert twin["verdict"] == result["verdict"]
    assert [k["dice"] for k in twin["looks"]] == [k["dice"] for k in result["looks"]]
    card, weights = load_model(client.project / "models" / "v1")
    twin_card, twin_weights = load_model(client.home / "twin" / "models" / "v1")
    assert weights.keys() == twin_weights.keys()
    assert all(bool((weights[k] == twin_weights[k]).all()) for k in weights)
    compared = read_comparison(client.project / "models" / "v1")
    assert compared == read_comparison(client.home / "twin" / "models" / "v1")
    same = {"created": "", "seconds": 0.0}
    assert card.model_copy(update=same) == twin_card.model_copy(update=same)

    with Project.open(client.project) as project:
        assert promoted(project) == "v1"
        assert project.verify() == []
    assert left_behind(client.project) is None
    opened = server.opened()
    assert any(str(server.area) in path for path in opened)
    assert [path for path in opened if path.startswith(str(client.home))] == []
    # And it keeps nothing of the job but contents that may serve again.
    assert list((server.area / "work").iterdir()) == []
    assert list((server.area / "jobs").iterdir()) == []


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs a second account"
)
def test_the_server_could_not_look_into_the_clients_folder(client, server, harness):
    code = f"import os; os.listdir({str(client.project)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=harness.give_up_overriding,
    )
    assert "PermissionError" in done.stderr


def test_the_second_time_only_what_is_new_is_sent(client, server, make_project):
    client.project = make_project("other", start=500)
    _, first = run(client, server, request(client))
    with Project.open(client.project, mode="rw") as project:
        mask = draw(999)[1]["disc"]
        project.save_mask("im505.png", "disc", mask, status=MaskStatus.DONE)
        images = sum(
            path.stat().st_size for path in (client.project / "images").rglob("0")
            if path.is_file()
        )  # fmt: skip
    result, second = run(client, server, request(client, fresh=True))
    weights = (client.project / "models" / "v1" / "weights.safetensors").stat().st_size
    assert first > images * 0.7
    # The version that answers now is new there, too: its maker keeps no models.
    assert second - weights < first * 0.15
    assert result["labelled"] == 6


def test_what_is_told_there_is_told_here(client, server):
    heard = []
    run(client, server, request(client), heard.append)
    kinds = [event["kind"] for event in heard]
    assert {"phase", "device", "progress"} <= set(kinds)
    texts = [event.get("text", "") for event in heard]
    assert "unpacking the images" in texts
    last = [event for event in heard if event["kind"] == "progress"][-1]
    assert (last["step"], last["done"]) == (6, 1.0)


def test_a_training_is_ended_with_the_best_it_has_and_nobody_else_sees_it(
    client, server, key_folder, harness
):
    heard: list[dict] = []
    engine = RemoteEngine(Server(server.address, client.keys))
    bob = Keys.find(key_folder / "clients" / "bob")
    with Project.open(client.project, mode="rw") as project:
        asked = request(client, steps=100_000)
        training = start_training(project, asked, engine, "ada", on_event=heard.append)
        results: list[dict] = []
        waiting = threading.Thread(target=lambda: results.append(training.result()))
        waiting.start()
        harness.until(lambda: any(event["kind"] == "progress" for event in heard))
        left = left_behind(client.project)
        with Link(server.address, bob) as other:
            for method in ("GET", "DELETE"):
                with pytest.raises(NotFoundError, match="no such training of yours"):
                    other.ask(method, f"/v1/jobs/{left.job}")
        training.stop()
        waiting.join(timeout=300)
        (result,) = results
    assert result["stopped"] is True
    assert 0 < result["steps"] < 100_000


def test_the_command_line_ends_a_training_that_another_left(client, server, harness):
    first = client.start(server.address, "--steps", 100_000)
    harness.until(lambda: (left := left_behind(client.project)) and left.handed_in)
    first.kill()
    first.communicate()
    job = left_behind(client.project).job
    result, told = client.train(server.address, "--stop")
    assert "Following the training" in told
    assert result["stopped"] is True
    assert left_behind(client.project) is None
    assert not (server.area / "jobs" / job).exists()


def test_a_training_is_given_up(client, server, harness):
    first = client.start(server.address, "--steps", 100_000)
    harness.until(lambda: (left := left_behind(client.project)) and left.handed_in)
    first.kill()
    first.communicate()
    job = left_behind(client.project).job
    found, _ = client.train(server.address, "--abandon")
    assert found == {"given_up": server.address}
    assert left_behind(client.project) is None
    harness.until(lambda: not (server.area / "jobs" / job).exists())
    assert list_models(client.project / "models") == []
    again, _ = client.train(server.address, "--abandon")
    assert again == {"given_up": None}


def test_a_training_on_another_server_is_not_forgotten(client, server):
    left = Left(
        scheduler="tls://elsewhere:1",
        job="0" * 32,
        position=3,
        request="{}",
        since="2026-01-01",
        handed_in=True,
    )
    write_note(client.project, left)
    _, told = client.train(server.address, "--steps", 1, code=2)
    assert "tls://elsewhere:1" in told
    assert "--abandon" in told
    assert left_behind(client.project) == left


def test_what_fails_there_is_one_sentence_here(client, server):
    with Project.open(client.project, mode="rw") as project:
        for record in project.masks():
            project.save_mask(
                record.image,
                record.target,
                None,
                status=MaskStatus.UNLABELLED,
                parent=record.revision,
            )
    _, told = client.train(server.address, "--steps", 1, code=2)
    assert "no training image has a finished mask" in told
    assert "Traceback" not in told
    assert left_behind(client.project) is None


def test_where_nothing_answers_nothing_is_left(client, harness):
    address = f"tls://127.0.0.1:{harness.free_port()}"
    _, told = client.train(address, "--steps", 1, code=2)
    assert "does not answer" in told
    assert left_behind(client.project) is None


def test_a_server_runs_no_function_of_a_clients(client, server):
    engine = RemoteEngine(Server(server.address, client.keys))
    with pytest.raises(Exception, match="does not run 'print'"):
        engine.submit(print, "x")


def test_a_project_without_certificates_is_told_where_they_go(client, server):
    client.environment["LGSSL_KEYS"] = str(client.home / "nowhere")
    _, told = client.train(server.address, "--steps", 1, code=2)
    assert "'lgssl keys' made there" in told


def test_a_note_that_cannot_be_read_is_named(client):
    note = client.project / "jobs" / "remote.json"
    note.write_text('{"scheduler": 1}')
    with pytest.raises(UserError, match=r"remote\.json"):
        left_behind(client.project)
