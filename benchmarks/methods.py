"""Every method beside every other: same images, same labels, same seconds.

For each case (a data set and how much of it is labelled) and seed a project is made as
a person would make it, with ``lgssl init`` and ``lgssl import``; each method then gets
a copy of it, a round, and the test split. Each result is saved as soon as it is there,
and what is saved already is not run again::

    python benchmarks/methods.py --cases acdc-10 la-8 --minutes 5 --out methods.jsonl
    python benchmarks/methods.py --out methods.jsonl --report methods.md

On a machine that does other work besides, minutes are counted by the clock of each
run's own process, of one thread, and several runs go on side by side::

    python benchmarks/methods.py --clock cpu --threads 1 --at-once 2 --minutes 10 ...
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cases import CASES, Case, write_table
from method_report import report

if TYPE_CHECKING:
    from collections.abc import Iterator

WHO = "benchmark"
METHODS = ("supervised", "mean-teacher", "unimatch", "cps", "lvit", "versemi", "lg-ssl")
VARIANTS: dict[str, dict[str, Any]] = {
    "no-perturbation": {"method_options": {"perturbation": 0.0}},
    "no-difference": {"method_options": {"difference": 0.0}},
    "no-stop-gradient": {"method_options": {"stop_gradient": False}},
    "no-cutmix": {"method_options": {"cutmix": 0.0}},
    "no-jitter": {"method_options": {"jitter": 0.0}},
    "no-weighing": {"method_options": {"weigh": False}},
    "no-dice": {"method_options": {"dice": 0.0}},
    "self-taught": {"method_options": {"teacher": "self"}},
    "no-adapter": {"net": {"residual": False}},
    "no-selection": {"net": {"select": False}},
    "no-ramp": {"train": {"burn_in": {"length": 0.0}}},
    "no-burn-in": {
        "train": {
            "burn_in": {"start": 0, "dice": 0, "gain": 1}
            | dict.fromkeys(("behind", "shown", "ahead"), 0)
        }
    },
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The budget of every run of a table, which is never mixed from several."""

    minutes: float
    steps: int
    clock: str
    size: int
    threads: int
    device: str

    def setting(self) -> dict[str, Any]:
        """Return what the table says of itself."""
        clock = {"wall": "", "cpu": " of the process's own clock"}[self.clock]
        return {
            "budget": f"{self.steps} steps"
            if self.steps
            else f"{self.minutes:g} min{clock}",
            "size": self.size or "from the data",
            "threads": self.threads or "all",
            "device": self.device,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        }


