"""An import that is stopped, or killed, in the middle goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image as Picture

from src_core.store import Project

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals to a group")

COUNT = 150
BROKEN = 30


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for n in range(COUNT):
        pixels = np.random.default_rng(n).integers(0, 255, (16, 16)).astype(np.uint8)
        Picture.fromarray(pixels).save(folder / f"{n:03d}.png")
    (folder / f"{BROKEN:03d}.png").write_bytes(b"no picture")
    return folder


def lgssl(*arguments) -> subprocess.Popen[str]:
    # Two processes decode beside the one that writes: all of them get a Ctrl-C.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from src_core.cli import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on(tmp_path, files, how):
    root = tmp_path / "project"
    Project.create(root).close()
    running = lgssl("add", root, files)
    end = time.monotonic() + 120
    while len(os.listdir(root / "images")) < 10:
        assert time.monotonic() < end
        assert running.poll() is None
        time.sleep(0.005)
    os.killpg(running.pid, how)
    printed, told = running.communicate(timeout=60)
    assert printed == ""
    if how == signal.SIGINT:
        assert running.returncode == 130
        assert told.strip().endswith("the same command goes on from there.")
        assert "Traceback" not in told
    with Project.open(root) as project:
        before = {image.sha256 for image in project.images()}
    assert 5 <= len(before) < COUNT - 1
    printed, _ = lgssl("add", root, files).communicate(timeout=120)
    counted = json.loads(printed.splitlines()[-1])
    assert counted["added"] == COUNT - 1 - len(before)
    assert counted["known"] == len(before)
    (failed,) = counted["failed"]
    assert failed["file"].endswith(f"{BROKEN:03d}.png")
    with Project.open(root) as project:
        images = project.images()
        assert len(images) == len({image.sha256 for image in images}) == COUNT - 1
        assert len(os.listdir(root / "images")) == COUNT - 1
        assert os.listdir(root / "tmp") == []
        assert project.verify() == []


def test_processes_that_wait_for_work_say_nothing_of_a_ctrl_c():
    code = """if __name__ == "__main__":
    import signal, time
    from src_core.exchange.crew import Crew
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Crew(abs, abs, workers=2) as crew:
            assert [found for _, found in crew.run(range(-3, 0), 3)] == [3, 2, 1]
            print("idle", flush=True)
            time.sleep(60)
    except KeyboardInterrupt:
        pass
"""
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout.readline() == "idle\n"
    os.killpg(running.pid, signal.SIGINT)
    assert running.communicate(timeout=60) == ("", "")
