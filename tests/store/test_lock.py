"""One writer, and a lock that dies with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from filelock import SoftFileLock

from src_core.errors import LockedError, StoreError
from src_core.store import lock as lock_module
from src_core.store.lock import NOTE_NAME, ProjectLock, read_holder

HOLD = """
import sys, time
from pathlib import Path
from src_core.store.lock import ProjectLock
lock = ProjectLock(Path(sys.argv[1]), "grace")
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_is_told_who_is_first(tmp_path):
    first, second = ProjectLock(tmp_path, "ada"), ProjectLock(tmp_path, "bob")
    first.acquire()
    with pytest.raises(LockedError, match=rf"by ada \(process {os.getpid()} on"):
        second.acquire()
    second.release()
    assert read_holder(tmp_path).who == "ada"
    first.release()
    first.release()
    assert read_holder(tmp_path) is None
    second.acquire()
    assert read_holder(tmp_path).who == "bob"
    second.release()


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_a_killed_writer_leaves_no_lock_behind(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"held\n"
        lock = ProjectLock(tmp_path, "ada")
        with pytest.raises(LockedError, match="by grace"):
            lock.acquire()
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert read_holder(tmp_path).who == "grace"
    lock.acquire()
    assert read_holder(tmp_path).who == "ada"
    lock.release()


def test_it_is_given_back_from_another_thread(tmp_path):
    lock = ProjectLock(tmp_path, "ada")
    lock.acquire()
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    bobs = ProjectLock(tmp_path, "bob")
    bobs.acquire()
    assert read_holder(tmp_path).who == "bob"
    bobs.release()


@pytest.mark.parametrize(
    "note", [b"", b"[]", b"{}", b"\xff", json.dumps({"who": 1, "pid": "x"}).encode()]
)
def test_a_note_that_cannot_be_read_is_no_error(tmp_path, note):
    first = ProjectLock(tmp_path, "ada")
    first.acquire()
    (tmp_path / NOTE_NAME).write_bytes(note)
    with pytest.raises(LockedError, match="another process"):
        ProjectLock(tmp_path, "bob").acquire()
    first.release()


def test_a_disk_without_locks_is_refused(tmp_path, monkeypatch):
    """filelock's fallback would be a file that a killed process leaves behind."""
    monkeypatch.setattr(lock_module, "FileLock", SoftFileLock)
    with pytest.raises(StoreError, match="no file locks"):
        ProjectLock(tmp_path, "ada").acquire()
    assert list(tmp_path.iterdir()) == []


def test_an_account_without_a_name(monkeypatch):
    def fail() -> str:
        raise KeyError("uid")

    monkeypatch.setattr(lock_module.getpass, "getuser", fail)
    assert lock_module.user_name() == "unknown"
