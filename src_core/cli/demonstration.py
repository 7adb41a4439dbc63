"""The demonstration: a whole round on sample data, with a picture report.

It plays the clinician: a few first labels, a first sketch of a model, proposals that
are corrected and saved, and one real round.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from src_core.cli.console import tell, user
from src_core.cli.report import ReportRow, write_report
from src_core.cli.training import train_with_bar
from src_core.exchange import import_rows
from src_core.imaging import TableRow, read_table
from src_core.predict import Predictor
from src_core.rounds import evaluate, promoted, score_images
from src_core.store import Project
from src_core.types import Image, MaskStatus, Source, SourceKind, Split

SKETCH_STEPS = 12
PICTURES_IN_REPORT = 2


def demonstrate(out: Path, minutes: float) -> dict[str, Any]:
    """Live through one round in a new project below `out`.

    Parameters
    ----------
    out : Path
        Gets the project and ``report.png``; earlier ones are kept.
    minutes : float
        Of training.

    Returns
    -------
    dict
        Mean Dice on the held-out images ``before`` and ``after``, the version that
        answers, and where project and report lie.
    """
    import sample_data

    folder = _free(out / "project")
    folder.parent.mkdir(parents=True, exist_ok=True)
    rows = read_table(sample_data.table_path())
    first, later = _share_out(rows)
    who = user()

    tell(f"1/5 Importing the sample images into '{folder}'…")
    with Project.create(folder) as project:
        import_rows(project, first, who=who)
    tell("2/5 A first sketch of a model, from the labels of one patient of each kind…")
    _train(folder, {"steps": SKETCH_STEPS}, who)
    before, sketch = _look(folder)
    tell("3/5 Its proposals are corrected and saved…")
    corrected = _correct(folder, later, who)
    tell(f"    {corrected} masks corrected.")
    tell(f"4/5 One round of {minutes:g} min…")
    result = _train(folder, {"minutes": minutes}, who)
    tell(f"    {result['verdict']['reason']}")
    tell("5/5 Asking the same questions again…")
    after, now = _look(folder)
    report = write_report(_free(out / "report.png"), _merge(sketch, now))
    return {
        "before": before["mean"]["dice"],
        "after": after["mean"]["dice"],
        "targets": {k: v["dice"] for k, v in after["targets"].items()},
        "version": result["version"],
        "promoted": result["promoted"],
        "seconds": result["seconds"],
        "project": str(folder),
        "report": str(report),
    }


def _free(path: Path) -> Path:
    """Return the path, or the first of path-2, path-3… that is not taken."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _share_out(rows: list[TableRow]) -> tuple[list[TableRow], list[TableRow]]:
    """Divide the sample: what is known at first, and what will be corrected later.

    Of each kind of picture the first labelled patient keeps its masks from the start.
    """
    known: dict[str, str] = {}
    first, later = [], []
    for row in rows:
        if (
            row.split is not Split.TRAIN
            or row.mask is None
            or known.setdefault(row.image.path.parent.name, row.group) == row.group
        ):
            first.append(row)
        else:
            first.append(replace(row, mask=None))
            later.append(row)
    return first, later


def _train(folder: Path, limit: dict[str, Any], who: str) -> dict[str, Any]:
    return train_with_bar(folder, {"minutes": None, "steps": None, **limit}, None, who)


def _correct(folder: Path, rows: list[TableRow], who: str) -> int:
    """Propose a mask for each row, then save what a clinician would make of it."""
    from src_core.imaging import read_mask

    with Project.open(folder, mode="rw") as project:
        predictor = _predictor(project)
        by_name = {image.name: image for image in project.images()}
        for row in rows:
            image, target = by_name[row.image.path.name], project.target(row.target)
            pixels = np.asarray(project.pixels(image)[...])
            prompt = row.prompts[0]
            answer = predictor.predict(
                pixels, image.axes, [prompt], key=image.id, like=image
            )[0]
            proposal = project.save_mask(
                image.id,
                target.id,
                answer.shape_mask,
                who=who,
                status=MaskStatus.PROPOSED,
                source=Source(SourceKind.MODEL, answer.version, prompt),
            )
            assert row.mask is not None
            truth = read_mask(row.mask, row.value)
            project.save_mask(
                image.id,
                target.id,
                truth,
                who=who,
                status=MaskStatus.DONE if truth.any() else MaskStatus.EMPTY,
                parent=proposal.number,
            )
    return len(rows)


def _predictor(project: Project) -> Predictor:
    version = promoted(project)
    assert version is not None
    return Predictor.load(
        project.models_dir / version, text_cache=project.cache_dir / "text"
    )


def _look(folder: Path) -> tuple[dict[str, Any], list[ReportRow]]:
    """Score the held-out images, and keep some pictures of them."""
    with Project.open(folder) as project:
        predictor = _predictor(project)
        scores = evaluate(project, predictor, Split.TEST)
        shown = _shown(project.images(Split.TEST))
        rows = [
            ReportRow(
                np.asarray(project.pixels(scored.image)[...]),
                scored.image.axes,
                scored.target.wordings[0],
                scored.truth,
                scored.prediction.mask,
                None,
            )
            for scored in score_images(project, predictor, shown)
        ]
    return scores, rows


def _shown(images: list[Image]) -> list[Image]:
    """Take a few pictures from all over the list."""
    step = max(1, len(images) // PICTURES_IN_REPORT)
    return images[::step][:PICTURES_IN_REPORT]


def _merge(before: list[ReportRow], after: list[ReportRow]) -> list[ReportRow]:
    return [replace(b, after=a.before) for b, a in zip(before, after, strict=True)]
