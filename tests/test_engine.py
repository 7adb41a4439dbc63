"""The engine on a real worker process: events, stop, death, silence, sockets."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from src_core.engine import NICENESS, Engine
from src_core.errors import (
    BadInputError,
    ConflictError,
    JobError,
    JobLostError,
    OutOfMemoryError,
)
from src_core.jobs import Reporter, translate


def talk(job: str, count: int) -> int:
    reporter = Reporter(job)
    for n in range(count):
        reporter.tell({"kind": "note", "text": str(n)})
    return os.getpid()


def wait_for_stop(job: str) -> str:
    reporter = Reporter(job)
    reporter.tell({"kind": "note", "text": "waiting"})
    for _ in range(600):
        if reporter.should_stop():
            return "stopped"
        time.sleep(0.05)
    return "never asked"


def sleep_silently(job: str, seconds: float) -> int:
    Reporter(job).tell({"kind": "pid", "text": str(os.getpid())})
    time.sleep(seconds)
    return 0


def surroundings(job: str) -> tuple[int, str | None]:
    return psutil.Process().nice(), os.environ.get("MALLOC_TRIM_THRESHOLD_")


def fail(job: str, kind: str) -> None:
    if kind == "conflict":
        raise ConflictError("im", "lung", 1, 2)
    raise {"user": BadInputError, "memory": MemoryError, "bug": ZeroDivisionError}[
        kind
    ](f"{kind} said this.")


@pytest.fixture(scope="module")
def engine():
    with Engine() as started:
        yield started


def _until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_job_runs_in_another_process_and_is_heard_in_order(engine):
    heard = []
    job = engine.submit(talk, 5, on_event=heard.append)
    assert job.result() != os.getpid()
    _until(lambda: len(heard) == 5)
    assert [event["text"] for event in heard] == list("01234")


@pytest.mark.skipif(os.name != "posix", reason="priorities are numbers on POSIX only")
def test_a_worker_gives_way_to_the_window_and_keeps_its_memory(engine):
    niceness, trim = engine.submit(surroundings).result()
    assert niceness >= NICENESS
    assert trim == os.environ.get("MALLOC_TRIM_THRESHOLD_")


def test_a_job_is_asked_to_stop_and_ends_with_what_it_has(engine):
    heard = []
    job = engine.submit(wait_for_stop, on_event=heard.append)
    _until(lambda: heard)
    assert not job.done
    job.stop()
    assert job.result() == "stopped"


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("user", BadInputError, "user said this"),
        ("conflict", ConflictError, "revision 2 stands"),
        ("memory", OutOfMemoryError, "needs more memory"),
        ("bug", JobError, "ZeroDivisionError"),
    ],
)
def test_what_a_job_raises_reaches_the_person_as_a_sentence(engine, kind, error, text):
    with pytest.raises(error, match=text):
        engine.submit(fail, kind).result()


def test_a_silent_worker_is_told_of(engine):
    job = engine.submit(sleep_silently, 4.0)
    with pytest.raises(JobLostError, match="has not answered"):
        job.result(silent=1.0)


def test_nothing_listens_beyond_this_machine(engine):
    engine.submit(talk, 1).result()
    here = psutil.Process()
    family = [here, *here.children(recursive=True)]
    listening = [
        connection.laddr.ip
        for process in family
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_a_killed_worker_is_told_of_and_its_job_is_not_begun_anew():
    heard = []
    with Engine() as engine:
        job = engine.submit(sleep_silently, 60.0, on_event=heard.append)
        _until(lambda: heard)
        os.kill(int(heard[0]["text"]), signal.SIGKILL)
        with pytest.raises(JobLostError, match="goes on from its last checkpoint"):
            job.result()
        assert len(heard) == 1
        # The engine is fit for the next job at once.
        assert engine.submit(talk, 1).result() > 0


def test_out_of_memory_on_a_gpu_is_recognised():
    error = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
    assert isinstance(translate(error), OutOfMemoryError)
