"""How cost grows with the pool and with history.

Real ledgers of 100 to 100,000 images (the pixels of most are never read), one in 20 of
them labelled, with as many patients in the map of names. In each: what a person waits
for, in processor milliseconds, which other programs disturb little, and of one thread:
several that wait for one another would be counted as working::

    export OPENBLAS_NUM_THREADS=1
    python benchmarks/growth.py --out growth.json --report growth.md

A mask with a long history is one that was saved 1,000 times before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from next_pick import (
    SIDE,
    WHO,
    clocks,
    first_pick,
    make_project,
    synchronous,
    warm_pick,
)

from src_core.acquire import DEFAULT
from src_core.rounds.choose import chooser_of
from src_core.store import Project
from src_core.store.groups import FILE_NAME as NAMES
from src_core.types import MaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from src_core.types import Image

TARGETS = 3
LABELLED = 20
"""One image in so many is labelled."""

PLANES = 64
LONG = 1_000


def costs(path: Path, images: int, times: int) -> dict[str, float]:
    """Make a project of so many images; return what each act costs, in ms."""
    make_project(path, images, TARGETS, images // LABELLED)
    name_patients(path, images)
    with Project.open(path) as project:
        at = project.position - 1

    def opened(ask: Callable[[Project], object]) -> float:
        def act(_: int) -> None:
            with Project.open(path, at=at) as project:
                ask(project)

        return median(act, 7)

    firsts = [first_pick(path) for _ in range(3)]
    seconds = statistics.median(
        first["gathered, processor s"] + first["picked, processor s"]
        for first in firsts
    )
    found = {
        "open a snapshot": opened(lambda project: project.position),
        "open a snapshot, list its masks": opened(Project.masks),
        "open a snapshot, list its images": opened(Project.images),
        "the first next image after opening": 1000 * seconds,
    }
    with Project.open(path, mode="rw", who=WHO) as project:
        picks = warm_pick(project, chooser_of(project), DEFAULT, 1, times)
        found["the next image after a saved mask"] = picks["1: processor ms"]
        found |= writes(project, times)
    return found


def writes(project: Project, times: int) -> dict[str, float]:
    """Time imports and saves in an open project."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 255, (times, SIDE, SIDE)).astype(np.uint8)
    project.images()  # an import reads them once, not for each image
    found = {
        "import an image of a new patient": median(
            lambda n: project.add_image(
                pixels[n], name=f"new {n}", axes="yx", group=f"new patient {n}"
            ),
            times,
        )
    }
    for what, shape in (("a mask", (SIDE, SIDE)), ("64 planes", (PLANES, SIDE, SIDE))):
        image, _ = project.add_image(
            np.zeros(shape, np.uint8), name=what, axes="zyx"[-len(shape) :]
        )
        draw(project, image, 0)
        found[f"save {what}, the first 10 times"] = statistics.median(
            draw(project, image, n) for n in range(1, 10)
        )
        synchronous(project, "OFF")  # nothing is at stake
        for n in range(10, LONG):
            draw(project, image, n)
        synchronous(project, "FULL")
        found[f"save {what}, after {LONG:,} times"] = statistics.median(
            draw(project, image, LONG + n) for n in range(times)
        )
    found["list every mask after a save"] = statistics.median(
        (draw(project, image, n), cost(project.masks))[1] for n in range(times)
    )
    return found


def draw(project: Project, image: Image, number: int) -> float:
    """Save another mask; return what it cost."""
    mask = np.random.default_rng(number).integers(0, 2, image.shape).astype(np.uint8)
    target = project.targets()[0].id
    standing = project.mask(image.id, target)
    return cost(
        lambda: project.save_mask(
            image.id,
            target,
            mask,
            status=MaskStatus.DONE,
            parent=None if standing is None else standing.revision,
        )
    )


def name_patients(path: Path, count: int) -> None:
    """Fill the map of names, as imports of so many patients do."""
    lines = (json.dumps({f"anon-{n + 1:04d}": f"patient {n}"}) for n in range(count))
    (path / NAMES).write_text("\n".join(lines) + "\n")


def cost(act: Callable[[], object]) -> float:
    """Return an act's processor milliseconds."""
    return 1000 * clocks(act)[1]


def median(act: Callable[[int], object], times: int) -> float:
    """Return the median of what an act costs; it is told how often it was done."""
    return statistics.median(cost(lambda n=n: act(n)) for n in range(times))


def report(found: dict[str, Any]) -> str:
    """Return the table, with how much more the largest pool costs than the smallest."""
    sizes = list(found["costs"])
    heads = ["processor ms", *(f"{int(size):,}" for size in sizes), "last by first"]
    lines = [f"| {' | '.join(heads)} |", "|---" + "|---:" * (len(sizes) + 1) + "|"]
    for what in found["costs"][sizes[0]]:
        row = [found["costs"][size][what] for size in sizes]
        told = [f"{ms:,.1f}" for ms in row]
        lines.append(f"| {what} | {' | '.join(told)} | {row[-1] / row[0]:,.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure each size, save, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000]
    )
    parser.add_argument("--times", type=int, default=30, help="of which the median")
    parser.add_argument("--folder", help="a folder on the disk to measure")
    parser.add_argument("--out", type=Path, help="results, JSON")
    parser.add_argument("--report", type=Path, help="write the table here")
    asked = parser.parse_args()
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "costs": {},
    }
    for size in asked.sizes:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            found["costs"][size] = costs(Path(folder) / "project", size, asked.times)
        if asked.out:
            asked.out.write_text(json.dumps(found, indent=1))
    print(report(found))
    if asked.report:
        asked.report.write_text(report(found) + "\n")


if __name__ == "__main__":
    main()
