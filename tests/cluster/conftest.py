"""Projects to hand in, and real servers to hand them in to."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from src_core.cluster.authority import make_keys
from src_core.cluster.keyring import Keys
from src_core.store import Project
from src_core.types import MaskStatus, Source, SourceKind, Split

ROOT = Path(__file__).parents[2]
PROGRAM = "from src_core.cli import main; main()"
# Whatever Python opens in any process of a server is written down here.
WATCH = """
import os, sys
log = os.open(os.environ["LGSSL_TEST_AUDIT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
names = {"open", "os.listdir", "os.scandir", "os.chdir", "os.mkdir", "os.rename"}
def note(event, found):
    if event in names and found and isinstance(found[0], (str, bytes)):
        os.write(log, os.fsencode(os.path.abspath(found[0])) + b"\\n")
sys.addaudithook(note)
"""
NOBODY = 65534


def _rounds():
    """The small projects of the rounds' tests: discs and bars."""
    path = Path(__file__).parents[1] / "rounds" / "conftest.py"
    spec = importlib.util.spec_from_file_location("projects_of_rounds", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def rounds():
    return _rounds()


@pytest.fixture
def make_project(rounds, tmp_path):
    """A project whose every text could give a patient or a colleague away."""

    def make(name="project", **counts):
        splits = {Split.TRAIN: 6, Split.VAL: 3, Split.TEST: 3} | counts
        with Project.create(tmp_path / name, "Ward 7", who="dr-secret") as project:
            rounds.fill(project, splits, labelled=4)
            drawn, masks = rounds.draw(77)
            image, _ = project.add_image(
                drawn,
                name="Doe^Jane 1970-01-01.png",
                axes="yx",
                group="Jane Doe",
                caption="Jane Doe, seen on Monday",
                who="dr-secret",
            )
            project.save_mask(
                image.id,
                "disc",
                masks["disc"],
                who="dr-secret",
                status=MaskStatus.FLAGGED,
                note="ask Mr. Doe",
            )
            project.save_mask(
                image.id,
                "bar",
                masks["bar"] * 0,
                who="dr-secret",
                status=MaskStatus.EMPTY,
                source=Source(SourceKind.MODEL, "secret-model", "the secret bar"),
            )
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, ["localhost"], ["ada", "bob"])
    return folder


@pytest.fixture(scope="session")
def ada(key_folder):
    return Keys.find(key_folder / "clients" / "ada")


def until(condition, seconds=90.0, what="waited in vain"):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


class Machine:
    """Another computer: its own home, its own account where we may choose one.

    Where the tests run as root its processes run as nobody, who cannot enter the
    folders of a client at all. Everywhere it is written down what they open.
    """

    def __init__(self, key_folder: Path, name: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"lgssl-{name}-"))
        self.area, self.keys = self.home / "area", self.home / "keys"
        self.audit, self.log = self.home / "opened", self.home / "log"
        watch = self.home / "watch"
        watch.mkdir()
        (watch / "sitecustomize.py").write_text(WATCH)
        subprocess.run(["cp", "-r", key_folder / "server", self.keys], check=True)
        self.area.mkdir(mode=0o700)
        self.others = os.name == "posix" and os.geteuid() == 0
        if self.others:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("LGSSL")},
            "HOME": str(self.home),
            "PYTHONPATH": f"{watch}{os.pathsep}{ROOT}",
            "LGSSL_TEST_AUDIT": str(self.audit),
            "OMP_NUM_THREADS": "1",
        }
        self.process: subprocess.Popen[str] | None = None
        self.facts: dict[str, object] = {}

    def run(self, *arguments: object) -> dict[str, object]:
        """Start the program and wait until it says that it is ready."""
        account = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *map(str, arguments), "--json"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.home,
                env=self.environment,
                start_new_session=True,
                **(account if self.others else {}),
            )
        line = self.process.stdout.readline()
        assert line, self.log.read_text()[-3000:]
        self.facts = json.loads(line)
        return self.facts

    def serve(self, port: int, *more: object) -> str:
        """Start a server; return its address."""
        arguments = ("--keys", self.keys, "--area", self.area, *more)
        return str(
            self.run("serve", "--listen", f"127.0.0.1:{port}", *arguments)["address"]
        )

    def family(self) -> list[psutil.Process]:
        """Its processes that are still alive, the first one first."""
        try:
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def trainers(self) -> list[psutil.Process]:
        """The worker processes."""
        return [p for p in self.family()[1:] if "spawn_main" in " ".join(p.cmdline())]

    def opened(self) -> set[str]:
        """Every path that one of its processes has opened."""
        return (
            set(self.audit.read_text().splitlines()) if self.audit.exists() else set()
        )

    def kill(self) -> None:
        """As a power cut would: all of it, at once."""
        if self.process is not None:
            for one in reversed(self.family()):
                one.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def end(self) -> int:
        """Ask it to end, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process = None
        return code


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def machine(key_folder: Path, name: str):
    made = Machine(key_folder, name)
    try:
        yield made
    finally:
        made.kill()
        subprocess.run(["rm", "-rf", made.home], check=False)


@pytest.fixture(scope="session")
def harness():
    """What the tests with real processes use."""

    class Harness:
        Machine = staticmethod(machine)
        free_port = staticmethod(free_port)
        until = staticmethod(until)

    return Harness


@pytest.fixture(scope="module")
def server(key_folder):
    """A running server with one worker, shared by a module's tests."""
    with machine(key_folder, "server") as made:
        made.port = free_port()
        made.address = made.serve(made.port, "--workers", 1)
        yield made
