"""Commands that ask, judge and choose models."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from src_core.cli.cluster import KeysFolder
from src_core.cli.console import (
    AsJson,
    ProjectFolder,
    Who,
    emit,
    progress_bar,
    tell,
    user,
)

if TYPE_CHECKING:
    from src_core.answers import Answerer
    from src_core.imaging import Picture
    from src_core.imaging.planes import Pixels
    from src_core.predict import Predictor
    from src_core.store import Project
    from src_core.types import Image

Version = Annotated[
    str,
    typer.Option("--version", help="A version, clipseg or sam3; else what answers."),
]


def predict(
    project: ProjectFolder,
    prompt: Annotated[str, typer.Option(help="What to find.")],
    out: Annotated[Path, typer.Option(help="Where the mask goes: .png or .nii.gz.")],
    image: Annotated[
        str, typer.Argument(help="A file, or an image of the project.")
    ] = "",
    version: Version = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Every image; --out is a folder.")
    ] = False,
    scheduler: Annotated[
        str, typer.Option(help="With --all: tls://host:port of a server.")
    ] = "",
    keys: KeysFolder = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Write the mask even if not found.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the model for one target, in one image or in all of them."""
    from src_core.errors import BadInputError

    if everything is bool(image) or (scheduler and not everything):
        raise BadInputError("Name an image, or give --all; --scheduler goes with it.")
    if not prompt.strip():
        raise BadInputError("The prompt is empty; say what to find.")
    if everything:
        from src_core.cli.pool import predict_all

        found_all = predict_all(project, prompt, out, version, scheduler, keys)
        found_in = f"Found in {found_all['found']} of {found_all['images']} images"
        emit(found_all, f"{found_in} -> {out}", as_json=as_json)
        return
    _predict_one(project, image, prompt, out, version, anyway, as_json)


def _predict_one(
    project: Path,
    image: str,
    prompt: str,
    out: Path,
    version: str,
    anyway: bool,
    as_json: bool,
) -> None:
    """Ask about one image, which lies in the project or in a file."""
    from src_core.imaging import side_words, write_mask
    from src_core.proposers import is_proposer
    from src_core.rounds import answerer
    from src_core.store import Project
    from src_core.text import sides

    _refuse_to_overwrite(image, out)
    with Project.open(project) as opened:
        model = answerer(opened, version)
        shown, pixels = _shown(opened, image)
        meant = _meant(opened, model, prompt)
        with progress_bar() as bars:
            task = bars.add_task("slices", total=None, note="")
            answer = model.predict(
                pixels,
                shown.axes,
                [prompt],
                like=shown,
                watch=lambda done, total: bars.update(
                    task, completed=done, total=total
                ),
            )[0]
    mask = answer.shape_mask if anyway else answer.mask
    write_mask(out, mask, like=shown)
    payload = {
        "present": answer.present,
        "score": round(answer.score, 4),
        "pixels": int(mask.sum()),
        "version": answer.version,
        "ms": round(answer.milliseconds, 2),
        "out": str(out),
        "sides": "patient" if shown.orientation else "picture",
        **meant,
    }
    if sides(prompt) and not shown.orientation:
        tell(side_words(shown.orientation))
    found = f"Found: {payload['pixels']} pixels" if answer.present else "Not found"
    judged = f"score {answer.score:.2f}, threshold {model.threshold:.2f}"
    sentence = f"{found} ({judged}) -> {out}"
    if is_proposer(answer.version):
        tell(
            f"This is a proposal of {answer.version}; nobody has measured it on these "
            "images."
        )
    emit(payload, sentence, as_json=as_json)


def _refuse_to_overwrite(image: str, out: Path) -> None:
    from src_core.errors import BadInputError
    from src_core.imaging import Source

    file = Source.of(image).path
    if out.exists() and file.exists() and out.samefile(file):
        raise BadInputError(
            f"The mask would be written over its image '{out}'; give --out another "
            "name."
        )


def _shown(project: Project, image: str) -> tuple[Picture | Image, Pixels]:
    """Return the image of a file, or the project's own of that name, and its pixels."""
    from src_core.imaging import Source, read_image

    source = Source.of(image)
    if source.path.exists():
        picture = read_image(source)
        return picture, picture.pixels
    known = project.image(image)
    return known, project.pixels(known)


