"""How well a model tells that a target is not there, on truths it never saw.

The test split of most sets holds two or three images without a target, too few to say
anything of. So the training images that stayed unlabelled are asked, too: the model has
seen their pixels but nobody's masks of them. Wanted are projects of one case that
``methods.py --keep`` has trained and kept::

    python benchmarks/methods.py --cases acdc-10 --keep kept ... --out methods.jsonl
    python benchmarks/presence.py kept/acdc-10-lg-ssl-* --case acdc-10 --out p.json

With ``--refit`` the rule that decides is fitted anew on what is labelled, as a round
does at its end: for versions that an earlier release trained.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cases import CASES
from PIL import Image as Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from src_core.predict import Predictor
    from src_core.store import Project
    from src_core.types import Image


def unseen_truths(
    project: Project, folder: Path
) -> Iterator[tuple[Image, dict[str, Any]]]:
    """Yield images that taught nothing, and the masks of their targets by id.

    A training image of which anything is labelled is left out, and so is the validation
    split, on which the model's threshold was set.
    """
    from src_core.store.truth import truths
    from src_core.types import Split

    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    values = {kind["name"]: int(value) for value, kind in meta["classes"].items()}
    known = truths(project)
    for image in project.images():
        taught = image.split is Split.TRAIN and image.id in known
        if taught or image.split is Split.VAL:
            continue
        labels = np.asarray(Picture.open(folder / "masks" / image.name))
        yield image, {t.id: labels == values[t.name] for t in project.targets()}


def refitted(project: Project, model: Predictor) -> Predictor:
    """Let a round's own fit decide when a target counts as found."""
    from src_core.rounds.presence import fit_rule, look
    from src_core.rounds.validation import effective_split, held_out_groups
    from src_core.store.truth import truths
    from src_core.types import Split

    known, held_out = truths(project), held_out_groups(project)
    labelled: dict[Split, list[Image]] = {split: [] for split in Split}
    for image in project.images():
        if image.id in known and image.split is not Split.TEST:
            labelled[effective_split(image, held_out)].append(image)
    looked = {s: list(look(project, model, images)) for s, images in labelled.items()}
    rule = fit_rule(looked[Split.VAL], looked[Split.TRAIN])
    model.card = model.card.model_copy(update={"presence": rule})
    return model


def measure(path: Path, folder: Path, refit: bool) -> list[dict[str, Any]]:
    """Ask one project's model for every target of every such image."""
    from src_core.rounds import answerer
    from src_core.store import Project

    rows = []
    with Project.open(path) as project:
        model, targets = answerer(project), project.targets()
        model = refitted(project, model) if refit else model
        prompts = [target.wordings[0] for target in targets]
        for image, truth in unseen_truths(project, folder):
            pixels = np.asarray(project.pixels(image)[...])
            answers = model.predict(pixels, image.axes, prompts, like=image)
            for target, answer in zip(targets, answers, strict=True):
                rows.append(
                    {
                        "project": path.name,
                        "target": target.name,
                        "there": bool(truth[target.id].any()),
                        "score": answer.score,
                        "found": answer.present,
                    }
                )
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float | int | None]:
    """AUROC of the score, and the two ways to be wrong."""
    from src_core.calibration import auroc

    there = np.array([row["there"] for row in rows])
    found = np.array([row["found"] for row in rows])
    return {
        "present": int(there.sum()),
        "absent": int((~there).sum()),
        "auroc": auroc(np.array([row["score"] for row in rows]), there),
        "present_not_found": int((there & ~found).sum()),
        "absent_found": int((~there & found).sum()),
    }


def report(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table: each target that is missing somewhere, and all."""
    lines = [
        "| project | target | present | absent | AUROC | there, not found "
        "| not there, found |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["project"] for row in rows):
        mine = [row for row in rows if row["project"] == name]
        groups = {t: [r for r in mine if r["target"] == t] for t in _targets(mine)}
        for target, some in [*groups.items(), ("all", mine)]:
            told = summary(some)
            if told["absent"]:
                area = f"{told['auroc']:.3f}"
                counts = [told[k] for k in ("present", "absent")]
                wrong = [told[k] for k in ("present_not_found", "absent_found")]
                cells = [name, target, *counts, area, *wrong]
                lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _targets(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["target"] for row in rows))


def main() -> None:
    """Measure, print the table and keep it."""
    default = os.environ.get("LGSSL_DATA", "../shared/data")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("projects", type=Path, nargs="+")
    parser.add_argument("--case", choices=sorted(CASES), required=True)
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    folder = arguments.data / CASES[arguments.case].folder
    rows = [
        row
        for path in arguments.projects
        for row in measure(path, folder, arguments.refit)
    ]
    command = " ".join(["python", "benchmarks/presence.py", *sys.argv[1:]])
    arguments.out.write_text(json.dumps({"command": command, "rows": rows}))
    print(report(rows))


if __name__ == "__main__":
    main()
