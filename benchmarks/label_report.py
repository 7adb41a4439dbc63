"""Tables, verdicts and curves of the label-efficiency benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.acquire.curve import area_under, labels_needed

if TYPE_CHECKING:
    from pathlib import Path

Run = tuple[str, str, str, int]
"""Data set, method, strategy, seed."""

Result = dict[str, Any]
Runs = dict[Run, list[Result]]

KEYS = ("data", "method", "strategy", "seed")
ALL = "all"
EVERYTHING = 100_000
"""As a number of images: however many there are."""
REFERENCE = ("supervised", "random")
HOPE = ("lg-ssl", "hybrid")
CHANCE = (HOPE[0], "random")


def report(setting: Result, runs: Runs) -> str:
    """Return the results as Markdown: a table a data set, then what they show.

    Parameters
    ----------
    setting : dict
        How it was measured.
    runs : dict
        Every run that is whole.
    """
    length = (
        f"{setting['steps']} steps"
        if setting["steps"]
        else f"{setting['seconds']:g} s ({setting['clock']} clock)"
    )
    lines = [
        f"{setting['machine']}, {setting['date']}. A round trains for {length}, the "
        f"first one {setting['first']:g} times as long; {setting['validation']} images "
        "with masks are set aside to judge versions by.",
    ]
    less = reduced(setting)
    if less:
        lines += ["", f"**Reduced grid**: {less}."]
    for name in dict.fromkeys(run[0] for run in runs):
        lines += ["", f"### {name}", "", *_table(_of_set(runs, name))]
    return "\n".join([*lines, "", *verdicts(runs)])


def reduced(setting: Result) -> str:
    """Say in which ways the grid is smaller than the full one; empty if in none."""
    full = setting["full"]
    parts = {
        "pool": "at most {:g} training images to choose from",
        "test": "at most {:g} test images",
        "validation": "{:g} validation images",
        "seconds": "rounds of {:g} s",
    }
    less = [
        f"{words.format(setting[name])} instead of "
        + ("all" if full[name] >= EVERYTHING else f"{full[name]:g}")
        for name, words in parts.items()
        if setting[name] < full[name] and not (name == "seconds" and setting["steps"])
    ]
    if setting["size"]:
        less.append(f"pictures brought to {setting['size']} pixels")
    if set(setting["labels"]) < set(full["labels"]):
        told = ", ".join(map(str, setting["labels"]))
        less.append(f"trained at {told} labelled images only")
    return "; ".join(less)


def _table(runs: Runs) -> list[str]:
    counts = sorted({p["wanted"] for r in runs for p in runs[r] if r[2] != ALL})
    head = ["method", "strategy", "seeds", *map(str, counts), "mean", "90 %", "95 %"]
    head += ["minutes", "beside random"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    best = full_dice(runs)
    for method, strategy in dict.fromkeys(run[1:3] for run in runs):
        mine = _of(runs, method, strategy)
        if strategy == ALL:
            dice = np.mean([run[-1]["dice"] for run in mine.values()])
            blank = " |" * (len(counts) + 4)
            told = f"with everything: Dice {dice:.3f}"
            lines.append(f"| {method} | everything | {len(mine)} |{blank} {told} |")
            continue
        cells = [method, strategy, str(len(mine))]
        dices = _dices(mine)
        cells += [_spread(dices.get(count, [])) for count in counts]
        cells.append(f"{np.mean([area(run) for run in mine.values()]):.3f}")
        cells += [_needed(mine, best and share * best) for share in (0.90, 0.95)]
        cells.append(f"{np.mean([run[-1]['minutes'] for run in mine.values()]):.0f}")
        cells.append(beside(mine, _of(runs, method, "random")))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def full_dice(runs: Runs) -> float | None:
    """Return the better method's Dice with everything labelled, of one data set."""
    return max((p[-1]["dice"] for r, p in runs.items() if r[2] == ALL), default=None)


def beside(mine: dict[int, list[Result]], chance: dict[int, list[Result]]) -> str:
    """Compare mean Dice along the curve with chance, seed by seed, in words."""
    both = sorted(mine.keys() & chance.keys())
    if not both or mine == chance:
        return ""
    mean, error = apart(mine, chance)
    if error is None:
        return f"{mean:+.2f} Dice (one seed)"
    word = "wins" if mean > 2 * error else "loses" if mean < -2 * error else "as good"
    return f"{mean:+.2f} ± {error:.2f} Dice: {word}"


