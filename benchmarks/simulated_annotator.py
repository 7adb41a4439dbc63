"""A project whose annotator is the truth: label, train, look, choose, over and over.

Everything is the product's own: the store, the round with its promotion gate, the
survey and the choice. Only the person is simulated: the masks are the true ones, and
the time a correction takes is taken from how many pixels it changes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image as Picture

from src_core.predict import Predictor
from src_core.rounds import (
    RoundRequest,
    deployed_card,
    ensure_validation,
    evaluate,
    promote,
    promoted,
)
from src_core.rounds.choose import next_picks
from src_core.rounds.round import Round
from src_core.rounds.survey import Limits, take_in_looks, training_images
from src_core.store import Project
from src_core.types import Image, MaskStatus, Source, SourceKind, Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from src_core.config import ModelSettings
    from src_core.devices import Device

Point = dict[str, Any]
"""One round of one run, as plain values."""

WHO = "truth"
LOOKING, A_PIXEL, AT_MOST = 5.0, 0.02, 180.0
"""Seconds to open an image and look; for each pixel that is changed; and in all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated.

    Attributes
    ----------
    data : Path
        Folder with ``images``, ``masks`` and ``meta.json``.
    method, strategy : str
        ``strategy`` may be ``"all"``: everything is labelled at once.
    seed : int
        Of the choice and of the training.
    labels : tuple of int
        Labelled images at which a model is trained.
    seconds : float or None
        Of training a round.
    rounds : tuple of float
        As many as `labels`: how many times as long each training is. The first one has
        nothing to start from.
    steps : int or None
        Instead of seconds.
    clock : str
        What seconds are: ``"wall"``, or ``"cpu"`` of this process.
    settings : ModelSettings
        Of the model; method and seed are filled in.
    """

    data: Path
    method: str
    strategy: str
    seed: int
    labels: tuple[int, ...]
    seconds: float | None
    rounds: tuple[float, ...]
    steps: int | None
    clock: Literal["wall", "cpu"]
    settings: ModelSettings

    def request(self, wanted: int) -> RoundRequest:
        """Return what the training with so many labelled images is asked for."""
        rounds = self.rounds[self.labels.index(wanted)]
        settings = self.settings.model_copy(
            update={"method": self.method, "seed": self.seed}
        )
        minutes = None if self.seconds is None else rounds * self.seconds / 60
        steps = None if self.steps is None else round(rounds * self.steps)
        return RoundRequest(
            settings=settings, minutes=minutes, steps=steps, clock=self.clock
        )


class Truth:
    """The true masks of a data set."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.meta: dict[str, Any] = json.loads((data / "meta.json").read_text())

    def masks(self, name: str) -> dict[str, np.ndarray]:
        """Return target name -> (H, W) of 0 and 1."""
        labels = np.asarray(Picture.open(self.data / "masks" / name))
        return {
            kind["name"]: (labels == int(value)).astype(np.uint8)
            for value, kind in self.meta["classes"].items()
        }

    def pixels(self, name: str) -> tuple[np.ndarray, str]:
        """Return an image and its axes."""
        pixels = np.asarray(Picture.open(self.data / "images" / name))
        if pixels.ndim == 2:
            return pixels, "yx"
        return np.ascontiguousarray(np.moveaxis(pixels[..., :3], -1, 0)), "cyx"


def make_base(
    data: Path, folder: Path, *, pool: int, validation: int, test: int
) -> Path:
    """Make a project of a data set with no training image labelled.

    Parameters
    ----------
    data : Path
        The data set.
    folder : Path
        Where the project goes; one that is there already is kept.
    pool, test : int
        At most so many training and test images, of evenly many groups each.
    validation : int
        Images of this many that are set aside with their masks, whole groups of the
        training split, where the set has no validation split; 0 leaves it to the
        product, which holds out some of what is labelled.
    """
    if (folder / "ledger.sqlite").exists():
        return folder
    truth = Truth(data)
    groups, splits = truth.meta["groups"], truth.meta["splits"]
    train, held = list(splits["train"]), list(splits.get("val", ()))[:validation]
    if validation and not held:
        # By hash: the same images for every run, whatever the seed.
        for group in sorted(set(map(groups.get, train)), key=_hashed):
            if len(held) >= validation:
                break
            held += [name for name in train if groups[name] == group]
        train = [name for name in train if name not in set(held)]
    parts = {
        Split.TRAIN: _thinned(train, groups, pool),
        Split.VAL: held,
        Split.TEST: _thinned(splits["test"], groups, test),
    }
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with Project.create(partial, who=WHO) as project:
        for kind in truth.meta["classes"].values():
            project.add_target(kind["name"], kind["prompts"])
        for split, names in parts.items():
            for name in names:
                pixels, axes = truth.pixels(name)
                image, _ = project.add_image(
                    pixels, name=name, axes=axes, group=groups[name], split=split
                )
                if split is not Split.TRAIN:
                    annotate(project, truth, image, None, timed=False)
        take_in_looks(project, Limits())
    partial.rename(folder)
    return folder


