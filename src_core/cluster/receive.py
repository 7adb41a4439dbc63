"""A model that came back: looked at from all sides before it enters the project."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from src_core.checkpoints import (
    CARD,
    WEIGHTS,
    ModelCard,
    list_models,
    load_tensors,
    next_version,
    save_model,
)
from src_core.cluster.manifest import LARGEST_NOTE, image_id, target_id
from src_core.cluster.trouble import plain
from src_core.errors import CorruptError, JobError
from src_core.rounds import RoundResult
from src_core.rounds.comparison import FILE as COMPARISON
from src_core.rounds.comparison import Comparison, Pair, write_comparison

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from src_core.cluster.blobs import BlobStore
    from src_core.cluster.link import Link
    from src_core.config import ModelSettings

FILES: Final = {CARD: LARGEST_NOTE, COMPARISON: 256 << 20, WEIGHTS: 8 << 30}
"""What a job makes, and how many bytes each may have."""

_PIECE: Final = 8 << 20
_PAIRS: Final = TypeAdapter(tuple[Pair, ...])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model must be, to be the answer to what was asked.

    Attributes
    ----------
    settings : ModelSettings
        As they were handed in.
    images, targets : list of str
        The project's own identifiers, in the order of the bundle's numbers.
    position : int
        The ledger position of the snapshot.
    parent : str
        The version that answered then, ``""`` for none.
    """

    settings: ModelSettings
    images: list[str]
    targets: list[str]
    position: int
    parent: str


def receive(
    link: Link,
    job: str,
    answer: dict[str, Any],
    store: BlobStore,
    models: Path,
    wanted: Wanted,
    told: Callable[[int, int], None] = lambda done, size: None,
) -> dict[str, Any]:
    """Fetch a finished job's model, verify it, and write it as a new version.

    The same job received twice gives the version that it gave the first time.

    Parameters
    ----------
    link : Link
        The way to the server.
    job : str
        Its id.
    answer : dict
        What the server said of the finished job.
    store : BlobStore
        Keeps what is half here; a broken connection goes on from it.
    models : Path
        The project's folder of versions.
    wanted : Wanted
        What was asked for.
    told : callable
        Called with the bytes that are here, and their sum.

    Returns
    -------
    dict
        The round's result as plain values, with the version's name in this project.

    Raises
    ------
    CorruptError
        If what came is not what its hash says, or not a model of these settings.
    Unreachable
        If the connection broke; call again.
    """
    result, files = _read(answer)
    for name in FILES:
        fetch_file(link, job, name, files[name], store, told)
    card = _card(store.content(files[CARD][0]), result, wanted)
    pairs = _pairs(store.content(files[COMPARISON][0]), wanted)
    version = _standing(models, card)
    if version is None:
        weights, _ = load_tensors(store.path(files[WEIGHTS][0]))
        check_weights(weights, card.settings)
        version = _save(models, card, weights)
    comparison = Comparison(version, wanted.parent, result.verdict, pairs)
    write_comparison(models / version, comparison)
    for sha256, _ in files.values():
        store.drop(sha256)
    return dataclasses.replace(
        result,
        version=version,
        position=wanted.position,
        presence=card.presence.report(),
    ).as_dict()


def _read(answer: dict[str, Any]) -> tuple[RoundResult, dict[str, tuple[str, int]]]:
    """Read what the server says of the result, and of the files that belong to it."""
    try:
        found = json.loads(str(answer.get("result")))
        result: RoundResult = TypeAdapter(RoundResult).validate_python(found)
        files = {
            name: (str(sha256), int(size))
            for name, (sha256, size) in dict(answer["files"]).items()
        }
        allowed = all(files[name][1] <= limit for name, limit in FILES.items())
    except (ValidationError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise JobError(
            "The server's answer cannot be read; use the same version of lgssl-napari "
            "on both sides."
        ) from error
    if not allowed:
        raise JobError("The server's model is larger than any can be; it was refused.")
    reason = plain(result.verdict.reason)
    verdict = dataclasses.replace(result.verdict, reason=reason)
    return dataclasses.replace(result, verdict=verdict), files


def fetch_file(
    link: Link,
    job: str,
    name: str,
    blob: tuple[str, int],
    store: BlobStore,
    told: Callable[[int, int], None] = lambda done, size: None,
) -> None:
    """Bring a file that a job made into a store; goes on from what is here of it."""
    sha256, size = blob
    have = store.begun(sha256)
    while not store.has(sha256):
        data = link.fetch(f"/v1/jobs/{job}/files/{name}", have, _PIECE)
        have = store.append(sha256, size, have, data)
        told(have, size)


def _card(data: bytes, result: RoundResult, wanted: Wanted) -> ModelCard:
    """Read the card, and give targets and position the project's own names."""
    try:
        card = ModelCard.model_validate_json(data)
        own = {target_id(n): name for n, name in enumerate(wanted.targets)}
        asked = wanted.settings.model_dump(mode="json")
        got = card.settings.model_dump(mode="json")
        same = all(
            asked[key] == got[key] for key in ("method", "seed", "text", "frame")
        )
        if not same or card.version != result.version:
            raise ValueError("it was trained with other settings")
        named = {"mean": "mean", **own}
        return card.model_copy(
            update={
                "targets": [own[target] for target in card.targets],
                "validation": {named[t]: d for t, d in card.validation.items()},
                "position": wanted.position,
                "parent": wanted.parent if card.parent else "",
            }
        )
    except (ValidationError, ValueError, KeyError) as error:
        raise _not_asked_for(error) from error


def _pairs(data: bytes, wanted: Wanted) -> tuple[Pair, ...]:
    """Read what the round changed, and give images and targets their own names."""
    images = {image_id(n): name for n, name in enumerate(wanted.images)}
    targets = {target_id(n): name for n, name in enumerate(wanted.targets)}
    try:
        found = _PAIRS.validate_python(json.loads(data)["pairs"])
        return tuple(
            Pair(images[pair.image], targets[pair.target], pair.old, pair.new)
            for pair in found
        )
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_asked_for(error) from error


def _not_asked_for(error: Exception) -> CorruptError:
    return CorruptError(
        "The server's model is not the one that was asked for "
        f"({type(error).__name__}); it was refused. Train again."
    )


def check_weights(weights: dict[str, Tensor], settings: ModelSettings) -> None:
    """Refuse weights that are not a network of these settings, or not numbers.

    Parameters
    ----------
    weights : dict of str to Tensor
        A network's state, by anybody.
    settings : ModelSettings
        Which network it is to be.

    Raises
    ------
    CorruptError
        With what does not fit.
    """
    import torch

    from src_core.methods import method_class

    with torch.device("meta"):  # only names and shapes; nothing is computed
        expected = method_class(settings.method).build(settings).state_dict()
    odd = sorted(expected.keys() ^ weights.keys())
    odd += [
        name
        for name, tensor in weights.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    odd += [
        name
        for name, tensor in weights.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if odd:
        raise CorruptError(
            f"The server's model does not fit its settings (first: '{odd[0][:100]}'); "
            "it was refused. Train again."
        )


def _standing(models: Path, card: ModelCard) -> str | None:
    """Return the version that this very card was written as before."""
    for known in list_models(models):
        if known.model_copy(update={"version": card.version}) == card:
            return known.version
    return None


def _save(models: Path, card: ModelCard, weights: dict[str, Tensor]) -> str:
    while True:
        version = next_version(models)
        try:
            save_model(models, weights, card.model_copy(update={"version": version}))
        except OSError:
            if not (models / version).exists():
                raise
            continue  # a training here took the name meanwhile
        return version
