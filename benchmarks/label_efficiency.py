"""Dice against images labelled: every strategy beside chance, on real images.

The whole loop is simulated with the truth as annotator: rounds of five images, each
followed by a training, the promotion gate and a look at the test split, for each
strategy, method and seed. Results are saved after every round of every run; what is
saved already is not run again, and `--minutes` ends the whole before a new run begins::

    python benchmarks/label_efficiency.py --out label_efficiency.json
    python benchmarks/label_efficiency.py --out label_efficiency.json --report

On few cores a reduced grid runs (smaller pools, shorter rounds, fewer strategies) and
every table says that it is reduced.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from simulated_annotator import Plan, make_base, simulate

from src_core.acquire import STRATEGIES
from src_core.acquire.curve import area_under, labels_needed
from src_core.config import ModelSettings
from src_core.devices import pick_device

SETS = ("acdc_cardiac_mri", "la_atrium_mri", "dsb2018_nuclei", "kvasir_polyp")
REFERENCE = ("supervised", "random")
HOPE = ("lg-ssl", "hybrid")
FULL = {
    "labels": (5, 10, 15, 20, 25, 30, 35, 40),
    "strategies": tuple(STRATEGIES),
    "seconds": 60.0,
    "pool": 100_000,
    "test": 100_000,
    "validation": 40,
}
REDUCED = {
    "labels": (5, 10, 15, 20, 30, 40),
    "strategies": (
        "random",
        "foreground-random",
        "entropy",
        "coreset",
        "typiclust",
        "hybrid",
    ),
    "seconds": 20.0,
    "pool": 200,
    "test": 60,
    "validation": 20,
}
FEW_CORES = 4
Result = dict[str, Any]


def pairs(strategies: tuple[str, ...]) -> list[tuple[str, str]]:
    """Method and strategy of each run: every strategy with lg-ssl, and the reference.

    Both methods also with everything labelled, which is what the shares of 90 and 95 %
    are shares of.
    """
    both = [("lg-ssl", name) for name in strategies]
    return [REFERENCE, *both, ("supervised", "all"), ("lg-ssl", "all")]


def labels_for(labels: tuple[int, ...], pool: int) -> tuple[int, ...]:
    """The points of a curve: at most half of the pool."""
    return tuple(count for count in labels if count <= pool // 2)


def run_grid(arguments: argparse.Namespace, saved: Result) -> None:
    """Run what is missing, seed by seed, so that a table is fair at any time."""
    device = pick_device(arguments.device)
    begun = time.monotonic()
    done = {_key(run) for run in saved["runs"] if run["done"]}
    saved["runs"] = [run for run in saved["runs"] if run["done"]]
    grid = itertools.product(
        arguments.seeds, arguments.sets, pairs(tuple(arguments.strategies))
    )
    with tempfile.TemporaryDirectory() as temporary:
        for seed, name, (method, strategy) in grid:
            key = (name, method, strategy, seed)
            late = time.monotonic() - begun >= 60 * (arguments.minutes or np.inf)
            if key in done or (strategy == "all" and seed != arguments.seeds[0]):
                continue
            if late:
                print(f"The {arguments.minutes} minutes are over; run again to go on.")
                return
            data = (arguments.data / name).resolve()
            base = make_base(
                data,
                Path(temporary) / name,
                pool=arguments.pool,
                validation=arguments.validation,
                test=arguments.test,
            )
            labels = labels_for(tuple(arguments.labels), pool_size(data, arguments))
            plan = plan_of(arguments, data, method, strategy, seed, labels)
            run: Result = dict(zip(KEYS, key, strict=True)) | {
                "points": [],
                "done": False,
            }
            saved["runs"].append(run)
            with tempfile.TemporaryDirectory() as home:
                for point in simulate(plan, base, Path(home) / "project", device):
                    run["points"].append(point)
                    _save(arguments.out, saved)
                    print(
                        f"{name} {method} {strategy} seed {seed}: "
                        f"{point['labelled']} labelled, Dice {point['dice']:.4f}",
                        flush=True,
                    )
            run["done"] = True
            _save(arguments.out, saved)


def plan_of(
    arguments: argparse.Namespace,
    data: Path,
    method: str,
    strategy: str,
    seed: int,
    labels: tuple[int, ...],
) -> Plan:
    """Return one run; with everything labelled, all rounds' time goes into one."""
    everything = strategy == "all"
    times = len(labels) if everything else 1
    return Plan(
        data,
        method,
        strategy,
        seed,
        labels[-1:] if everything else labels,
        None if arguments.steps else arguments.seconds * times,
        arguments.steps * times if arguments.steps else None,
        ModelSettings.model_validate(json.loads(arguments.settings)),
    )