def apart(
    mine: dict[int, list[Result]], other: dict[int, list[Result]]
) -> tuple[float, float | None]:
    """Return the mean difference in Dice (0 to 100) along the curve, and its error.

    None for the error where only one seed has both.
    """
    both = sorted(mine.keys() & other.keys())
    found = [100 * (area(mine[seed]) - area(other[seed])) for seed in both]
    if len(found) < 2:
        return float(np.mean(found)), None
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(len(found)))


def verdicts(runs: Runs) -> list[str]:
    """Say for each data set whether what was hoped for was found."""
    lines = []
    for name in dict.fromkeys(run[0] for run in runs):
        mine = _of_set(runs, name)
        best = full_dice(mine)
        hope, reference, chance = (_of(mine, *p) for p in (HOPE, REFERENCE, CHANCE))
        if best is None or not hope or not reference:
            continue
        wanted = 0.95 * best
        few, many = (median_needed(some, wanted) for some in (hope, reference))
        said = (
            f"- {name}: 95 % of the full-label Dice ({wanted:.3f}) is reached by "
            f"{HOPE[1]} + {HOPE[0]} {_with(few)}, by {REFERENCE[1]} + {REFERENCE[0]} "
            f"{_with(many)}"
        )
        if few is not None:
            most = max(p[-1]["wanted"] for p in reference.values())
            share = f"{few / (many or most):.2f}"
            said += f": {share if many else f'less than {share}'} of its labels"
        if chance:
            said += f". Beside {CHANCE[1]} + {CHANCE[0]}: {beside(hope, chance)}"
        lines.append(said + ".")
    return lines


def plot(runs: Runs, path: Path) -> None:
    """Draw Dice against images labelled, one panel a data set."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(run[0] for run in runs))
    figure = Figure(figsize=(5.2 * len(names), 4), dpi=110, layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=True):
        of_set = _of_set(runs, name)
        best = full_dice(of_set)
        if best is not None:
            axis.axhline(best, color="0.6", lw=0.8, ls=":")
            axis.axhline(0.95 * best, color="0.6", lw=0.8, ls="--")
        for method, strategy in dict.fromkeys(run[1:3] for run in of_set):
            if strategy == ALL:
                continue
            mine = _of(of_set, method, strategy)
            dices = _dices(mine)
            means = [np.mean(found) for found in dices.values()]
            style = "--" if method == REFERENCE[0] else "-"
            label = f"{method}, {strategy}"
            axis.plot(list(dices), means, style, marker=".", label=label)
        axis.set(title=name, xlabel="images labelled", ylabel="Dice on the test split")
        axis.legend(fontsize=7)
    figure.savefig(path)


def area(run: list[Result]) -> float:
    """Mean Dice along one run's curve."""
    return area_under([p["wanted"] for p in run], [p["dice"] for p in run])


def median_needed(mine: dict[int, list[Result]], wanted: float) -> float | None:
    """Return the labels that the median seed needs; None where it never gets there."""
    found = [
        labels_needed([p["wanted"] for p in run], [p["dice"] for p in run], wanted)
        for run in mine.values()
    ]
    middle = float(np.median([np.inf if one is None else one for one in found]))
    return None if np.isinf(middle) else middle


def _of_set(runs: Runs, name: str) -> Runs:
    return {run: points for run, points in runs.items() if run[0] == name}


def _of(runs: Runs, method: str, strategy: str) -> dict[int, list[Result]]:
    """Seed -> rounds, of one data set."""
    return {r[3]: points for r, points in runs.items() if r[1:3] == (method, strategy)}


def _dices(mine: dict[int, list[Result]]) -> dict[int, list[float]]:
    """Labelled images -> Dice of each seed, in order."""
    found: dict[int, list[float]] = {}
    for point in (p for run in mine.values() for p in run):
        found.setdefault(point["wanted"], []).append(point["dice"])
    return dict(sorted(found.items()))


def _spread(dices: list[float]) -> str:
    if len(dices) < 2:
        return "".join(f"{dice:.3f}" for dice in dices)
    return f"{np.mean(dices):.3f} ± {np.std(dices):.3f}"


def _needed(mine: dict[int, list[Result]], wanted: float | None) -> str:
    if wanted is None:
        return ""
    middle = median_needed(mine, wanted)
    most = max(run[-1]["wanted"] for run in mine.values())
    return f"> {most}" if middle is None else f"{middle:.0f}"


def _with(count: float | None) -> str:
    return "never" if count is None else f"with {count:.0f} images"
