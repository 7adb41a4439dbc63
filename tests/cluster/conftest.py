"""Projects to hand in, and real servers to hand them in to."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from discs_and_bars import draw, fill, quick_request
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
WALLED = sys.platform == "linux" and os.geteuid() == 0


def _die_with_the_tests() -> None:
    """Be killed when whoever started us is, so that no server outlives its test."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def _give_up_overriding() -> None:
    """Let root, from now on, enter only what its permissions allow."""
    _die_with_the_tests()
    libc = ctypes.CDLL(None, use_errno=True)
    drop, override, search = 24, 1, 2
    for capability in (override, search):
        if libc.prctl(drop, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "a capability cannot be given up")


_PREPARE = _die_with_the_tests if sys.platform == "linux" else None
if WALLED:
    _PREPARE = _give_up_overriding


@pytest.fixture
def make_project(tmp_path):
    """A project whose every text could give a patient or a colleague away."""

    def make(name="project", start=0):
        splits = {Split.TRAIN: 6, Split.VAL: 3, Split.TEST: 3}
        with Project.create(tmp_path / name, "Ward 7", who="dr-secret") as project:
            fill(project, splits, labelled=4, start=start)
            drawn, masks = draw(77)
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


def until(condition, seconds=300.0, what="waited in vain"):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


FOREIGN = ("LGSSL", "PYTHONUNBUFFERED")
"""Not set elsewhere. Unbuffered, even a line that is never flushed would be seen."""


class Machine:
    """Another computer: its own home, and its own account where we may choose.

    Where the tests run as root its processes give up root's right to enter folders of
    others, to whom the clients' folders then belong. Everywhere it is written down
    what they open.
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
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)},
            "HOME": str(self.home),
            "PYTHONPATH": f"{watch}{os.pathsep}{ROOT}",
            "LGSSL_TEST_AUDIT": str(self.audit),
            "OMP_NUM_THREADS": "1",
        }
        self.process: subprocess.Popen[str] | None = None
        self.facts: dict[str, object] = {}

    def run(self, *arguments: object) -> dict[str, object]:
        """Start the program and wait until it says that it is ready."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *map(str, arguments), "--json"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.home,
                env=self.environment,
                start_new_session=True,
                preexec_fn=_PREPARE,
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


PORTS = range(20_000, 32_000)
"""Below those that systems give to whoever asks for any. One of these, found free, can
be taken by a connection of something else before the server comes to listen there."""


def free_port() -> int:
    """Return a port on which nothing listens, and which nobody is given unasked."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("none of a hundred ports is free")


@contextmanager
def machine(key_folder: Path, name: str):
    made = Machine(key_folder, name)
    try:
        yield made
    finally:
        made.kill()
        subprocess.run(["rm", "-rf", made.home], check=False)


class Client:
    """A workstation: its own home, a project, and one person's certificates."""

    def __init__(self, project: Path, keys: Keys, settings: Path) -> None:
        self.project, self.keys, self.settings = project, keys, settings
        self.home = project.parent
        self.environment = {
            **os.environ, "HOME": str(self.home), "LGSSL_KEYS": str(keys.folder)
        }  # fmt: skip
        if WALLED:  # from now on no server can enter
            os.chown(self.home, NOBODY, NOBODY)
        self.home.chmod(0o700)

    def start(self, address: str, *more: object) -> subprocess.Popen[str]:
        """Start a training there by the command line."""
        return subprocess.Popen(
            [
                sys.executable, "-c", PROGRAM, "train", str(self.project),
                "--scheduler", address, "--settings", str(self.settings),
                "--device", "cpu", "--json", *map(str, more),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            env=self.environment,
        )  # fmt: skip

    def train(self, address: str, *more: object, code: int = 0):
        """Train there by the command line; return the result, and what was told."""
        with self.start(address, *more) as process:
            out, told = process.communicate(timeout=600)
        assert process.returncode == code, told
        return (json.loads(out.splitlines()[-1]) if code == 0 else None), told


@pytest.fixture
def client(make_project, ada, tmp_path):
    """A workstation with a project that is quick to train."""
    settings = quick_request().settings
    often = settings.train.model_copy(update={"checkpoint_seconds": 0.2})
    path = tmp_path / "settings.json"
    path.write_text(settings.model_copy(update={"train": often}).model_dump_json())
    return Client(make_project(), ada, path)


@pytest.fixture(scope="session")
def harness():
    """What the tests with real processes use."""

    class Harness:
        Machine = staticmethod(machine)
        free_port = staticmethod(free_port)
        until = staticmethod(until)
        give_up_overriding = staticmethod(_give_up_overriding)

    return Harness


@pytest.fixture(scope="module")
def server(key_folder):
    """A running server with one worker, shared by a module's tests."""
    with machine(key_folder, "server") as made:
        made.port = free_port()
        made.address = made.serve(made.port, "--workers", 1)
        yield made
