"""Threads behind the controller: order inside a lane, none between lanes."""

from __future__ import annotations

import gc
import queue
import threading
import weakref

import pytest

from lgssl_napari.lanes import Lane, ThreadRunner


@pytest.fixture
def mail():
    """Calls on their way to the controller's thread."""
    return queue.SimpleQueue()


@pytest.fixture
def runner(mail):
    made = ThreadRunner(mail.put)
    yield made
    made.close()


def deliver(mail, count: int) -> None:
    for _ in range(count):
        mail.get(timeout=10)()


def unexpected(error: Exception) -> None:
    raise error


def test_a_lane_keeps_its_order(runner, mail) -> None:
    done: list[int] = []
    for number in range(20):
        runner.run(Lane.STORE, lambda n=number: n, done.append, unexpected)
    deliver(mail, 20)
    assert done == list(range(20))


def test_results_arrive_in_the_thread_that_delivers(runner, mail) -> None:
    threads = []
    runner.run(
        Lane.STORE,
        threading.current_thread,
        lambda worker: threads.extend([worker, threading.current_thread()]),
        unexpected,
    )
    deliver(mail, 1)
    assert threads[0] is not threads[1]
    assert threads[1] is threading.current_thread()
    assert threads[0].daemon


def test_a_prompt_does_not_wait_for_a_training(runner, mail) -> None:
    release, done = threading.Event(), []
    runner.run(Lane.TRAIN, lambda: release.wait(10), done.append, unexpected)
    runner.run(Lane.MODEL, lambda: "answer", done.append, unexpected)
    deliver(mail, 1)
    assert done == ["answer"]
    release.set()
    deliver(mail, 1)
    assert done == ["answer", True]


def test_an_error_arrives_as_one_and_the_lane_goes_on(runner, mail) -> None:
    heard: list[object] = []
    runner.run(Lane.STORE, lambda: 1 / 0, heard.append, heard.append)
    runner.run(Lane.STORE, lambda: "next", heard.append, unexpected)
    deliver(mail, 2)
    assert isinstance(heard[0], ZeroDivisionError)
    assert heard[1] == "next"


def test_nothing_is_heard_after_closing(runner, mail) -> None:
    heard: list[object] = []
    runner.run(Lane.STORE, lambda: "late", heard.append, unexpected)
    call = mail.get(timeout=10)
    runner.close()
    call()
    runner.run(Lane.STORE, lambda: "later", heard.append, unexpected)
    runner.post(lambda: heard.append("posted"))
    assert heard == []


def test_finished_work_is_let_go_of(runner, mail) -> None:
    class Window:
        def work(self) -> str:
            return "done"

    window = Window()
    gone = weakref.ref(window)
    runner.run(Lane.STORE, window.work, lambda _: None, unexpected)
    runner.run(Lane.STORE, lambda: None, lambda _: None, unexpected)
    deliver(mail, 2)
    del window
    gc.collect()
    assert gone() is None
