"""What a worker of a server does with a shard of a pool: fetch, ask the model, hand in.

Runs in a process of its own, started by dask. It is given and gives back plain JSON.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from src_core.cluster.asking import (
    MaskAnswer,
    Question,
    ShardOrder,
    mask_arrays,
    save_answer,
    survey_arrays,
)
from src_core.cluster.errand import Errand, Order
from src_core.cluster.manifest import image_id, read_manifest
from src_core.errors import BadInputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from src_core.cluster.manifest import Blob
    from src_core.config import DeviceName
    from src_core.predict import Predictor
    from src_core.store import Project

_loaded: dict[str, Predictor] = {}


def ask_shard(job: str, order: str) -> str:
    """Ask a model about some images of a bundle.

    Parameters
    ----------
    job : str
        Its id.
    order : str
        A :class:`ShardOrder` as JSON.

    Returns
    -------
    str
        Hash and bytes of its answer, as JSON.
    """
    wanted = ShardOrder.model_validate_json(order)
    plain = Order(
        bundle=wanted.bundle, bundle_bytes=wanted.bundle_bytes, request=wanted.question
    )
    errand = Errand(f"{job}-{wanted.first}", plain)
    question = Question.model_validate_json(wanted.question)
    try:
        return json.dumps(_answer(errand, question, wanted))
    finally:
        shutil.rmtree(errand.folder, ignore_errors=True)


def _answer(errand: Errand, question: Question, wanted: ShardOrder) -> Blob:
    from src_core.cluster.unpack import unpack
    from src_core.store import Project

    errand.fetch({wanted.bundle: wanted.bundle_bytes})
    whole = read_manifest(errand.store.content(wanted.bundle))
    last = wanted.first + wanted.count
    if whole.model is None or len(whole.images) < last:
        raise BadInputError("The bundle has no model, or not so many images.")
    part = whole.model_copy(update={"images": whole.images[wanted.first : last]})
    errand.fetch(part.blobs())
    # What a worker that was killed had begun is not to be trusted.
    shutil.rmtree(errand.folder, ignore_errors=True)
    position = unpack(part, errand.store, errand.folder)
    number = {image_id(n): n + wanted.first for n in range(wanted.count)}
    with Project.open(errand.folder, at=position) as project:
        predictor = _predictor(
            project, whole.model.version, whole.model.weights[0], question.device
        )
        ask = {"survey": _survey, "masks": _masks}[question.what]
        found = list(ask(project, predictor, question, number))
    arrays: dict[str, Any] = {"row": np.zeros(0, np.int64)}
    if found and question.what == "survey":
        arrays = survey_arrays([row for row, _ in found], [told for _, told in found])
    elif found:
        arrays = mask_arrays([told for _, told in found])
    path = errand.folder / "answer.safetensors"
    save_answer(path, arrays)
    return errand.hand_in(path)


def _survey(
    project: Project, predictor: Predictor, question: Question, number: dict[str, int]
) -> Iterator[tuple[int, Any]]:
    from src_core.rounds.survey import ask_about

    images = iter(project.images())
    for name, row in ask_about(project, predictor, question.prompts, images):
        yield number[name], row


def _masks(
    project: Project, predictor: Predictor, question: Question, number: dict[str, int]
) -> Iterator[tuple[int, MaskAnswer]]:
    for image in project.images():
        try:
            answers = predictor.predict(
                project.pixels(image), image.axes, list(question.prompts), like=image
            )
        except StoreError:  # a broken image must not hide the others
            continue
        row = number[image.id]
        yield (
            row,
            MaskAnswer(
                row,
                np.stack([answer.mask for answer in answers]),
                np.array([answer.score for answer in answers], np.float32),
                np.array([answer.present for answer in answers], bool),
            ),
        )


def _predictor(
    project: Project, version: str, weights: str, device: DeviceName
) -> Predictor:
    """Load a model, once for all the shards that this process is given of it."""
    from src_core.devices import pick_device
    from src_core.predict import Predictor

    if weights not in _loaded:
        _loaded.clear()
        _loaded[weights] = Predictor.load(
            project.models_dir / version,
            pick_device(device),
            project.cache_dir / "text",
        )
    return _loaded[weights]
