"""Where the time goes, as ratios measured in one run on one machine.

What is compared is timed in turns (A, B, A, B, ...) and each ratio is of medians, so
that a noisy machine disturbs both sides alike::

    xvfb-run -a python benchmarks/speed.py --out speed.json --report speed.md
    python benchmarks/speed.py --only predict step --out speed.json
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speed_answers import predict, scoring
from speed_app import first_model, memory, start, window
from speed_day import day
from speed_training import overhead, profile, step, switches

if TYPE_CHECKING:
    from collections.abc import Callable

    from timing import Row

MEASUREMENTS: dict[str, Callable[[], list[Row]]] = {
    work.__name__: work
    for work in (
        start,
        window,
        predict,
        scoring,
        step,
        profile,
        overhead,
        switches,
        first_model,
        memory,
        day,
    )
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
        "| what | | beside | | times better | goal |",
        "|---|---|---|---|---|---|",
    ]
    for part in results["parts"].values():
        for row in part["rows"]:
            ours, theirs = (
                _told(row[side], row["unit"]) for side in ("ours", "theirs")
            )
            ratio = f"{row['theirs'] / row['ours']:.2f}"
            cells = (row["what"], ours, row["beside"], theirs, ratio, row["goal"])
            lines.append(f"| {' | '.join(cells)} |")
    peaks = ", ".join(
        f"{name} {part['megabytes']:.0f} MB" for name, part in results["parts"].items()
    )
    return "\n".join([*lines, "", f"Peak memory of each process: {peaks}."])


def _told(value: float, unit: str) -> str:
    return f"{value * 1e3:.1f} ms" if unit == "s" else f"{value:.0f} {unit}"


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
