"""The process beside the window: results, errors, and how it ends."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import psutil
import pytest

from lgssl_napari.edits import edited
from lgssl_napari.helper import HelperProcess, HelperThread
from src_core.errors import (
    ConflictError,
    JobError,
    JobLostError,
    MissingExtraError,
    NotFoundError,
    OutOfMemoryError,
)

CAUSES = {
    "user": "raise NotFoundError('There is no such image; check the name.')",
    "conflict": "raise ConflictError('a', 'b', 1, 2)",
    "extra": "raise MissingExtraError('Reading DICOM', 'dicom')",
    "memory": "raise MemoryError",
    "gpu": "raise RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')",
    "cpu": "raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory')",
    "fault": "raise ValueError('no such thing\\nand more')",
    "unsendable": "return lambda: None",
    "death": "os._exit(9)",
    "printing": "print('hello'); return 5",
    "slow": "return [(report(n, 5), time.sleep(0.15)) for n in range(1, 6)] and 7",
    "endless": "time.sleep(600)",
}


@pytest.fixture(scope="module")
def helper(tmp_path_factory):
    """A running process, with a module of its own to call."""
    folder = tmp_path_factory.mktemp("calls")
    lines = "\n".join(f"def {name}():\n    {body}\n" for name, body in CAUSES.items())
    begin = "import os, time\nfrom lgssl_napari.telling import report\n"
    code = f"{begin}from src_core.errors import *\n{lines}"
    (folder / "helper_calls.py").write_text(code)
    sys.path.insert(0, str(folder))
    made = HelperProcess()
    yield made
    made.close()
    sys.path.remove(str(folder))
    sys.modules.pop("helper_calls", None)


def call(name: str):
    import helper_calls

    return getattr(helper_calls, name)


def test_arrays_go_there_and_back(helper) -> None:
    ring = np.ones((9, 9), np.uint8)
    ring[3:6, 3:6] = 0
    filled = helper.call(edited, "fill", ring)
    assert filled.all()
    assert not ring.all()
    assert HelperThread().call(edited, "fill", ring).all()


def test_it_is_another_process_and_stays_the_same_one(helper) -> None:
    first, second = helper.call(os.getpid), helper.call(os.getpid)
    assert first == second == helper.pid
    assert first != os.getpid()


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        ("user", NotFoundError, "There is no such image; check the name."),
        ("conflict", ConflictError, "was changed meanwhile"),
        ("extra", MissingExtraError, "pip install 'lgssl-napari[dicom]'"),
        ("memory", OutOfMemoryError, "more memory than there is"),
        ("gpu", OutOfMemoryError, "more memory than there is"),
        ("cpu", OutOfMemoryError, "more memory than there is"),
        ("fault", JobError, "ValueError: no such thing Nothing saved is lost"),
        ("unsendable", JobError, "Nothing saved is lost"),
    ],
)
def test_an_error_comes_back_as_a_sentence(helper, cause, kind, words) -> None:
    with pytest.raises(kind) as caught:
        helper.call(call(cause))
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "Traceback" in "".join(caught.value.__notes__)


def test_what_is_printed_there_does_not_disturb_it(helper) -> None:
    assert helper.call(call("printing")) == 5


def test_a_call_that_cannot_be_sent_does_not_disturb_it(helper) -> None:
    with pytest.raises((AttributeError, TypeError), match=r"pickle|local"):
        helper.call(lambda: None)
    assert helper.call(os.getpid) == helper.pid


def test_a_process_that_dies_is_told_and_another_begins(helper) -> None:
    before = helper.call(os.getpid)
    with pytest.raises(JobLostError, match="Nothing that you drew is lost"):
        helper.call(call("death"))
    assert helper.call(os.getpid) != before


def test_one_that_died_between_two_calls_costs_none_of_them(helper) -> None:
    before = psutil.Process(helper.call(os.getpid))
    before.kill()
    while before.is_running() and before.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert helper.call(os.getpid) != before.pid
    gc.collect()  # pipes that were left open would be told of here


def test_it_gives_way_to_the_window(helper) -> None:
    niceness = psutil.Process(helper.call(os.getpid)).nice()
    if sys.platform == "win32":
        assert niceness == psutil.BELOW_NORMAL_PRIORITY_CLASS
    else:
        assert niceness >= max(5, psutil.Process().nice())


def test_closing_ends_it_in_the_middle_of_a_call() -> None:
    helper = HelperProcess()
    helper.call(os.getpid)
    pid, raised = helper.pid, []

    def wait() -> None:
        try:
            helper.call(time.sleep, 60)
        except JobLostError as error:
            raised.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.2)
    helper.close()
    waiting.join(10)
    assert raised
    assert not psutil.pid_exists(pid)
    with pytest.raises(JobLostError, match="closing"):
        helper.call(os.getpid)


def test_it_ends_with_a_window_that_was_killed(tmp_path) -> None:
    script = """
        import os, signal
        from lgssl_napari.helper import HelperProcess
        helper = HelperProcess()
        print(helper.call(os.getpid), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    pid = int(done.stdout)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], 10)
    assert not psutil.pid_exists(pid)


def test_the_callers_main_module_is_not_run_again(tmp_path) -> None:
    script = tmp_path / "window.py"
    script.write_text(
        "import os\nprint('main')\n"
        "from lgssl_napari.helper import HelperProcess\n"
        "helper = HelperProcess()\nhelper.call(os.getpid)\nhelper.close()\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout.split() == ["main"]


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_how_far_a_call_has_got_is_heard(helper, kind) -> None:
    heard = []
    where = helper if kind == "process" else HelperThread()
    told = where.call(call("slow"), told=lambda *words: heard.append(words))
    assert told == 7
    assert heard == [(n, 5) for n in range(1, 6)]
    assert where.call(call("slow")) == 7  # and nobody has to listen


def test_a_call_can_be_given_up_and_no_other_one_is(helper) -> None:
    ended = []

    def work() -> None:
        try:
            helper.call(call("endless"))
        except JobLostError as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while helper._at is None:
        time.sleep(0.01)
    helper.stop(call("slow"))
    thread.join(0.3)
    assert thread.is_alive()
    helper.stop(call("endless"))
    thread.join(30)
    assert len(ended) == 1
    assert helper.call(call("printing")) == 5
    helper.stop(call("printing"))  # which is over
    assert helper.call(call("printing")) == 5