def pool_size(data: Path, arguments: argparse.Namespace) -> int:
    """How many training images there will be, about."""
    count = len(json.loads((data / "meta.json").read_text())["splits"]["train"])
    return int(min(arguments.pool, max(1, count - arguments.validation)))


# ------------------------------------------------------------------------ report
KEYS = ("data", "method", "strategy", "seed")


def report(saved: Result) -> str:
    """Return the results as Markdown: a table a data set, then what it shows."""
    setting = saved["setting"]
    lines = [f"`{setting['command']}` on {setting['machine']}, {setting['date']}."]
    if setting["reduced"]:
        lines.append(f"**Reduced grid**: {setting['reduced']}.")
    for name in dict.fromkeys(run["data"] for run in saved["runs"]):
        lines += ["", f"### {name}", "", *_table(saved, name)]
    return "\n".join([*lines, "", *verdicts(saved)])


def _table(saved: Result, name: str) -> list[str]:
    mine = [run for run in saved["runs"] if run["data"] == name and run["done"]]
    full = full_dice(mine)
    counts = sorted(
        {p["labelled"] for r in mine if r["strategy"] != "all" for p in r["points"]}
    )
    head = [
        "method",
        "strategy",
        "seeds",
        *map(str, counts),
        "area",
        "90 %",
        "95 %",
        "minutes",
        "against random",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for method, strategy in dict.fromkeys((r["method"], r["strategy"]) for r in mine):
        runs = _of(mine, method, strategy)
        if strategy == "all":
            lines.append(f"| {method} | all | {len(runs)} | Dice {full[method]:.4f} |")
            continue
        cells = [method, strategy, str(len(runs))]
        for count in counts:
            dices = [p["dice"] for r in runs for p in r["points"] if _at(p, count)]
            cells.append(f"{np.mean(dices):.3f} ± {np.std(dices):.3f}" if dices else "")
        cells.append(f"{np.mean([_area(run) for run in runs]):.4f}")
        best = max(full.values(), default=None)
        cells += [_needed(runs, best and share * best) for share in (0.90, 0.95)]
        cells.append(f"{np.mean([r['points'][-1]['minutes'] for r in runs]):.0f}")
        cells.append(against(runs, _of(mine, method, "random")))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def full_dice(runs: list[Result]) -> dict[str, float]:
    """Method -> Dice with everything labelled."""
    return {
        run["method"]: float(run["points"][-1]["dice"])
        for run in runs
        if run["strategy"] == "all" and run["points"]
    }


def against(runs: list[Result], chance: list[Result]) -> str:
    """Compare areas under the curve with chance, seed by seed, in words."""
    areas = {run["seed"]: _area(run) for run in chance}
    apart = [_area(r) - areas[r["seed"]] for r in runs if r["seed"] in areas]
    if not apart or runs == chance:
        return ""
    mean = 100 * float(np.mean(apart))
    if len(apart) < 2:
        return f"{mean:+.2f} Dice (one seed)"
    error = 100 * float(np.std(apart, ddof=1) / np.sqrt(len(apart)))
    word = "wins" if mean > 2 * error else "loses" if mean < -2 * error else "as good"
    return f"{mean:+.2f} ± {error:.2f} Dice: {word}"


def verdicts(saved: Result) -> list[str]:
    """Say for each data set whether what was hoped for was found."""
    lines = []
    for name in dict.fromkeys(run["data"] for run in saved["runs"]):
        mine = [run for run in saved["runs"] if run["data"] == name and run["done"]]
        best = max(full_dice(mine).values(), default=None)
        if best is None:
            continue
        wanted = 0.95 * best
        needed = {pair: _median_needed(_of(mine, *pair), wanted) for pair in
                  (REFERENCE, HOPE)}  # fmt: skip
        said = {
            pair: "never" if value is None else f"{value:.0f} images"
            for pair, value in needed.items()
        }
        lines.append(
            f"- {name}: 95 % of the full-label Dice ({wanted:.3f}) is reached by "
            f"{HOPE[1]} + {HOPE[0]} with {said[HOPE]}, by {REFERENCE[1]} + "
            f"{REFERENCE[0]} with {said[REFERENCE]}."
        )
    return lines


def plot(saved: Result, path: Path) -> None:
    """Draw Dice against images labelled, one panel a data set."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(run["data"] for run in saved["runs"]))
    figure = Figure(figsize=(5.2 * len(names), 4), dpi=110, layout="constrained")
    for axis, name in zip(
        figure.subplots(1, len(names), squeeze=False)[0], names, strict=True
    ):
        mine = [run for run in saved["runs"] if run["data"] == name and run["done"]]
        for method, strategy in dict.fromkeys(
            (run["method"], run["strategy"]) for run in mine
        ):
            runs = _of(mine, method, strategy)
            if strategy == "all":
                full = float(runs[0]["points"][-1]["dice"])
                axis.axhline(full, color="0.6", lw=0.8, ls=":")
                continue
            counts = sorted({p["labelled"] for r in runs for p in r["points"]})
            means = [
                np.mean([p["dice"] for r in runs for p in r["points"] if _at(p, c)])
                for c in counts
            ]
            style = "--" if method == REFERENCE[0] else "-"
            axis.plot(counts, means, style, marker=".", label=f"{method}, {strategy}")
        axis.set(title=name, xlabel="images labelled", ylabel="Dice on the test split")
        axis.legend(fontsize=7)
    figure.savefig(path)


def _of(runs: list[Result], method: str, strategy: str) -> list[Result]:
    return [r for r in runs if (r["method"], r["strategy"]) == (method, strategy)]


def _at(point: Result, count: int) -> bool:
    return bool(point["labelled"] == count)


def _curve(run: Result) -> tuple[list[float], list[float]]:
    points = run["points"]
    return [p["labelled"] for p in points], [p["dice"] for p in points]


def _area(run: Result) -> float:
    return area_under(*_curve(run))


def _median_needed(runs: list[Result], wanted: float) -> float | None:
    found = [labels_needed(*_curve(run), wanted) for run in runs]
    reached = [np.inf if value is None else value for value in found]
    middle = float(np.median(reached)) if reached else np.inf
    return None if np.isinf(middle) else middle


def _needed(runs: list[Result], wanted: float | None) -> str:
    if wanted is None:
        return ""
    middle = _median_needed(runs, wanted)
    return "never" if middle is None else f"{middle:.0f}"


def _key(run: Result) -> tuple[Any, ...]:
    return tuple(run[key] for key in KEYS)


def _save(path: Path, saved: Result) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(saved, indent=1))
    partial.replace(path)


def parse() -> argparse.Namespace:
    """Read the command line; what is not given follows from the machine."""
    few = (os.cpu_count() or 1) <= FEW_CORES
    usual = REDUCED if few else FULL
    default = os.environ.get("LGSSL_DATA", "../shared/data")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument(
        "--strategies", nargs="+", choices=STRATEGIES, default=usual["strategies"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--labels", nargs="+", type=int, default=usual["labels"])
    parser.add_argument("--seconds", type=float, default=usual["seconds"])
    parser.add_argument("--steps", type=int, default=0, help="a round; not seconds")
    parser.add_argument("--pool", type=int, default=usual["pool"])
    parser.add_argument("--test", type=int, default=usual["test"])
    parser.add_argument(
        "--validation", type=int, default=usual["validation"], help="0: as in life"
    )
    parser.add_argument("--settings", default="{}", help="of the model, as JSON")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--minutes", type=float, help="of all; none: to the end")
    parser.add_argument("--report", action="store_true", help="only print the table")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def setting_of(arguments: argparse.Namespace) -> Result:
    """Return what a table must say about itself."""
    reduced = [
        f"{name} {getattr(arguments, name)} instead of {FULL[name]}"
        for name in ("pool", "test", "validation", "seconds")
        if getattr(arguments, name) < FULL[name]
    ]
    missing = [s for s in FULL["strategies"] if s not in arguments.strategies]
    if missing:
        reduced.append(f"without {', '.join(missing)}")
    if set(arguments.labels) < set(FULL["labels"]):
        reduced.append(
            f"trained at {', '.join(map(str, arguments.labels))} labels only"
        )
    a_round = (
        f"--steps {arguments.steps}"
        if arguments.steps
        else (f"--seconds {arguments.seconds:g}")
    )
    return {
        "command": f"python benchmarks/label_efficiency.py {a_round}",
        "reduced": "; ".join(reduced),
        "validation": arguments.validation,
        "settings": json.loads(arguments.settings),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
    }


def main() -> None:
    """Run what is missing, then print the table and draw the curves."""
    arguments = parse()
    saved: Result = {"setting": setting_of(arguments), "runs": []}
    if arguments.out.exists():
        saved = json.loads(arguments.out.read_text())
        now = setting_of(arguments) | {"date": saved["setting"]["date"]}
        if not arguments.report and now != saved["setting"]:
            raise SystemExit(
                f"'{arguments.out}' was measured with other settings; a table is never "
                "mixed. Give another --out."
            )
    if not arguments.report:
        run_grid(arguments, saved)
    print(report(saved))
    if any(run["done"] for run in saved["runs"]):
        plot(saved, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
