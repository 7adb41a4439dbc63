"""Where the time goes, as ratios measured in one run on one machine.

What is compared is timed in turns (A, B, A, B, ...) and each ratio is of medians, so
that a noisy machine disturbs both sides alike::

    python benchmarks/speed.py --out speed.json --report speed.md
    python benchmarks/speed.py --only predict step
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 192


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: seconds of ours, of what stands beside it, and the goal."""

    what: str
    ours: float
    beside: str
    theirs: float
    goal: str

    @property
    def ratio(self) -> float:
        """Theirs by ours: how many times faster ours is."""
        return self.theirs / self.ours


def in_turns(
    *works: Callable[[], object], rounds: int = 7, warm: int = 2
) -> list[float]:
    """Median seconds of each work, timed in turns."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(warm + rounds):
        for work, taken in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            if turn >= warm:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]


def _settings(method: str = "lg-ssl", side: int = SIDE, **train: Any) -> Any:
    from src_core.config import (
        FrameSettings,
        ModelSettings,
        TextSettings,
        TrainSettings,
    )

    return ModelSettings(
        method=method,
        frame=FrameSettings(size=side, tiles=False),
        text=TextSettings(encoder="hashed"),
        train=TrainSettings(**train),
    )


def _predictor(side: int) -> Any:
    from src_core.checkpoints import ModelCard
    from src_core.devices import pick_device
    from src_core.methods import method_class
    from src_core.predict import Predictor
    from src_core.text import load_encoder

    settings = _settings(side=side)
    encoder = load_encoder(settings.text)
    net = settings.net.model_copy(update={"text_width": encoder.width})
    settings = settings.model_copy(update={"net": net})
    card = ModelCard(
        version="v1",
        created="",
        position=0,
        settings=settings,
        targets=[],
        labelled=0,
        unlabelled=0,
        steps=0,
        seconds=0,
    )
    weights = method_class(settings.method).build(settings).state_dict()
    return Predictor(card, weights, pick_device(), encoder)


def predict() -> list[Row]:
    """Predict a 512² picture, beside LViT's own forward at 224²; a second prompt."""
    import torch

    from src_core.methods import method_class

    picture = np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)
    whole = _predictor(512)
    served = _predictor(SIDE)
    seen = _predictor(512)
    seen.predict(picture, "yx", ["left lung"], key="known")
    lvit = method_class("lvit").build(_settings("lvit", 224)).eval()
    image, mask = torch.randn(1, 3, 224, 224), torch.ones(1, 10, dtype=torch.bool)
    tokens = torch.randn(1, 10, _settings().net.text_width)

    @torch.inference_mode()
    def forward() -> None:
        lvit(image, tokens, mask)

    ours, as_served, second, theirs = in_turns(
        lambda: whole.predict(picture, "yx", ["heart"]),
        lambda: served.predict(picture, "yx", ["heart"]),
        lambda: seen.predict(picture, "yx", ["heart"], key="known"),
        forward,
    )
    lvit_says = "LViT, base 64, its own forward at 224²"
    return [
        Row("predict 512², net at 512²", ours, lvit_says, theirs, "10x"),
        Row(f"predict 512², net at {SIDE}²", as_served, lvit_says, theirs, "10x"),
        Row("a second prompt on the same picture", second, "the first", ours, "2.9x"),
    ]


