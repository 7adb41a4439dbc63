"""How long the next pick takes in a pool of 100,000 images.

A real ledger with that many images (their pixels are never read by a pick) and a survey
of the whole pool with numbers drawn by chance; between two picks a mask is saved, as a
person would. Every strategy is timed on the same state, for the next image alone and
for as many as the window draws ahead. Beside the clock on the wall stands that of the
process, which other programs do not slow down::

    python benchmarks/next_pick.py --images 100000 --out next_pick.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from src_core.acquire import DEFAULT, STRATEGIES, strategy
from src_core.checkpoints import ModelCard, save_model
from src_core.config import ModelSettings
from src_core.rounds import promote
from src_core.rounds.choose import chooser_of
from src_core.rounds.survey import looks_shelf, survey_shelf
from src_core.rounds.tally import COLUMNS, Voices
from src_core.store import Project
from src_core.store.changes import add_image
from src_core.store.rows import Change
from src_core.types import Image, MaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from src_core.rounds.chooser import Chooser

WHO = "benchmark"
SIDE = 32


def make_project(path: Path, images: int, targets: int, labelled: int) -> None:
    """Make a ledger of so many images, a model's card and its survey."""
    rng = np.random.default_rng(0)
    with Project.create(path, who=WHO) as project:
        synchronous(project, "OFF")  # nothing is at stake
        entries: dict[str, bytes | None] = {}
        ids = [f"patient{n // 20:05d}_slice{n % 20:02d}" for n in range(images)]
        for n, name in enumerate(ids):
            image = Image(
                id=name,
                name=f"{name}.png",
                sha256=f"{n:064x}",
                axes="yx",
                shape=(SIDE, SIDE),
                dtype="uint8",
                spacing=(1.0, 1.0),
                group=f"g{n // 20:05d}",
            )
            entries |= add_image(image, WHO)[1]
        project.ledger.commit(Change(WHO, "image"), entries)
        project.remember_images()  # as an import does in the end
        names = [project.add_target(f"target {t}").id for t in range(targets)]
        for n in rng.choice(images, labelled, replace=False):
            save(project, ids[n], names[0])
        card = ModelCard(
            version="v1",
            created="2026-01-01T00:00:00+00:00",
            position=project.position,
            settings=ModelSettings(),
            targets=names,
            labelled=labelled,
            unlabelled=images - labelled,
            steps=1,
            seconds=1.0,
            validation=dict.fromkeys([*names, "mean"], 0.8),
        )
        save_model(project.models_dir, {"w": torch.zeros(1)}, card)
        promote(project, "v1", who=WHO, reason="benchmark")
        fill(project, card, ids)


def synchronous(project: Project, how: str) -> None:
    """Let commits wait for the disk, or not, until the project is closed."""
    project.ledger.database.connection.pragma("synchronous", how)


def fill(project: Project, card: ModelCard, ids: list[str]) -> None:
    """Put numbers drawn by chance on the shelves."""
    rng, count = np.random.default_rng(1), len(ids)
    features = rng.normal(size=(count, 64)).astype(np.float16)
    thumbnails = rng.normal(size=(count, 256))
    thumbnails /= np.linalg.norm(thumbnails, axis=1, keepdims=True)
    looks_shelf(project).add(
        ids, {"features": features, "thumbnail": thumbnails.astype(np.float16)}
    )
    tally = rng.random((count, len(card.targets), len(COLUMNS)), np.float32)
    tally[..., COLUMNS.index("near")] = 100
    tally[..., COLUMNS.index("either")] = 2
    tally[..., COLUMNS.index("shared")] = 1.8
    survey_shelf(project, card).add(
        ids,
        {
            "tally": tally,
            "features": features,
            "voices": np.full(count, int(Voices.DECODERS), np.uint8),
        },
    )


def save(project: Project, image: str, target: str) -> None:
    """Finish one mask."""
    standing = project.mask(image, target)
    project.save_mask(
        image,
        target,
        np.ones((SIDE, SIDE), np.uint8),
        status=MaskStatus.DONE,
        parent=None if standing is None else standing.revision,
        seconds_spent=30.0,
    )


def measure(path: Path, picks: int, ahead: int) -> dict[str, Any]:
    """Time picks, a mask saved between each two."""
    found: dict[str, Any] = {
        "after a survey": first_pick(path),
        "after a restart": first_pick(path),
    }
    with Project.open(path, mode="rw", who=WHO) as project:
        chooser = chooser_of(project)
        for name in STRATEGIES:
            found[name] = {}
            for count in (1, ahead):
                found[name] |= warm_pick(project, chooser, name, count, picks)
    return found


def first_pick(path: Path) -> dict[str, float]:
    """Time what is gathered for the first pick after opening, and the pick."""
    with Project.open(path, mode="rw", who=WHO) as project:
        gathering, gathered = clocks(lambda: chooser_of(project).catch_up())
        picking, picked = clocks(lambda: chooser_of(project).pick(1, strategy(DEFAULT)))
    return {
        "gathered, s": round(gathering, 2),
        "gathered, processor s": round(gathered, 2),
        "picked, s": round(picking, 2),
        "picked, processor s": round(picked, 2),
    }


def clocks(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds on the wall and of the processor."""
    started, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - spent


def warm_pick(
    project: Project, chooser: Chooser, name: str, count: int, times: int
) -> dict[str, float]:
    """Time a call for so many picks, that often, after a mask was saved."""
    wall, cpu = [], []
    for _ in range(times):
        first = chooser.pick(1, strategy(name))[0]
        save(project, first.image, first.target)
        taken, spent = clocks(lambda: chooser.pick(count, strategy(name)))
        wall.append(1000 * taken)
        cpu.append(1000 * spent)
    return {
        f"{count}: median ms": round(float(np.median(wall)), 1),
        f"{count}: p95 ms": round(float(np.percentile(wall, 95)), 1),
        f"{count}: processor ms": round(float(np.median(cpu)), 1),
    }


def report(saved: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    picks = dict(saved["picks"])
    lines = [
        f"{when}: {', '.join(f'{what} {value}' for what, value in first.items())}"
        for when in ("after a survey", "after a restart")
        for first in [picks.pop(when)]
    ]
    heads = ["strategy", *next(iter(picks.values()))]
    lines += ["", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for name, figures in picks.items():
        lines.append("| " + " | ".join(map(str, (name, *figures.values()))) + " |")
    return "\n".join(lines)


def main() -> None:
    """Make the pool, time the picks, print and save the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--targets", type=int, default=3)
    parser.add_argument("--labelled", type=int, default=200)
    parser.add_argument("--picks", type=int, default=20)
    parser.add_argument("--ahead", type=int, default=12, help="picks a call")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "project"
        make_project(path, arguments.images, arguments.targets, arguments.labelled)
        picks = measure(path, arguments.picks, arguments.ahead)
    saved = {
        "setting": {
            "images": arguments.images,
            "targets": arguments.targets,
            "labelled": arguments.labelled,
            "picks a call": arguments.ahead,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
        "picks": picks,
    }
    print(json.dumps(saved["setting"]))
    print(report(saved))
    if arguments.out:
        arguments.out.write_text(json.dumps(saved, indent=1))


if __name__ == "__main__":
    main()
