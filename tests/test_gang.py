"""Real tasks that train together: the same model, one killed, who listens."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import contextmanager

import psutil
import pytest

from discs_and_bars import fill, quick_request
from src_core.checkpoints import load_model
from src_core.cluster.training import start_training
from src_core.engine import Engine
from src_core.errors import JobLostError, OutOfMemoryError, UserError
from src_core.jobs import of_all
from src_core.rounds import RoundRequest
from src_core.store import Project
from src_core.types import Split


@pytest.fixture(scope="module")
def engine():
    with Engine() as started:
        yield started


@pytest.fixture
def folder(tmp_path):
    with Project.create(tmp_path / "a", "a", who="ada") as project:
        splits = {Split.TRAIN: 6, Split.VAL: 3}
        fill(project, splits, labelled=4)
    return tmp_path / "a"


def asked(**changes) -> RoundRequest:
    settings = quick_request().settings
    train = settings.train.model_copy(update={"batch": 8, "checkpoint_seconds": 0.2})
    settings = settings.model_copy(update={"train": train})
    plain = {"settings": settings.model_dump(), "device": "cpu", "steps": 4}
    return RoundRequest.model_validate(plain | changes)


def train(engine, folder, request, heard=None):
    with Project.open(folder, mode="rw") as project:
        on_event = None if heard is None else heard
        training = start_training(project, request, engine, "ada", on_event=on_event)
        return training.result()


def trainers() -> list[psutil.Process]:
    """The worker processes below this one."""
    mine = psutil.Process().children(recursive=True)
    return [p for p in mine if "spawn_main" in " ".join(p.cmdline())]


def test_two_tasks_give_the_model_that_one_gives(engine, folder):
    shutil.copytree(folder, folder.with_name("b"))
    listening: set[str] = set()

    def look(event):
        for process in trainers():
            listening.update(
                c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"
            )

    alone = train(engine, folder, asked())
    together = train(engine, folder.with_name("b"), asked(ranks=2), look)
    assert len(trainers()) >= 2
    assert listening == {"127.0.0.1"}
    same = ("version", "method", "steps", "labelled", "unlabelled", "promoted")
    assert [alone[key] for key in same] == [together[key] for key in same]
    (_, one), (card, two) = (
        load_model(folder.with_name(name) / "models" / "v1") for name in "ab"
    )
    assert card.settings.train.batch == 8
    for name, value in one.items():
        if value.is_floating_point() and "running" not in name:
            assert float((two[name] - value).norm() / (1 + value.norm())) < 2e-2


@contextmanager
def under_way(engine, folder):
    """A training that would take for ever, with the steps it has told."""
    steps: list[int] = []

    def note(event):
        if event["kind"] == "progress":
            steps.append(event["step"])

    with Project.open(folder, mode="rw") as project:
        request = asked(ranks=2, steps=100_000)
        training = start_training(project, request, engine, "ada", on_event=note)
        deadline = time.monotonic() + 120
        while not steps or steps[-1] < 4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield training, steps


@pytest.mark.parametrize("which", ["the first", "the second"])
def test_a_killed_one_is_told_of_and_the_next_goes_on(engine, folder, which):
    with under_way(engine, folder) as (training, _):
        processes = engine._client.run(os.getpid)
        gang = training._job._gang
        (second,) = gang._fellows
        victim = gang._first if which == "the first" else second
        os.kill(processes[victim], signal.SIGKILL)
        with pytest.raises(JobLostError, match=r"died.*last checkpoint"):
            training.result()
    with under_way(engine, folder) as (training, steps):
        training.stop()
        assert training.result()["stopped"] is True
    assert steps[0] >= 4 - 2
    assert not (folder / "jobs" / "train" / "job.json").exists()


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([JobLostError("cut off"), OutOfMemoryError("too large")], OutOfMemoryError),
        ([JobLostError("cut off"), MemoryError()], OutOfMemoryError),
        ([UserError("no masks"), UserError("no masks")], UserError),
        ([None, JobLostError("killed")], JobLostError),
        ([JobLostError("cut off"), None], JobLostError),
    ],
)
def test_of_several_errors_the_reason_is_told(errors, kind):
    assert type(of_all(errors)) is kind
