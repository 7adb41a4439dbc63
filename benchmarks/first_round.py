"""One round from the command line on real images, method beside method.

For each seed a table is built with masks for a share of the training patients, the
rest unlabelled; then ``lgssl init``, ``import``, ``train`` and ``evaluate`` run as a
person would run them. Every method gets the same labelled patients and minutes.
Results are saved after every run, and what is saved already is not run again::

    python benchmarks/first_round.py --share 0.1 --minutes 5 --out first_round.json
"""

from __future__ import annotations

import argparse
import csv
import datetime
import itertools
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ("image", "mask", "value", "target", "prompt", "caption", "group", "split")


def lgssl(*arguments: object) -> dict[str, Any]:
    """Run the program and return its JSON."""
    command = [sys.executable, "-c", "from src_core.cli import main; main()"]
    done = subprocess.run(
        [*command, *map(str, arguments), "--json"], stdout=subprocess.PIPE, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def write_table(data: Path, share: float, seed: int, out: Path) -> list[str]:
    """Write the import table; return the labelled groups."""
    meta = json.loads((data / "meta.json").read_text())
    groups, splits = meta["groups"], meta["splits"]
    patients = sorted({groups[name] for name in splits["train"]})
    random.Random(seed).shuffle(patients)
    labelled = patients[: max(1, round(share * len(patients)))]
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for split, names in splits.items():
            for name in names:
                has_mask = split != "train" or groups[name] in labelled
                mask = data / "masks" / name if has_mask else ""
                for value, kind in meta["classes"].items():
                    writer.writerow(
                        [
                            data / "images" / name,
                            mask,
                            value,
                            kind["name"],
                            "|".join(kind["prompts"]),
                            meta["captions"].get(name, ""),
                            groups[name],
                            split,
                        ]
                    )
    return labelled


def overlap(project: Path, data: Path, folder: Path) -> float:
    """Largest overlap of two targets' masks on one test image, as a share of each."""
    from PIL import Image

    meta = json.loads((data / "meta.json").read_text())
    image = sorted(meta["splits"]["test"])[0]
    masks = []
    for kind in meta["classes"].values():
        out = folder / f"{kind['name']}.png"
        lgssl("predict", project, image, "--prompt", kind["prompts"][0], "--out", out)
        masks.append(np.asarray(Image.open(out)) > 0)
    return max(
        float((a & b).sum() / max(1, min(a.sum(), b.sum())))
        for a, b in itertools.combinations(masks, 2)
    )


def run(
    data: Path, method: str, seed: int, share: float, minutes: float
) -> dict[str, Any]:
    """Run one method with one seed and return its scores."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        project, table = folder / "project", folder / "table.csv"
        labelled = write_table(data, share, seed, table)
        lgssl("init", project)
        lgssl("import", project, table)
        trained = lgssl(
            "train", project, "--method", method, "--minutes", minutes, "--seed", seed
        )
        scores = lgssl("evaluate", project, "--split", "test")
        several = len(scores["targets"]) > 1
        return {
            "method": method,
            "seed": seed,
            "labelled_groups": labelled,
            "steps": trained["steps"],
            "seconds": trained["seconds"],
            "labelled": trained["labelled"],
            "unlabelled": trained["unlabelled"],
            "validation": trained["verdict"]["new"],
            "test": scores,
            "overlap": overlap(project, data, folder) if several else None,
        }


def report(results: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| method | seed | steps | Dice | IoU | pooled Dice | largest overlap |"]
    lines.append("|---|---|---|---|---|---|---|")
    for r in results:
        m = r["test"]["mean"]
        shared = "" if r["overlap"] is None else f"{r['overlap']:.3f}"
        lines.append(
            f"| {r['method']} | {r['seed']} | {r['steps']} | {m['dice']:.4f} | "
            f"{m['iou']:.4f} | {m['dice_pooled']:.4f} | {shared} |"
        )
    for method in dict.fromkeys(r["method"] for r in results):
        dices = [r["test"]["mean"]["dice"] for r in results if r["method"] == method]
        spread = float(np.std(dices))
        lines.append(
            f"| {method} | mean | | {np.mean(dices):.4f} ± {spread:.4f} | | | |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, save after each run, print the table."""
    default = os.environ.get("LGSSL_DATA", "../shared/data")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(default) / "acdc_cardiac_mri")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--methods", nargs="+", default=["lg-ssl", "supervised"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    setting = {
        "data": arguments.data.name,
        "share": arguments.share,
        "minutes": arguments.minutes,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
    }
    saved: dict[str, Any] = {"setting": setting, "results": []}
    if arguments.out.exists():
        saved = json.loads(arguments.out.read_text())
    done = {(r["method"], r["seed"]) for r in saved["results"]}
    for seed, method in itertools.product(arguments.seeds, arguments.methods):
        if (method, seed) in done:
            continue
        data = arguments.data.resolve()
        result = run(data, method, seed, arguments.share, arguments.minutes)
        saved["results"].append(result)
        arguments.out.write_text(json.dumps(saved, indent=1))
        print(f"{method} seed {seed}: Dice {result['test']['mean']['dice']:.4f}")
    print(json.dumps(saved["setting"]))
    print(report(saved["results"]))


if __name__ == "__main__":
    main()
