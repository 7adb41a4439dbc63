"""How fast the labelled store is, and whether it slows down as history grows.

    python benchmarks/store.py [--commits 10000] [--masks 100000] [--folder DIR]

Prints three tables and leaves nothing behind: saving and reading a 256 x 256 mask
after 100, 1,000 and 10,000 commits, beside a plain zarr folder (no history, no audit
row, no fsync); opening a project with 100,000 masks; a second process that reads a
snapshot while this one saves.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import numpy as np
import zarr
from rich.console import Console
from rich.table import Table
from zarr.codecs import ZstdCodec
from zarr.storage import LocalStore

from src_core.store import Change, Ledger, Project, masks, records
from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHAPE = (256, 256)
IMAGES, TARGETS = 50, 4
DONE = MaskStatus.DONE

READER = """
import sys, time
from src_core.store import Project
import hashlib
with Project.open(sys.argv[1], at=int(sys.argv[2])) as project:
    names = [(r.image, r.target) for r in project.masks()]
    print("ready", flush=True)
    seen, reads, end = set(), 0, time.perf_counter() + float(sys.argv[3])
    while time.perf_counter() < end:
        digest = hashlib.sha256()
        for name in names:
            digest.update(project.mask(*name).read())
            reads += 1
        seen.add(digest.hexdigest())
    print(len(seen), reads / float(sys.argv[3]), flush=True)