def _training(method: str, images: int, side: int = SIDE, **train: Any) -> Any:
    """A pool of noise with three targets, and a training on it."""
    from src_core.devices import pick_device
    from src_core.imaging.prepare import prepare
    from src_core.text import load_encoder
    from src_core.train import Budget, Item, Pool, Training, Wordings
    from src_core.types import Split, Target

    rng = np.random.default_rng(0)
    settings = _settings(method, side, **train)
    encoder = load_encoder(settings.text)
    net = settings.net.model_copy(update={"text_width": encoder.width})
    settings = settings.model_copy(update={"net": net})
    targets = [Target(name, name, (name,)) for name in ("heart", "lung", "spine")]

    def items() -> Any:
        for number in range(images):
            pixels = rng.integers(0, 255, (side, side), np.uint8)
            truth = {
                target.id: (rng.random((side, side)) < 0.1).astype(np.uint8)
                for target in targets
            }
            known = truth if number < max(2, images // 10) else {}
            picture = prepare(pixels, "yx", settings.frame)
            yield Item(f"im{number}", picture, Split.TRAIN, known)

    pool = Pool(items(), targets, side)
    wordings = Wordings(targets, pool.captions, encoder)
    device = pick_device()
    training = Training(pool, wordings, settings, device, Budget(steps=10**6))
    return pool, training


def step() -> list[Row]:
    """One LG-SSL training step per labelled image, beside LViT's."""
    _, ours = _training("lg-ssl", 100)
    _, supervised = _training("supervised", 100)
    _, lvit = _training("lvit", 20, 224, batch=2, prompts_per_image=1)
    ours.course.began = 0.0
    joined, alone, theirs = in_turns(
        lambda: ours._step(0.9),
        lambda: supervised._step(0.1),
        lambda: lvit._step(0.1),
        rounds=5,
    )
    # Eight images a step, four of them labelled where the unlabelled have joined.
    lvit_says = "LViT's step per labelled image, 224²"
    return [
        Row("LG-SSL step per labelled image", joined / 4, lvit_says, theirs / 2, "30x"),
        Row("supervised step, a labelled image", alone / 8, lvit_says, theirs / 2, ""),
        Row("LG-SSL step", joined, "supervised step", alone, ""),
    ]


def overhead() -> list[Row]:
    """The loop, beside forward + backward + optimiser on a batch that is there."""
    import torch

    from src_core.methods import Moment

    _, loop = _training("supervised", 100)
    _, bare = _training("supervised", 100)
    labelled, _ = bare.sampler.draw(unlabelled=False)
    moment = Moment(0.1, 0.0, torch.Generator().manual_seed(0))

    def plain() -> None:
        with bare.device.autocast():
            losses = bare.method(labelled, None, moment)
        bare.optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        bare.optimiser.step()

    ours, theirs, draw, average = in_turns(
        lambda: loop._step(0.1),
        plain,
        lambda: loop.sampler.draw(unlabelled=False),
        loop.method.after_step,
        rounds=15,
    )
    return [
        Row("the whole loop's step", ours, "bare step", theirs, "0.91x"),
        Row("of it drawing and augmenting", draw, "bare step", theirs, ""),
        Row("of it the average", average, "bare step", theirs, ""),
    ]


def switches() -> list[Row]:
    """Each switch on, beside off."""
    import torch

    from src_core.devices import Device

    rows = []
    _, fast = _training("supervised", 100)
    _, plain = _training("supervised", 100)
    plain.device = Device(torch.device("cpu"), bf16=False)
    on, off = in_turns(lambda: fast._step(0.1), lambda: plain._step(0.1), rounds=5)
    rows.append(Row("bf16", on, "float32", off, ""))
    _, rowwise = _training("supervised", 100)
    rowwise.method.to(memory_format=torch.contiguous_format)
    on, off = in_turns(lambda: fast._step(0.1), lambda: rowwise._step(0.1), rounds=5)
    rows.append(Row("channels-last weights", on, "row by row", off, ""))
    return rows


def scoring() -> list[Row]:
    """Ask about many pictures at once, beside one at a time."""
    import torch

    _, training = _training("lg-ssl", 64)
    net, pool = training.method.net.eval(), training.sampler.pool
    from src_core.imaging.prepare import standardise

    view = standardise(pool.squares, pool.mean, pool.deviation)
    view = view.contiguous(memory_format=torch.channels_last)
    text = training.sampler.wordings.select(torch.tensor([0]), torch.device("cpu"))

    @torch.inference_mode()
    def ask(size: int) -> None:
        for part in view.split(size):
            with training.device.autocast():
                seen = net.encode(part, first_only=True)
                read = net.prompt(
                    text.tokens.expand(len(part), -1, -1),
                    text.mask.expand(len(part), -1),
                )
                net.answer(seen, read, first_only=True)

    batched, single = in_turns(lambda: ask(16), lambda: ask(1), rounds=5)
    return [Row("score 64 pictures, 16 at once", batched, "one by one", single, "3x")]


def start() -> list[Row]:
    """``lgssl --help`` beside an empty Python."""
    program = str(Path(sys.executable).with_name("lgssl"))

    def run(*command: str) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    ours, theirs = in_turns(
        lambda: run(program, "--help"), lambda: run(sys.executable, "-c", "pass")
    )
    return [Row("lgssl --help", ours, "python -c pass", theirs, "under 0.3 s")]


MEASUREMENTS: dict[str, Callable[[], list[Row]]] = {
    work.__name__: work for work in (start, predict, step, overhead, switches, scoring)
}


def _peak_megabytes() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(name: str) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
        command = [sys.executable, __file__, "--inside", name, "--out", file.name]
        subprocess.run(command, check=True)
        result: dict[str, Any] = json.load(file)
        return result


def report(results: dict[str, Any]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        f"{results['machine']}, {results['date']}",
        "",
        "| what | ms | beside | ms | times faster | goal |",
        "|---|---|---|---|---|---|",
    ]
    for part in results["parts"].values():
        for row in part["rows"]:
            ours, theirs = row["ours"] * 1e3, row["theirs"] * 1e3
            lines.append(
                f"| {row['what']} | {ours:.1f} | {row['beside']} | {theirs:.1f} | "
                f"{theirs / ours:.2f} | {row['goal']} |"
            )
    peaks = ", ".join(
        f"{name} {part['megabytes']:.0f} MB" for name, part in results["parts"].items()
    )
    return "\n".join([*lines, "", f"Peak memory of each process: {peaks}."])


def main() -> None:
    """Measure, save, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS)
    parser.add_argument("--out", type=Path, required=True, help="results, JSON")
    parser.add_argument("--report", type=Path, help="write the table here")
    parser.add_argument("--inside", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        rows = [asdict(row) for row in MEASUREMENTS[asked.inside]()]
        asked.out.write_text(json.dumps({"rows": rows, "megabytes": _peak_megabytes()}))
        return
    results: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
        "parts": {},
    }
    for name in asked.only or MEASUREMENTS:
        results["parts"][name] = measured(name)
        asked.out.write_text(json.dumps(results, indent=1))
    print(report(results))
    if asked.report:
        asked.report.write_text(report(results) + "\n")


if __name__ == "__main__":
    main()