def lgssl(*arguments: object) -> dict[str, Any]:
    """Run the program and return its JSON."""
    command = [sys.executable, "-c", "from src_core.cli import main; main()"]
    done = subprocess.run(
        [*command, *map(str, arguments), "--json"], stdout=subprocess.PIPE, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def settings_of(method: str, seed: int, size: int, threads: int) -> dict[str, Any]:
    """Return the settings of a method, or of a variant ``method:variant``."""
    name, _, variant = method.partition(":")
    changed = VARIANTS[variant] if variant else {}
    train = {"threads": threads} | changed.get("train", {})
    common = {"method": name, "seed": seed, "frame": {"size": size}}
    return common | changed | {"train": train}


def measure(project: Path) -> dict[str, Any]:
    """Score the promoted version on the test split, with each kind of prompt."""
    from src_core.errors import UserError
    from src_core.predict import Predictor
    from src_core.rounds import promoted
    from src_core.rounds.score import PromptFrom, evaluate
    from src_core.store import Project
    from src_core.types import Split

    with Project.open(project) as opened:
        version = promoted(opened)
        assert version is not None
        folder = opened.models_dir / version
        predictor = Predictor.load(folder, text_cache=opened.cache_dir / "text")
        scores: dict[str, Any] = {}
        for source in PromptFrom:
            try:
                scores[source] = evaluate(opened, predictor, Split.TEST, source)
            except UserError:
                continue  # one target and no captions: no wrong prompt exists
        scores["steering"] = steering(opened, predictor)
    return scores


def steering(project: Any, predictor: Any) -> list[list[float | None]]:
    """Dice of the mask for prompt i against the truth of target j, where j is there."""
    from src_core.metrics import dice
    from src_core.store.truth import read_truth, truths
    from src_core.types import Split

    targets, known = project.targets(), truths(project)
    cells: dict[tuple[int, int], list[float]] = {}
    for image in project.images(Split.TEST):
        truth = read_truth(project, image.id, known.get(image.id, []))
        pixels = np.asarray(project.pixels(image)[...])
        prompts = [target.wordings[0] for target in targets]
        answers = predictor.predict(pixels, image.axes, prompts, like=image)
        masks = [answer.shape_mask for answer in answers]
        for (i, mask), (j, target) in itertools.product(
            enumerate(masks), enumerate(targets)
        ):
            if target.id in truth and truth[target.id].any():
                cells.setdefault((i, j), []).append(dice(mask, truth[target.id]))
    span = range(len(targets))
    return [
        [float(np.mean(cells[i, j])) if (i, j) in cells else None for j in span]
        for i in span
    ]


def train(project: Path, settings: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """Run a round in this process and let its version answer."""
    from src_core.devices import pick_device
    from src_core.rounds import Round, RoundRequest, promote
    from src_core.rounds.validation import ensure_validation
    from src_core.store import Project

    limit = {"steps": asked.steps} if asked.steps else {"minutes": asked.minutes}
    request = RoundRequest.model_validate(
        {"settings": settings, "clock": asked.clock, **limit}
    )
    with Project.open(project, mode="rw", who=WHO) as opened:
        ensure_validation(opened, WHO)
        result = Round(opened, request, pick_device(asked.device)).run()
        promote(opened, result.version, who=WHO, reason="its first version")
    return result.as_dict()


def run(
    prepared: Path, case: str, method: str, seed: int, asked: Asked, keep: Path | None
) -> dict[str, Any]:
    """Train one method on a copy of a prepared project, score it, perhaps keep it."""
    import torch

    if asked.threads:
        torch.set_num_threads(asked.threads)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary) / "project"
        shutil.copytree(prepared, project)
        settings = settings_of(method, seed, asked.size, asked.threads)
        trained = train(project, settings, asked)
        if keep is not None:
            kept = keep / f"{case}-{method}-{seed}"
            shutil.rmtree(kept, ignore_errors=True)  # of a run that was cut off
            shutil.copytree(project, kept)
        return {
            "case": case,
            "method": method,
            "seed": seed,
            "steps": trained["steps"],
            "seconds": round(trained["seconds"], 1),
            "labelled": trained["labelled"],
            "unlabelled": trained["unlabelled"],
            "validation": trained["verdict"]["new"],
            "looks": trained["looks"],
            **measure(project),
            "wall_seconds": round(time.monotonic() - began),
        }


def prepare(case: Case, seed: int, data: Path, folder: Path) -> Path:
    """Make the project of a case and seed; every method gets a copy."""
    project, table = folder / "project", folder / "table.csv"
    write_table(case, data, seed, table)
    lgssl("init", project)
    if failed := lgssl("import", project, table)["failed"]:
        raise SystemExit(f"{len(failed)} files cannot be used, first {failed[0]}")
    return project


def load(path: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Read the setting and the results saved so far."""
    if not path.exists():
        return None, []
    setting, *results = [json.loads(line) for line in path.read_text().splitlines()]
    return setting, results


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("LGSSL_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), default=[])
    parser.add_argument("--methods", nargs="+", default=["lg-ssl", "supervised"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--steps", type=int, default=0, help="instead of minutes")
    parser.add_argument("--size", type=int, default=0, help="pixels; 0 = from the data")
    parser.add_argument("--threads", type=int, default=0, help="0 = all that are free")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--at-once", type=int, default=1, help="runs side by side")
    parser.add_argument("--out", type=Path, required=True, help="results, JSON lines")
    parser.add_argument("--keep", type=Path, help="keep the trained projects here")
    parser.add_argument("--report", type=Path, help="write the tables here")
    return parser.parse_args()


def missing_runs(
    options: argparse.Namespace, results: list[dict[str, Any]]
) -> list[tuple[str, str, int]]:
    """Return case, method and seed of what is not yet there, seed by seed."""
    done = {(r["case"], r["method"], r["seed"]) for r in results}
    wanted = itertools.product(options.seeds, options.cases, options.methods)
    return [(c, m, s) for s, c, m in wanted if (c, m, s) not in done]


def run_all(
    runs: list[tuple[str, str, int]], options: argparse.Namespace, asked: Asked
) -> Iterator[dict[str, Any]]:
    """Yield each result as soon as it is there; each run has a process of its own."""
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as temporary,
        ProcessPoolExecutor(options.at_once, context, max_tasks_per_child=1) as pool,
    ):
        projects = {}
        for case, _, seed in runs:
            if (case, seed) not in projects:
                folder = Path(temporary) / f"{case}-{seed}"
                folder.mkdir()
                data = options.data.resolve()
                projects[case, seed] = prepare(CASES[case], seed, data, folder)
        jobs = [
            pool.submit(
                run, projects[case, seed], case, method, seed, asked, options.keep
            )
            for case, method, seed in runs
        ]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:  # where one failed, the rest would train for nobody
            pool.shutdown(cancel_futures=True)


def main() -> None:
    """Run what is missing, save after each run, write the tables."""
    options = arguments()
    asked = Asked(
        options.minutes,
        options.steps,
        options.clock,
        options.size,
        options.threads,
        options.device,
    )
    setting = asked.setting()
    saved, results = load(options.out)
    if saved is None and options.cases:
        saved = {**setting, "begun": datetime.date.today().isoformat()}
        options.out.write_text(json.dumps(saved) + "\n")
    if options.cases and any(saved[key] != value for key, value in setting.items()):
        sys.exit(
            f"'{options.out}' holds another setting: {saved}; choose another file."
        )
    for result in run_all(missing_runs(options, results), options, asked):
        results.append(result)
        with options.out.open("a") as file:
            file.write(json.dumps(result) + "\n")
        name = f"{result['case']} {result['method']} seed {result['seed']}"
        took = f"{result['wall_seconds']} s"
        print(f"{name}: {result['target']['mean']['dice']:.4f} ({took})", flush=True)
    text = report(saved or setting, results)
    print(text)
    if options.report:
        options.report.write_text(text + "\n")


if __name__ == "__main__":
    main()
