"""What a person waits for: the program, the window, a first better model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timing import Row, in_turns

BARE = """
import napari
from qtpy.QtCore import QTimer
viewer = napari.Viewer(show_welcome_screen=False)
QTimer.singleShot(0, viewer.close)
napari.run()
"""
OURS = """
import sys
from pathlib import Path
import napari
from qtpy.QtCore import QTimer
from lgssl_napari.app import open_window
viewer, panel = open_window(Path(sys.argv[1]))
assert "torch" not in sys.modules, "torch was imported before it was needed"
QTimer.singleShot(0, viewer.close)
napari.run()
"""
IDLE = OURS.replace("singleShot(0", "singleShot(10000")
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""
PROGRAM = Path(sys.executable).with_name("lgssl")
LABELLED, UNLABELLED = 100, 1000


def run(*command: object) -> str:
    """Run a program to its end and return what it printed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def peak_megabytes(*command: object) -> float:
    """Memory of the largest process that a program starts, itself included."""
    return float(run(sys.executable, "-c", PEAK, *command))


def start() -> list[Row]:
    """``lgssl --help`` beside an empty Python."""
    ours, theirs = in_turns(
        lambda: run(PROGRAM, "--help"), lambda: run(sys.executable, "-c", "pass")
    )
    return [Row("lgssl --help", ours, "python -c pass", theirs, "under 0.3 s")]


def window() -> list[Row]:
    """From the command to a window that takes a click, beside a bare napari's.

    Needs a screen: ``xvfb-run -a python benchmarks/speed.py --only window``.
    """
    if not os.environ.get("DISPLAY") and sys.platform == "linux":
        sys.exit("There is no screen: begin the command with 'xvfb-run -a'.")
    with tempfile.TemporaryDirectory() as temporary:
        project = disc_project(Path(temporary), images=20, labelled=10)
        ours, theirs = in_turns(
            lambda: run(sys.executable, "-c", OURS, project),
            lambda: run(sys.executable, "-c", BARE),
            rounds=5,
            warm=1,
        )
        idle = peak_megabytes(sys.executable, "-c", IDLE, project)
    what = "window with the panel and a project"
    return [
        Row(what, ours, "bare napari", theirs, "0.77x"),
        Row(f"memory of the {what}", idle, "1 GB", 1000.0, "1x", "MB"),
    ]


def first_model() -> list[Row]:
    """Rounds on 100 labelled and 1,000 unlabelled pictures, from nothing."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        project = disc_project(Path(temporary), LABELLED + UNLABELLED, LABELLED)
        for number in range(1, 4):
            started = time.monotonic()
            told: dict[str, Any] = json.loads(
                run(PROGRAM, "train", project, "--minutes", 0.6, "--json").splitlines()[
                    -1
                ]
            )
            took = time.monotonic() - started
            verdict = told["verdict"]
            what = f"round {number}: validation Dice {verdict['new']:.3f}"
            kept = "promoted" if told["promoted"] else "kept aside"
            rows.append(Row(f"{what}, {kept}", took, "a minute", 60.0, "1x"))
    return rows


def memory() -> list[Row]:
    """The largest process of a training, and of a prediction."""
    with tempfile.TemporaryDirectory() as temporary:
        project = disc_project(Path(temporary), LABELLED + UNLABELLED, LABELLED)
        training = peak_megabytes(PROGRAM, "train", project, "--minutes", 0.5)
        picture, out = Path(temporary) / "picture.png", Path(temporary) / "mask.png"
        noise = np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)
        Image.fromarray(noise).save(picture)
        command = (PROGRAM, "predict", project, picture, "--prompt", "bright disc")
        prediction = peak_megabytes(*command, "--out", out)
    return [
        Row("memory of a training", training, "3 GB", 3000.0, "1x", "MB"),
        Row("memory of a prediction, 512²", prediction, "1.5 GB", 1500.0, "1x", "MB"),
    ]


def disc_project(folder: Path, images: int, labelled: int) -> Path:
    """Make a project of drawn discs on clouds, a few of them labelled."""
    from src_core.store import Project
    from src_core.types import MaskStatus

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    with Project.create(folder / "project", who="benchmark") as project:
        target = project.add_target("disc", ["bright disc"])
        for number in range(images):
            cy, cx, radius = (
                rng.uniform(30, 98),
                rng.uniform(30, 98),
                rng.uniform(8, 22),
            )
            disc = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
            shade = np.outer(*np.sin(rng.uniform(0, 6, (2, 1)) + np.arange(128) / 20))
            pixels = 90 + 40 * shade + 35 * disc + rng.normal(0, 25, disc.shape)
            image, _ = project.add_image(
                pixels.clip(0, 255).astype(np.uint8),
                name=f"disc{number}.png",
                axes="yx",
                group=f"g{number // 5}",
            )
            if number < labelled:
                project.save_mask(
                    image.id, target.id, disc.astype(np.uint8), status=MaskStatus.DONE
                )
    return folder / "project"