def _meant(project: Project, model: Answerer, prompt: str) -> dict[str, Any]:
    """Say which known target a wording was taken for."""
    from src_core.text import match_target

    match = match_target(prompt, project.targets(), model.encoder)
    if match is None:
        return {"target": None, "similarity": None}
    if not match.is_exact:
        tell(
            f"'{prompt}' is a new wording; nearest known: '{match.wording}' "
            f"({match.target.name}, similarity {match.similarity:.2f})."
        )
    return {"target": match.target.name, "similarity": round(match.similarity, 3)}


def evaluate(
    project: ProjectFolder,
    split: Annotated[str, typer.Option(help="train, val or test.")],
    prompt_from: Annotated[
        str, typer.Option(help="own, target, paraphrase or wrong.")
    ] = "target",
    version: Version = "",
    as_json: AsJson = False,
) -> None:
    """Score a model on the finished masks of a split."""
    from src_core.errors import BadInputError
    from src_core.rounds import PromptFrom, answerer
    from src_core.rounds import evaluate as score
    from src_core.store import Project
    from src_core.types import Split

    for value, allowed in ((split, Split), (prompt_from, PromptFrom)):
        if value not in list(allowed):
            raise BadInputError(f"'{value}' is none of {', '.join(allowed)}.")
    with Project.open(project) as opened:
        model = answerer(opened, version)
        result = score(opened, model, Split(split), PromptFrom(prompt_from))
    payload = {**result, "version": model.name}
    emit(payload, _score_table(result), as_json=as_json)


def _score_table(result: dict[str, Any]) -> str:
    lines = [f"{'target':<28}{'dice':>8}{'iou':>8}{'pooled':>8}{'hd95':>8}{'n':>6}"]
    for name, s in result["targets"].items():
        hd95 = math.nan if s["hd95"] is None else s["hd95"]
        lines.append(
            f"{name:<28}{s['dice']:>8.4f}{s['iou']:>8.4f}{s['dice_pooled']:>8.4f}"
            f"{hd95:>8.2f}{s['n']:>6}"
        )
    m = result["mean"]
    lines.append(
        f"{'mean':<28}{m['dice']:>8.4f}{m['iou']:>8.4f}{m['dice_pooled']:>8.4f}"
    )
    there = result["presence"]
    known = "unknown" if there["auroc"] is None else f"{there['auroc']:.4f}"
    lines.append(
        f"AUROC of presence {known} ({there['present']} there, "
        f"{there['absent']} not; threshold {there['threshold']:.2f})"
    )
    return "\n".join(lines)


def models(
    project: ProjectFolder,
    promote: Annotated[str, typer.Option(help="Let this version answer.")] = "",
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """List the model versions; promote one, or go back to it."""
    from src_core.checkpoints import list_models
    from src_core.rounds import promote as let_answer
    from src_core.rounds import promoted
    from src_core.store import Project

    with Project.open(project, mode="rw" if promote else "r") as opened:
        if promote:
            let_answer(opened, promote, who=who or user(), reason="chosen by hand")
        current = promoted(opened)
        cards = list_models(opened.models_dir)
    listed: list[dict[str, Any]] = [
        {
            "version": card.version,
            "method": card.settings.method,
            "created": card.created,
            "labelled": card.labelled,
            "unlabelled": card.unlabelled,
            "steps": card.steps,
            "validation": card.validation,
            "dice": card.validation.get("mean", math.nan),
            "promoted": card.version == current,
        }
        for card in cards
    ]
    lines = [
        f"{'*' if row['promoted'] else ' '} {row['version']:<6}{row['method']:<14}"
        f"{row['labelled']:>4} labelled {row['unlabelled']:>6} unlabelled  "
        f"validation Dice {row['dice']:.3f}  {row['created']}"
        for row in listed
    ]
    text = "\n".join(lines) or "There is no model yet; label a few images, then train."
    for row in listed:
        del row["dice"]
    emit({"models": listed, "promoted": current}, text, as_json=as_json)


def load_predictor(project: Project, version: str) -> Predictor:
    """Load a version of a project, by default the one that answers."""
    from src_core.predict import Predictor
    from src_core.rounds import deployed_card

    card = deployed_card(project, version or None)
    return Predictor.load(
        project.models_dir / card.version, text_cache=project.cache_dir / "text"
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "predict": predict,
    "evaluate": evaluate,
    "models": models,
}
