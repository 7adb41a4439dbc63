"""The tables that `methods.py` writes of its results."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def overview(results: list[dict[str, Any]]) -> list[str]:
    """Return the Dice of every method on every case, and the mean where all are run."""
    # The fully labelled cases are bounds of the others, and no part of a mean.
    cases = [c for c in dict.fromkeys(r["case"] for r in results) if "-100" not in c]
    lines = [f"| Dice | {' | '.join(cases)} | mean |", "|" + "---|" * (len(cases) + 2)]
    for method in dict.fromkeys(r["method"] for r in results):
        runs = [
            [_score(r, "target", "dice") for r in results if _is(r, case, method)]
            for case in cases
        ]
        means = [np.mean([d for d in some if d is not None]) for some in runs if some]
        whole = f"{np.mean(means):.4f}" if all(runs) else ""
        cells = " | ".join(_cell(some) for some in runs)
        lines.append(f"| {method} | {cells} | {whole} |")
    bounds = [r for r in results if "-100" in r["case"]]
    lines += [
        f"\nEverything labelled, {r['case']}, {r['method']}, seed {r['seed']}: "
        f"{_score(r, 'target', 'dice'):.4f}"
        for r in bounds
    ]
    return [*lines, ""]


def _is(result: dict[str, Any], case: str, method: str) -> bool:
    return (result["case"], result["method"]) == (case, method)


def report(setting: dict[str, Any], results: list[dict[str, Any]]) -> str:
    """Return the results as Markdown tables, a row a method."""
    lines = [f"`{json.dumps(setting)}`", "", *overview(results)]
    kinds = [
        ("target", "dice", "Dice"),
        ("target", "dice_pooled", "pooled Dice"),
        ("target", "iou", "IoU"),
        ("target", "hd95", "HD95"),
        ("own", "dice", "Dice, own caption"),
        ("paraphrase", "dice", "Dice, another wording"),
        ("wrong", "dice", "Dice, wrong prompt"),
    ]
    for case in dict.fromkeys(r["case"] for r in results):
        here = [r for r in results if r["case"] == case]
        lines += [
            f"**{case}**, {here[0]['labelled']} labelled + "
            f"{here[0]['unlabelled']} unlabelled",
            "",
            f"| method | steps | {' | '.join(k[2] for k in kinds)} | presence AUROC |",
            "|" + "---|" * (len(kinds) + 3),
        ]
        for method in dict.fromkeys(r["method"] for r in here):
            runs = [r for r in here if r["method"] == method]
            cells = [_cell([_score(r, *kind[:2]) for r in runs]) for kind in kinds]
            known = [r["target"]["presence"]["auroc"] for r in runs]
            cells.append(_cell(known))
            steps = f"{np.mean([r['steps'] for r in runs]):.0f}"
            lines.append(f"| {method} ({len(runs)}) | {steps} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _score(result: dict[str, Any], source: str, key: str) -> float | None:
    if source not in result:
        return None
    scores = result[source]
    if key in scores["mean"]:
        value: float = scores["mean"][key]
        return value
    known = [s[key] for s in scores["targets"].values() if s[key] is not None]
    return float(np.mean(known)) if known else None


def _cell(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    digits = 1 if max(known) > 1.5 else 4
    if len(known) == 1:
        return f"{known[0]:.{digits}f}"
    return f"{np.mean(known):.{digits}f} ± {np.std(known):.{digits}f}"