def simulate(
    plan: Plan, base: Path, folder: Path, device: Device, past: Sequence[Point]
) -> Iterator[Point]:
    """Live through one project, and yield each round's figures.

    Parameters
    ----------
    plan : Plan
        What to do.
    base : Path
        As :func:`make_base` leaves it; copied.
    folder : Path
        Where the copy goes, or lies since an earlier run that was stopped.
    device : Device
        Where to train.
    past : sequence of dict
        The rounds that this earlier run had finished; begun anew without them.
    """
    if not past or not (folder / "ledger.sqlite").exists():
        past = ()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
    with Project.open(folder, mode="rw", who=WHO) as project:
        if past and promoted(project) != past[-1]["answers"]:
            # A round that was cut off after its promotion is lived through again.
            promote(project, past[-1]["answers"], who=WHO, reason="to go on from here")
        for wanted in plan.labels[len(past) :]:
            yield _one_round(project, plan, device, wanted)


def _one_round(project: Project, plan: Plan, device: Device, wanted: int) -> Point:
    """Choose, label, train and judge."""
    began = time.process_time()
    predictor = _load(project, device)
    chosen = _choose(project, plan, predictor, wanted)
    looked = time.process_time() - began
    truth = Truth(plan.data)
    for image in chosen:
        annotate(project, truth, image, predictor)
    ensure_validation(project, WHO)
    result = Round(project, plan.request(wanted), device).run()
    if result.verdict.promoted:
        promote(project, result.version, who=WHO, reason=result.verdict.reason)
    model = _load(project, device)
    assert model is not None, "the first version always answers"
    scores: Any = evaluate(project, model, Split.TEST)
    return {
        "wanted": wanted,
        "last": plan.labels[-1],
        "labelled": _labelled(project),
        "dice": scores["mean"]["dice"],
        "targets": {name: score["dice"] for name, score in scores["targets"].items()},
        "minutes": sum(effort.seconds for effort in project.efforts()) / 60,
        "answers": promoted(project),
        "promoted": result.verdict.promoted,
        "steps": result.steps,
        "train_seconds": result.seconds,
        "choosing_seconds": round(looked, 2),
        "round_seconds": round(time.process_time() - began, 2),
        "images": [image.name for image in chosen],
    }


def annotate(
    project: Project,
    truth: Truth,
    image: Image,
    predictor: Predictor | None,
    *,
    timed: bool = True,
) -> None:
    """Finish an image for every target, in the seconds that a person would take.

    Where these are not of this project's history (`timed` is False) it takes none.
    """
    masks = truth.masks(image.name)
    targets = [project.target(name) for name in masks]
    answers = {}
    if predictor is not None:
        pixels = np.asarray(project.pixels(image)[...])
        told = predictor.predict(pixels, image.axes, [t.wordings[0] for t in targets])
        answers = {t.id: a.mask for t, a in zip(targets, told, strict=True)}
    for target, mask in zip(targets, masks.values(), strict=True):
        proposal = answers.get(target.id)
        before = np.zeros_like(mask) if proposal is None else proposal
        changed = int((before != mask).sum())
        seconds = min(LOOKING / len(targets) + A_PIXEL * changed, AT_MOST)
        parent, source = None, Source(SourceKind.HUMAN)
        if proposal is not None and proposal.any():
            version = predictor.card.version if predictor else ""
            model = Source(SourceKind.MODEL, version, target.wordings[0])
            parent = project.save_mask(
                image.id,
                target.id,
                proposal,
                status=MaskStatus.PROPOSED,
                source=model,
            ).number
            source = Source(SourceKind.HUMAN, version, target.wordings[0])
        project.save_mask(
            image.id,
            target.id,
            mask if mask.any() else None,
            status=MaskStatus.DONE if mask.any() else MaskStatus.EMPTY,
            source=source,
            parent=parent,
            seconds_spent=seconds if timed else 0.0,
        )


def _choose(
    project: Project, plan: Plan, predictor: Predictor | None, wanted: int
) -> list[Image]:
    """Return the images to label, so that `wanted` of them are."""
    finished = {mask.image for mask in project.masks() if mask.status.is_truth}
    pool = [i for i in training_images(project) if i.id not in finished]
    if plan.strategy == "all":
        return pool
    missing = max(0, wanted - _labelled(project))
    picks = next_picks(
        project,
        predictor,
        4 * missing * max(1, len(project.targets())),
        plan.strategy,
        seed=plan.seed,
        waiting=(Limits(), Limits()),
    )
    names = list(dict.fromkeys(pick.image for pick in picks))[:missing]
    return [project.image(name) for name in names]


def _labelled(project: Project) -> int:
    """How many images of the training split have been finished, held out or not."""
    finished = {mask.image for mask in project.masks() if mask.status.is_truth}
    return sum(image.id in finished for image in project.images(Split.TRAIN))


def _load(project: Project, device: Device) -> Predictor | None:
    if promoted(project) is None:
        return None
    card = deployed_card(project)
    folder = project.models_dir / card.version
    return Predictor.load(folder, device, project.cache_dir / "text")


def _thinned(names: list[str], groups: dict[str, str], most: int) -> list[str]:
    """Keep at most so many images, taken from all groups in turn."""
    if len(names) <= most:
        return names
    turn: dict[str, int] = {}
    order = []
    for name in sorted(names, key=_hashed):
        group = groups[name]
        turn[group] = turn.get(group, 0) + 1
        order.append((turn[group], _hashed(name), name))
    return sorted(name for _, _, name in sorted(order)[:most])


def _hashed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