"""


def blob(n: int) -> np.ndarray:
    """A drawn region, another one for each n."""
    rng = np.random.default_rng(n)
    y, x = np.indices(SHAPE)
    cy, cx = rng.integers(60, 200, 2)
    radius = rng.integers(15, 60)
    angle = np.arctan2(y - cy, x - cx)
    wobble = 1 + 0.2 * np.sin(angle * rng.integers(2, 7) + rng.random())
    return (np.hypot(y - cy, x - cx) < radius * wobble).astype(np.uint8)


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """The 50th and 95th, in milliseconds."""
    p50, p95 = np.percentile(np.array(seconds) * 1000, [50, 95])
    return float(p50), float(p95)


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def best(action: Callable[[], object], times: int = 9) -> float:
    """The median of several runs, in milliseconds."""
    return float(np.median([timed(action) for _ in range(times)]) * 1000)


def size_of(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


class OurStore:
    """The project: every save a durable revision."""

    name = "ledger"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.project = Project.create(path, who="ada")
        for n in range(IMAGES):
            pixels = np.full(SHAPE, n, np.uint8)
            self.project.add_image(pixels, name=f"i{n}", axes="yx")
        for n in range(TARGETS):
            self.project.add_target(f"t{n}")
        self.parents: dict[tuple[str, str], int] = {}
        self.start = self.bytes()

    def bytes(self) -> int:
        self.project.ledger.database.connection.wal_checkpoint()
        return (self.path / "ledger.sqlite").stat().st_size

    def save(self, image: str, target: str, mask: np.ndarray) -> None:
        row = self.project.save_mask(
            image,
            target,
            mask,
            status=DONE,
            parent=self.parents.get((image, target)),
        )
        self.parents[image, target] = row.number

    def read(self, image: str, target: str) -> np.ndarray:
        return self.project.mask(image, target).read()

    def open(self) -> None:
        with Project.open(self.path) as project:
            project.mask("i0", "t0")


class PlainZarr:
    """A folder of zarr arrays: the newest mask only."""

    name = "zarr LocalStore"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = LocalStore(path)
        root = zarr.open_group(self.store, mode="w")
        for i in range(IMAGES):
            for t in range(TARGETS):
                root.create_array(
                    f"i{i}/t{t}",
                    shape=SHAPE,
                    chunks=SHAPE,
                    dtype="uint8",
                    compressors=ZstdCodec(level=3),
                )
        self.start = self.bytes()

    def bytes(self) -> int:
        return size_of(self.path)

    def save(self, image: str, target: str, mask: np.ndarray) -> None:
        zarr.open_array(self.store, path=f"{image}/{target}", mode="r+")[...] = mask

    def read(self, image: str, target: str) -> np.ndarray:
        return zarr.open_array(self.store, path=f"{image}/{target}", mode="r")[...]

    def open(self) -> None:
        root = zarr.open_group(LocalStore(self.path), mode="r")
        assert root["i0/t0"].shape == SHAPE


def history_table(folder: Path, commits: int) -> Table:
    """Saves and reads after 100, 1,000, ... commits; both stores take turns."""
    stores = [OurStore(folder / "ours"), PlainZarr(folder / "plain")]
    drawn = [blob(n) for n in range(400)]
    rng = random.Random(0)
    marks = [n for n in (100, 1_000, 10_000, 100_000) if n <= commits]
    seconds: dict[str, list[float]] = {store.name: [] for store in stores}
    table = Table(title="a 256 x 256 mask, after N commits")
    for column in (
        "store",
        "N",
        "commit p50 ms",
        "p95 ms",
        "bytes/commit",
        "open ms",
        "random reads/s",
    ):
        table.add_column(column, justify="right")
    for n in range(1, commits + 1):
        name = f"i{rng.randrange(IMAGES)}", f"t{rng.randrange(TARGETS)}"
        mask = drawn[n % len(drawn)]
        for store in stores if n % 2 else stores[::-1]:
            save = partial(store.save, *name, mask)
            seconds[store.name].append(timed(save))
        if n in marks:
            for store in stores:
                table.add_row(*measure(store, n, seconds[store.name], rng))
    stores[0].project.close()
    return table


def measure(
    store: OurStore | PlainZarr, n: int, seconds: list[float], rng: random.Random
) -> list[str]:
    """One line: the newest commits, the size, and how it opens and reads."""
    p50, p95 = percentiles(seconds[-min(n, 1000) :])
    names = [
        (f"i{rng.randrange(IMAGES)}", f"t{rng.randrange(TARGETS)}") for _ in range(500)
    ]
    if isinstance(store, OurStore):
        names = [name for name in names if name in store.parents]
    elapsed = timed(lambda: [store.read(*name) for name in names])
    return [
        store.name,
        f"{n:,}",
        f"{p50:.2f}",
        f"{p95:.2f}",
        f"{(store.bytes() - store.start) / n:.0f}",
        f"{best(store.open):.1f}",
        f"{len(names) / elapsed:,.0f}",
    ]


def fill(path: Path, count: int) -> None:
    """Write many masks quickly: 20 of each image; no fsync, as nothing is at stake."""
    with Project.create(path, who="ada") as project:
        for n in range(20):
            project.add_target(f"t{n}")
        image, _ = project.add_image(np.zeros(SHAPE, np.uint8), name="i", axes="yx")
        record = project.ledger.read(records.image_key(image.id))
    drawn = [masks.encode(blob(n), ()) for n in range(50)]
    metadata = masks.metadata(SHAPE)
    with Ledger(path / "ledger.sqlite", mode="rw", synchronous="OFF") as ledger:
        for n in range(count // 20):
            entries = {records.image_key(f"i{n}"): record}
            ledger.commit(Change("ada", "image", image=f"i{n}"), entries)
            for t in range(20):
                prefix = records.mask_prefix(f"i{n}", f"t{t}")
                chunks = drawn[(n + t) % len(drawn)]
                change = Change(
                    "ada", "mask", image=f"i{n}", target=f"t{t}", status=DONE
                )
                entries = {f"{prefix}{key}": data for key, data in chunks.items()}
                ledger.commit(change, {f"{prefix}zarr.json": metadata, **entries})
        ledger.database.connection.wal_checkpoint()


def many_table(folder: Path, count: int) -> Table:
    """Opening and asking a project with many masks."""
    path = folder / "many"
    fill(path, count)
    image = f"i{count // 40}"

    def opened(ask: Callable[[Project], object]) -> Callable[[], None]:
        def act() -> None:
            with Project.open(path) as project:
                ask(project)

        return act

    table = Table(title=f"{count:,} masks of {count // 20:,} images")
    table.add_column("what")
    table.add_column("ms", justify="right")
    questions = {
        "open": lambda p: p.position,
        "open, history of one image": lambda p: p.history(image),
        "open, one mask's pixels": lambda p: p.mask(image, "t3").read(),
        "open, list every mask": lambda p: p.masks(),
        "open, list every image": lambda p: p.images(),
    }
    for what, ask in questions.items():
        table.add_row(what, f"{best(opened(ask), 5):.1f}")
    with Project.open(path, mode="rw") as project:
        parent = project.mask(image, "t3").revision
        seconds = []
        for n in range(200):
            start = time.perf_counter()
            parent = project.save_mask(
                image, "t3", blob(n), status=DONE, parent=parent
            ).number
            seconds.append(time.perf_counter() - start)
    table.add_row("save one mask (p50)", f"{percentiles(seconds)[0]:.2f}")
    table.add_row("ledger, MB", f"{(path / 'ledger.sqlite').stat().st_size / 1e6:.0f}")
    return table


def snapshot_table(folder: Path, length: float) -> Table:
    """Another process reads a snapshot while this one commits."""
    store = OurStore(folder / "snapshot")
    names = [(f"i{i}", f"t{t}") for i in range(IMAGES) for t in range(TARGETS)]
    for n, name in enumerate(names):
        store.save(*name, blob(n))
    position = store.project.position

    def read(commit: bool) -> tuple[int, float, int]:
        process = subprocess.Popen(
            [sys.executable, "-c", READER, str(store.path), str(position), str(length)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        process.stdout.readline()
        commits = 0
        while process.poll() is None:
            if commit:
                store.save(*names[commits % len(names)], blob(commits % 400))
                commits += 1
            else:
                time.sleep(0.01)
        states, rate = process.stdout.read().split()
        return int(states), float(rate), commits

    table = Table(title="a second process reads a snapshot")
    for column in ("while this one", "states seen", "reads/s", "commits/s"):
        table.add_column(column, justify="right")
    for what, commit in (("waits", False), ("commits", True)):
        states, rate, commits = read(commit)
        table.add_row(what, str(states), f"{rate:,.0f}", f"{commits / length:,.0f}")
    store.project.close()
    return table


@contextmanager
def somewhere(folder: str | None) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="lgssl-bench-", dir=folder))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def disk_speed(folder: Path) -> tuple[float, float]:
    """What one fsync of 20 KB costs here now: the floor under any commit."""
    with (folder / "probe").open("wb", buffering=0) as file:

        def write() -> None:
            file.write(bytes(20_000))
            os.fsync(file.fileno())

        return percentiles([timed(write) for _ in range(300)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--masks", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", help="a folder on the disk to measure")
    given = parser.parse_args()
    console = Console()
    with somewhere(given.folder) as folder:
        p50, p95 = disk_speed(folder)
        facts = {
            "python": platform.python_version(),
            "zarr": zarr.__version__,
            "sqlite": apsw.sqlite_lib_version(),
            "cores": os.cpu_count(),
            "fsync p50/p95 ms": f"{p50:.2f}/{p95:.2f}",
        }
        console.print(json.dumps(facts))
        console.print(history_table(folder, given.commits))
        console.print(many_table(folder, given.masks))
        console.print(snapshot_table(folder, given.seconds))


if __name__ == "__main__":
    main()
