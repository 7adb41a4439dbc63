"""Processes to kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import crash_writer
from src_core.store import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0


@dataclass
class Writers:
    """A warm process that forks the writers, one at a time."""

    process: subprocess.Popen[str]
    pid: int = 0
    ack: Path = field(default_factory=Path)
    read: int = 0

    def start(self, act: str, path: Path, ack: Path, *more: object) -> None:
        task = {"act": act, "path": str(path), "ack": str(ack), "more": more}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        self.pid = int(self.process.stdout.readline())
        self.ack = ack

    def kill(self) -> None:
        """End the writer as the system would: nothing runs after this."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.process.stdout.readline() == f"ended -{signal.SIGKILL.value}\n"

    def kill_if_alive(self) -> None:
        """End the writer, or take note that its disk went away under it."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        assert self.process.stdout.readline().startswith("ended ")

    def wait(self) -> None:
        assert self.process.stdout.readline() == "ended 0\n"

    def acknowledged(self) -> list[tuple[str, int, str]]:
        """What the writer said was done, up to now."""
        text = self.ack.read_text() if self.ack.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        lines = (line.split(" ", 2) for line in whole.splitlines())
        return [(verb, int(n), rest) for verb, n, rest in lines]

    def wait_for(self, enough: Callable[[list[tuple[str, int, str]]], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not enough(self.acknowledged()):
            assert time.monotonic() < end, "the writer does not answer"
            time.sleep(0.001)


def start_template() -> Writers:
    process = subprocess.Popen(
        [sys.executable, crash_writer.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
    )
    return Writers(process)


def end_template(writers: Writers) -> None:
    writers.process.stdin.close()
    writers.process.wait(timeout=PATIENCE)
    writers.process.stdout.close()


@pytest.fixture(scope="module")
def writers() -> Iterator[Writers]:
    writers = start_template()
    yield writers
    end_template(writers)


@pytest.fixture(scope="module")
def other_writers() -> Iterator[Writers]:
    writers = start_template()
    yield writers
    end_template(writers)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A closed project with one image and one target."""
    with Project.create(tmp_path / "project", who="ada") as project:
        pixels = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48)
        project.add_image(pixels, name="a", axes="yx")
        project.add_target("t")
        return project.path
