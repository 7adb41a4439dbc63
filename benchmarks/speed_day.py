"""What a day with the program is made of: each wait, beside what nobody can spare."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from speed_app import PROGRAM, disc_project, run
from timing import Row, in_turns

FILES, SIDE = 1000, 256
ROUND = 0.2  # minutes
TORCH = (sys.executable, "-c", "import torch")


def day() -> list[Row]:
    """Import, first mask, next image, a round: as the command line answers."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        project = disc_project(folder, images=60, labelled=20)
        return [_import(folder), _round(project), *_answers(project, folder)]


def _import(folder: Path) -> Row:
    """Bring 1,000 files into an empty project, beside decoding them."""
    pictures, project = folder / "pictures", folder / "imported"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for number in range(FILES):
        noise = rng.integers(0, 255, (SIDE, SIDE), np.uint8)
        Image.fromarray(noise).save(pictures / f"{number:04}.png")
    run(PROGRAM, "init", project)

    started = time.perf_counter()
    for path in pictures.iterdir():
        np.asarray(Image.open(path))
    decoded = time.perf_counter()
    run(PROGRAM, "add", project, pictures)
    added = time.perf_counter()
    what = f"import of {FILES:,} files, {SIDE}²"
    return Row(what, added - decoded, "decoding them", decoded - started)


def _round(project: Path) -> Row:
    """Run a short round from the command to its verdict, beside what it was given."""
    started = time.perf_counter()
    run(PROGRAM, "train", project, "--minutes", ROUND)
    took = time.perf_counter() - started
    return Row("a round, from the command to the verdict", took, "its time", ROUND * 60)


def _answers(project: Path, folder: Path) -> list[Row]:
    """Ask for a first mask and the next image; each starts the program anew."""
    picture, mask = folder / "picture.png", folder / "mask.png"
    noise = np.random.default_rng(1).integers(0, 255, (512, 512), np.uint8)
    Image.fromarray(noise).save(picture)
    predict = (PROGRAM, "predict", project, picture, "--prompt", "bright disc")

    def first_mask() -> None:
        mask.unlink(missing_ok=True)
        run(*predict, "--out", mask)

    first, pick, torch = in_turns(
        first_mask,
        lambda: run(PROGRAM, "next", project),
        lambda: run(*TORCH),
        rounds=5,
        warm=1,
    )
    return [
        Row("first mask, from the command to the file", first, "import torch", torch),
        Row("next image, from the command to the answer", pick, "import torch", torch),
    ]
