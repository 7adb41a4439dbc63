"""What a large pool takes: bytes and seconds an image, and the sums for a million.

Everything is measured on a few hundred small images in a real store, in processor
seconds of one thread, which stand still while others compute; on a GPU the seconds of
the wall, with the work waited for::

    python benchmarks/large.py --out large.json --report large.md
    python benchmarks/large.py --images 64 --side 512   # a quick one
    python benchmarks/large.py --from large.json --report large.md
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 1_000_000
LABELLED = 8
GPUS = (1, 8, 64)
STEPS = 20_000
"""Of a training on a pool of that size."""

LINE = 1.25e8
"""Bytes a second of a line of 1 Gbit/s."""


def clock() -> float:
    """Seconds, as the device tells them."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def took(work: Callable[[], object]) -> float:
    """Return how long a work took."""
    started = clock()
    work()
    return clock() - started


def pictures(count: int, side: int) -> Any:
    """Yield smooth pictures with noise, about as compressible as radiographs."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    for _ in range(count):
        smooth = gaussian_filter(rng.standard_normal((side, side)), side / 24)
        shown = 120 + 60 * smooth / smooth.std() + rng.normal(0, 3, smooth.shape)
        yield shown.clip(0, 255).astype(np.uint8)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def settings(side: int) -> Any:
    """Return the default method with a text encoder that needs no file."""
    from src_core.config import FrameSettings, ModelSettings, TextSettings

    return ModelSettings(
        frame=FrameSettings(size=side, tiles=False), text=TextSettings(encoder="hashed")
    )


def fill(project: Any, count: int, side: int, labelled: int) -> float:
    """Import pictures and finish some masks; return the seconds an image."""
    from src_core.types import MaskStatus, Split

    shown = list(pictures(count, side))
    target = project.add_target("bright", who="a")
    started = clock()
    for number, pixels in enumerate(shown):
        split = Split.VAL if number % 16 == 0 else Split.TRAIN
        image, _ = project.add_image(
            pixels, name=f"im{number}.png", axes="yx", split=split, who="a"
        )
        if number < labelled:
            mask = (pixels > 170).astype(np.uint8)
            project.save_mask(
                image.id, target.id, mask, who="a", status=MaskStatus.DONE
            )
    return (clock() - started) / count


def measure(count: int, side: int, net: int) -> dict[str, Any]:
    """Measure all rates on a small project."""
    import torch

    from src_core.cluster.pack import pack_pool
    from src_core.devices import pick_device
    from src_core.predict import Predictor
    from src_core.rounds import RoundRequest
    from src_core.rounds.round import Round
    from src_core.rounds.survey import ask_about
    from src_core.store import Project

    torch.set_num_threads(1)
    device, rates = pick_device(), {}
    with (
        tempfile.TemporaryDirectory() as home,
        Project.create(Path(home) / "p", "p", who="a") as project,
    ):
        rates["import_seconds"] = fill(project, count, side, LABELLED)
        images = project.path / "images"
        rates["stored_bytes"] = size_of(images) / count
        rates["files"] = sum(p.is_file() for p in images.rglob("*")) / count
        request = RoundRequest(settings=settings(net), steps=2)
        Round(project, request, device).run()
        version = project.models_dir / "v1"
        rates["weights_bytes"] = (version / "weights.safetensors").stat().st_size
        predictor = Predictor.load(version, device)
        known = project.images()[: min(count, 64)]

        def ask() -> float:
            found = ask_about(project, predictor, ["bright"], iter(known))
            return took(lambda: list(found)) / len(known)

        ask()
        rates["survey_seconds"] = ask()
        some = project.images()
        rates["hash_seconds"] = took(lambda: pack_pool(project, some, "v1")) / count
        bundle = pack_pool(project, some, "v1")
        rates["list_bytes"] = len(bundle.manifest) / count
    rates["step_seconds"] = _step(net)
    return {
        "machine": device.label if device.torch.type == "cuda" else _machine(),
        "gpu": device.torch.type == "cuda",
        "date": datetime.date.today().isoformat(),
        "images": count,
        "side": side,
        "net": net,
        "rates": rates,
    }


def _step(net: int) -> float:
    """Seconds of a step of eight images once the unlabelled have joined."""
    from src_core.devices import pick_device
    from src_core.imaging.prepare import prepare
    from src_core.text import load_encoder
    from src_core.train import Budget, Item, Pool, Training, Wordings
    from src_core.types import Split, Target

    plain = settings(net)
    encoder = load_encoder(plain.text)
    width = plain.net.model_copy(update={"text_width": encoder.width})
    plain = plain.model_copy(update={"net": width})
    target = Target("bright", "bright", ("bright",))
    items = [
        Item(
            f"im{n}",
            prepare(pixels, "yx", plain.frame),
            Split.TRAIN,
            {"bright": (pixels > 170).astype(np.uint8)} if n < 16 else {},
        )
        for n, pixels in enumerate(pictures(32, net))
    ]
    device = pick_device()
    pool = Pool(items, [target], net).to(device.torch)
    wordings = Wordings([target], pool.captions, encoder)
    training = Training(pool, wordings, plain, device, Budget(steps=10**6))
    training.course.began = 0.0
    training._step(0.9)
    return took(lambda: [training._step(0.9) for _ in range(5)]) / 5


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, one thread"


def report(found: dict[str, Any]) -> str:
    """Return the arithmetic as Markdown."""
    rates = found["rates"]
    stored, listed = rates["stored_bytes"] * MANY, rates["list_bytes"] * MANY
    lines = [
        f"{found['machine']}, {found['date']}; {found['images']} images of "
        f"{found['side']}², network at {found['net']}².",
        "",
        "| what | an image | a million |",
        "|---|---|---|",
        f"| pixels in the store | {rates['stored_bytes'] / 1e3:.0f} kB "
        f"| {stored / 1e9:.0f} GB |",
        f"| files | {rates['files']:.0f} | {rates['files'] * MANY / 1e6:.0f} million |",
        f"| lists of hashes | {rates['list_bytes']:.0f} B | {listed / 1e9:.2f} GB |",
        f"| over a line of 1 Gbit/s, once | | {stored / LINE / 3600:.1f} h |",
        "",
        "| hours for a million, workers: | 1 |" + "".join(f" {n} |" for n in GPUS[1:]),
        "|---|---|" + "---|" * len(GPUS[1:]),
    ]
    ask, train = rates["survey_seconds"] * MANY, rates["step_seconds"] * STEPS
    here = rates["import_seconds"] * MANY, rates["hash_seconds"] * MANY
    # Whoever imports is one process. In a training each process brings images of its
    # own: the time stays, and the images seen grow.
    rows = {
        "import": [here[0], None, None],
        "hashing, the first time": [here[1], None, None],
        "survey, or masks of one target": [ask / n for n in GPUS],
        f"training, {STEPS:,} steps of 8 images a process": [train for _ in GPUS],
    }
    for name, seconds in rows.items():
        hours = " | ".join("" if t is None else f"{t / 3600:.1f}" for t in seconds)
        lines.append(f"| {name} | {hours} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, save, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--side", type=int, default=512, help="of the images")
    parser.add_argument("--net", type=int, default=256, help="of the network's square")
    parser.add_argument("--out", type=Path, help="results, JSON")
    parser.add_argument("--from", dest="known", type=Path, help="earlier results")
    parser.add_argument("--report", type=Path, help="write the tables here")
    asked = parser.parse_args()
    if asked.known:
        found = json.loads(asked.known.read_text())
    else:
        found = measure(asked.images, asked.side, asked.net)
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1))
    print(report(found))
    if asked.report:
        asked.report.write_text(report(found) + "\n")


if __name__ == "__main__":
    main()
