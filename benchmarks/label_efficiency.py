"""Dice against images labelled: every strategy beside chance, on real images.

The whole loop is simulated with the truth as annotator: rounds of five images, each
followed by a warm-started training, the promotion gate and a look at the test split,
for each strategy, method and seed. Every round is appended to a file of JSON lines as
soon as it is there; begun again, the benchmark goes on after the last of them::

    python benchmarks/label_efficiency.py --out label_efficiency.jsonl
    python benchmarks/label_efficiency.py --out label_efficiency.jsonl --report

What the question hangs on (the default beside chance and the foreground, with LG-SSL;
chance with plain supervision; everything labelled) is run first, for all seeds, and
then the other strategies. On few cores a reduced grid runs, in seconds of this process
and not of the clock on the wall, and every table says that it is reduced.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from label_report import (
    ALL,
    EVERYTHING,
    HOPE,
    KEYS,
    REFERENCE,
    Result,
    Run,
    plot,
    report,
)
from simulated_annotator import Plan, Point, make_base, simulate

from src_core.acquire import STRATEGIES
from src_core.config import ModelSettings
from src_core.devices import pick_device

if TYPE_CHECKING:
    from collections.abc import Iterator

SETS = ("acdc_cardiac_mri", "la_atrium_mri", "dsb2018_nuclei", "kvasir_polyp")
FULL: dict[str, Any] = {
    "labels": [5, 10, 15, 20, 25, 30, 35, 40],
    "seconds": 60.0,
    "first": 2.0,
    "pool": EVERYTHING,
    "test": EVERYTHING,
    "validation": 40,
    "size": 0,
    "threads": 0,
    "clock": "wall",
}
REDUCED: dict[str, Any] = {
    "labels": [5, 10, 20, 40],
    "seconds": 20.0,
    "first": 3.0,
    "pool": 200,
    "test": 60,
    "validation": 20,
    "size": 96,
    "threads": 1,
    "clock": "cpu",
}
FEW_CORES = 4
FIRST_OF_ALL = (
    REFERENCE,
    HOPE,
    (HOPE[0], "random"),
    (HOPE[0], "foreground-random"),
)


class Journal:
    """The file of JSON lines: a line with the setting, then one for each round.

    Parameters
    ----------
    path : Path
        Made where it is missing.
    setting : dict
        What a table must say about itself.
    """

    def __init__(self, path: Path, setting: Result) -> None:
        self.path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(setting) + "\n")
        # A line that was cut off in the middle is a round that was not finished.
        self._whole = path.read_text().rpartition("\n")[0] + "\n"
        lines = [json.loads(line) for line in self._whole.splitlines()]
        self.setting: Result = lines[0]
        self._rounds: dict[Run, dict[int, Point]] = {}
        for line in lines[1:]:
            self._rounds.setdefault(_run_of(line), {})[line["wanted"]] = line

    def mend(self) -> None:
        """Drop a line that was cut off, before others are appended."""
        if self.path.read_text() != self._whole:
            self.path.write_text(self._whole)

    def rounds(self, run: Run) -> list[Point]:
        """Return what is known of a run, in the order of the labels."""
        found = self._rounds.get(run, {})
        return [found[wanted] for wanted in sorted(found)]

    def add(self, run: Run, point: Point) -> None:
        """Append one round."""
        line: Point = dict(zip(KEYS, run, strict=True)) | point
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self._rounds.setdefault(run, {})[point["wanted"]] = line

    def forget(self, run: Run) -> None:
        """Take a run as not begun."""
        self._rounds.pop(run, None)

    @property
    def runs(self) -> dict[Run, list[Point]]:
        """All that is known."""
        return {run: self.rounds(run) for run in self._rounds}


def grid(arguments: argparse.Namespace) -> Iterator[Run]:
    """Yield all runs, the most telling first."""
    head = [
        pair for pair in FIRST_OF_ALL if pair[1] in {*arguments.strategies, "random"}
    ]
    tail = [(HOPE[0], name) for name in arguments.strategies]
    first = arguments.seeds[0]
    for seed in arguments.seeds:
        for name in arguments.sets:
            # One with everything labelled is enough: it is what shares are shares of.
            ceilings = [(REFERENCE[0], ALL), (HOPE[0], ALL)] if seed == first else []
            for method, strategy in head + ceilings:
                yield name, method, strategy, seed
    for seed in arguments.seeds:
        for name in arguments.sets:
            for method, strategy in tail:
                if (method, strategy) not in head:
                    yield name, method, strategy, seed


def run_grid(arguments: argparse.Namespace, journal: Journal) -> None:
    """Run what is missing, until the minutes are over."""
    device = pick_device(arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    journal.mend()
    read = time.process_time if arguments.clock == "cpu" else time.monotonic
    ends = read() + 60 * (arguments.minutes or np.inf)
    work = arguments.out.with_suffix(".work")
    for run in grid(arguments):
        plan = plan_of(arguments, run)
        past = journal.rounds(run)
        if len(past) == len(plan.labels):
            continue
        base = make_base(
            plan.data,
            work / run[0],
            pool=arguments.pool,
            validation=arguments.validation,
            test=arguments.test,
        )
        home = work / "-".join(map(str, run))
        if past and not home.exists():
            journal.forget(run)
            past = []
        for point in simulate(plan, base, home, device, past):
            journal.add(run, point)
            told = f"{point['labelled']} labelled, Dice {point['dice']:.4f}"
            print(f"{' '.join(map(str, run))}: {told}", flush=True)
            if read() >= ends:
                print("The minutes are over; the same command goes on.")
                return
        shutil.rmtree(home)


def plan_of(arguments: argparse.Namespace, run: Run) -> Plan:
    """Return what one run does."""
    name, method, strategy, seed = run
    data = (arguments.data / name).resolve()
    splits = json.loads((data / "meta.json").read_text())["splits"]
    aside = 0 if "val" in splits else arguments.validation
    pool = min(arguments.pool, len(splits["train"]) - aside)
    # At most half of the pool: with most of it labelled there is nothing to choose.
    labels = tuple(count for count in arguments.labels if count <= pool / 2)
    rounds = (arguments.first, *[1.0] * (len(labels) - 1))
    if strategy == ALL:
        labels, rounds = labels[-1:], (sum(rounds),)
    changed = json.loads(arguments.settings)
    changed = changed | {
        "frame": changed.get("frame", {}) | {"size": arguments.size},
        "train": changed.get("train", {}) | {"threads": arguments.threads},
    }
    return Plan(
        data,
        method,
        strategy,
        seed,
        labels,
        None if arguments.steps else arguments.seconds,
        rounds,
        arguments.steps or None,
        arguments.clock,
        ModelSettings.model_validate(changed),
    )


def parse() -> argparse.Namespace:
    """Read the command line; what is not given follows from the machine."""
    usual = REDUCED if (os.cpu_count() or 1) <= FEW_CORES else FULL
    default = os.environ.get("LGSSL_DATA", "../shared/data")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument(
        "--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES)
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--labels", nargs="+", type=int, default=usual["labels"])
    parser.add_argument(
        "--seconds", type=float, default=usual["seconds"], help="of a round's training"
    )
    parser.add_argument("--steps", type=int, default=0, help="a round; not seconds")
    parser.add_argument(
        "--first",
        type=float,
        default=usual["first"],
        help="how many rounds' time the first one has, from fresh weights",
    )
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default=usual["clock"], help="of seconds"
    )
    parser.add_argument("--pool", type=int, default=usual["pool"])
    parser.add_argument("--test", type=int, default=usual["test"])
    parser.add_argument(
        "--validation", type=int, default=usual["validation"], help="0: as in life"
    )
    parser.add_argument(
        "--size", type=int, default=usual["size"], help="pixels; 0: from the data"
    )
    parser.add_argument("--threads", type=int, default=usual["threads"])
    parser.add_argument("--settings", default="{}", help="of the model, as JSON")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--minutes", type=float, help="of all; none: to the end")
    parser.add_argument("--report", action="store_true", help="only print the table")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def setting_of(arguments: argparse.Namespace) -> Result:
    """Return what a table must say about itself."""
    now = {name: getattr(arguments, name) for name in (*FULL, "steps")}
    now["settings"] = json.loads(arguments.settings)
    kind = "GPU" if pick_device(arguments.device).torch.type == "cuda" else "CPU"
    return now | {
        "full": FULL,
        "machine": f"{kind}, {platform.machine()}, {os.cpu_count()} cores, "
        f"torch {torch.__version__}",
        "date": datetime.date.today().isoformat(),
    }


def _run_of(line: Point) -> Run:
    return line["data"], line["method"], line["strategy"], line["seed"]


def main() -> None:
    """Run what is missing, then print the table and draw the curves."""
    arguments = parse()
    if arguments.report and not arguments.out.exists():
        raise SystemExit(f"'{arguments.out}' is not there yet; run without --report.")
    now = setting_of(arguments)
    journal = Journal(arguments.out, now)
    if not arguments.report:
        if now | {"date": ""} != journal.setting | {"date": ""}:
            raise SystemExit(
                f"'{arguments.out}' was measured with other settings; a table is never "
                "mixed. Give another --out."
            )
        run_grid(arguments, journal)
    whole = {r: p for r, p in journal.runs.items() if p[-1]["wanted"] == p[-1]["last"]}
    print(report(journal.setting, whole))
    if whole:
        plot(whole, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
