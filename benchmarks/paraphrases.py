"""What a wording that was never trained with costs, in Dice.

A trained project is asked for each of its targets in words that no training saw: other
requests around the usual wording, and other names for the target. Every wording is
checked against what the training draws from; one that occurs there is left out. With
``--minutes`` or ``--steps`` the project is made and trained first, as
``methods.py`` does it::

    python benchmarks/paraphrases.py PROJECT --out paraphrases.json
    python benchmarks/paraphrases.py PROJECT --minutes 3 --out paraphrases.json
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from src_core.answers import Answerer
    from src_core.store import Project
    from src_core.types import Target

REQUESTS = (
    "where is the {}?",
    "please outline the {}",
    "I want to see the {}",
    "can you point out the {}",
    "{}, nothing else",
    "delineation of the {}",
)
NAMES = {
    "right ventricle": (
        "blood pool of the right ventricle",
        "RV cavity",
        "right ventricular blood pool",
        "right ventricular chamber",
        "inside of the right ventricle",
    ),
    "myocardium": (
        "LV myocardium",
        "myocardial wall",
        "cardiac muscle",
        "left ventricular wall",
        "heart muscle around the left ventricle",
    ),
    "left ventricle": (
        "blood pool of the left ventricle",
        "LV blood pool",
        "left ventricular blood pool",
        "left ventricular chamber",
        "inside of the left ventricle",
    ),
}


def unseen(targets: list[Target], more: dict[str, list[str]]) -> dict[str, list[str]]:
    """Target id -> wordings that no training with these targets draws."""
    from src_core.text import words
    from src_core.train.wordings import in_other_words

    written = [list(target.wordings) for target in targets]
    drawn = {
        tuple(words(text))
        for texts in (*written, *in_other_words(written))
        for text in texts
    }
    asked = {}
    for target in targets:
        usual = target.wordings[0]
        named = [*NAMES.get(target.name, ()), *more.get(target.name, ())]
        candidates = [request.format(usual) for request in REQUESTS] + named
        asked[target.id] = [t for t in candidates if tuple(words(t)) not in drawn]
        for text in set(candidates) - set(asked[target.id]):
            print(f"left out, since training draws it: {text}", file=sys.stderr)
    return asked


def measure(
    project: Project, predictor: Answerer, split: str, more: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """Mean Dice per image of every wording, the usual one first."""
    from src_core.metrics import dice
    from src_core.rounds.score import questions
    from src_core.types import Split

    asked = unseen(project.targets(), more)
    scores: dict[tuple[str, str], list[float]] = {}
    for question in questions(project, project.images(Split(split))):
        prompts, owners = [], []
        for target in question.targets:
            texts = [target.wordings[0], *asked[target.id]]
            prompts += texts
            owners += [target] * len(texts)
        answers = predictor.predict(
            question.pixels, question.image.axes, prompts, like=question.image
        )
        for target, prompt, answer in zip(owners, prompts, answers, strict=True):
            value = dice(answer.mask, question.truth[target.id])
            scores.setdefault((target.name, prompt), []).append(value)
    usual: dict[str, float] = {}
    rows = []
    for (target_name, prompt), values in scores.items():
        mean = float(np.mean(values))
        usual.setdefault(target_name, mean)
        rows.append(
            {
                "target": target_name,
                "wording": prompt,
                "dice": mean,
                "loss": usual[target_name] - mean,
                "n": len(values),
            }
        )
    return rows


def report(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table, the loss in points of Dice."""
    lines = ["| target | wording | Dice | loses |", "|---|---|---|---|"]
    seen = set()
    for row in rows:
        loses = f"{100 * row['loss']:+.2f}" if row["target"] in seen else "usual"
        seen.add(row["target"])
        cells = (row["target"], row["wording"], f"{100 * row['dice']:.2f}", loses)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(rows: list[dict[str, Any]]) -> dict[str, float | int]:
    """Mean and worst loss in points of Dice over all wordings never trained with."""
    first = {row["target"]: row["wording"] for row in reversed(rows)}
    losses = [100 * r["loss"] for r in rows if r["wording"] != first[r["target"]]]
    return {
        "wordings": len(losses),
        "mean_loss": float(np.mean(losses)),
        "worst_loss": float(np.max(losses)),
        "share_below_2": float(np.mean(np.array(losses) < 2.0)),
    }


def make(project: Path, case: str, data: Path, budget: list[Any], seed: int) -> None:
    """Make the project of a case and train; the budget is an option and its value."""
    from cases import CASES
    from methods import lgssl, prepare

    project.mkdir(parents=True)
    made = prepare(CASES[case], seed, data, project)
    print(lgssl("train", made, *budget, "--seed", seed))


def main() -> None:
    """Measure, print the table and keep it."""
    from src_core.rounds import answerer
    from src_core.store import Project

    default = os.environ.get("LGSSL_DATA", "../shared/data")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path, help="with --minutes: a new folder")
    parser.add_argument("--minutes", type=float, help="make the project, and train")
    parser.add_argument("--steps", type=int, help="the same; repeats itself")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--case", default="acdc-10", help="a row of cases.py")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="test")
    parser.add_argument("--version", default="")
    parser.add_argument("--wordings", type=Path, help="JSON: target name -> wordings")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    limits = {"--minutes": arguments.minutes, "--steps": arguments.steps}
    if budget := next(([k, v] for k, v in limits.items() if v), None):
        data = arguments.data.resolve()
        make(arguments.project, arguments.case, data, budget, arguments.seed)
        arguments.project /= "project"
    named = arguments.wordings
    more = json.loads(named.read_text()) if named else {}
    with Project.open(arguments.project) as project:
        model = answerer(project, arguments.version)
        rows = measure(project, model, arguments.split, more)
    result = {
        "command": " ".join(["python", "benchmarks/paraphrases.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
        "version": model.name,
        "summary": summary(rows),
        "rows": rows,
    }
    arguments.out.write_text(json.dumps(result, indent=1))
    print(report(rows))
    print(json.dumps(result["summary"]))


if __name__ == "__main__":
    main()
