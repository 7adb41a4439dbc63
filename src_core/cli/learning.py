"""Commands that train, ask and judge models."""

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


def train(
    project: ProjectFolder,
    method: Annotated[
        str | None, typer.Option(help="A method's name; default lg-ssl.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="How long; default 5.")] = None,
    steps: Annotated[int | None, typer.Option(help="Instead of minutes.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything that is drawn; default 0.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="JSON with settings of method, net and loop.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    ranks: Annotated[
        int, typer.Option(min=1, help="Processes that train together, one a GPU.")
    ] = 1,
    scheduler: Annotated[str, typer.Option(help="tls://host:port of a server.")] = "",
    keys: KeysFolder = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the one on the server; take its best.")
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Give the one on the server up.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start from nothing.")] = False,
    proposals: Annotated[
        bool | None,
        typer.Option(
            "--proposals/--no-proposals",
            help="Let a proposer's masks teach the first round, with lower trust.",
        ),
    ] = None,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Train on labelled and unlabelled images; the better model answers."""
    from src_core.cli.training import end_elsewhere, train_with_bar
    from src_core.config import ModelSettings, load_settings
    from src_core.errors import BadInputError
    from src_core.methods import method_class

    chosen = load_settings(settings) if settings else ModelSettings()
    given = {"method": method, "seed": seed}
    chosen = chosen.model_copy(
        update={key: value for key, value in given.items() if value is not None}
    )
    method_class(chosen.method)
    if device not in ("auto", "cpu", "cuda"):
        raise BadInputError(f"There is no device '{device}'; use auto, cpu or cuda.")
    if minutes is not None and steps is not None:
        raise BadInputError("Give --minutes or --steps, not both.")
    if minutes is None and steps is None:
        minutes = 5.0
    if stop or abandon:
        scheduler = end_elsewhere(project, forget=abandon, keys=keys)
        if not scheduler or abandon:
            sentence = "Given up." if scheduler else "No training is on a server."
            emit({"given_up": scheduler or None}, sentence, as_json=as_json)
            return
    result = train_with_bar(
        project,
        {
            "settings": chosen.model_dump(mode="json"),
            "minutes": minutes,
            "steps": steps,
            "device": device,
            "ranks": ranks,
            "fresh": fresh,
            "proposals_teach": proposals,
        },
        scheduler or None,
        who or user(),
        keys,
    )
    sentences = (result["verdict"]["reason"], result["presence"]["summary"])
    emit(result, f"{result['version']}: {' '.join(sentences)}", as_json=as_json)


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
    from src_core.errors import BadInputError
    from src_core.imaging import Source, read_image, side_words, write_mask
    from src_core.proposers import is_proposer
    from src_core.store import Project
    from src_core.text import sides

    source = Source.of(image)
    if out.exists() and source.path.exists() and out.samefile(source.path):
        raise BadInputError(
            f"The mask would be written over its image '{out}'; give --out another "
            "name."
        )
    with Project.open(project) as opened:
        model = _answerer(opened, version)
        pixels: Pixels
        if source.path.exists():
            picture = read_image(source)
            shown: Picture | Image = picture
            pixels = picture.pixels
        else:
            known = opened.image(image)
            shown, pixels = known, opened.pixels(known)
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
    from src_core.rounds import PromptFrom
    from src_core.rounds import evaluate as score
    from src_core.store import Project
    from src_core.types import Split

    for value, allowed in ((split, Split), (prompt_from, PromptFrom)):
        if value not in list(allowed):
            raise BadInputError(f"'{value}' is none of {', '.join(allowed)}.")
    with Project.open(project) as opened:
        model = _answerer(opened, version)
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
    from src_core.predict import Predictor
    from src_core.rounds import deployed_card

    card = deployed_card(project, version or None)
    return Predictor.load(
        project.models_dir / card.version, text_cache=project.cache_dir / "text"
    )


def _answerer(project: Project, version: str) -> Answerer:
    from src_core.rounds import answerer

    return answerer(project, version)


COMMANDS: dict[str, Callable[..., None]] = {
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "models": models,
}

__all__ = ["COMMANDS", "progress_bar"]
