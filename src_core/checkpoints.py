"""Model versions and tensors on disk: safetensors only, whole or not at all."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import Field
from safetensors import SafetensorError, safe_open

from src_core.config import ModelSettings, Settings, without_unknown
from src_core.errors import CorruptError, NotFoundError
from src_core.files import write_private
from src_core.presence import PresenceRule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> None:
    """Save tensors with a JSON note beside them in one file.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    tensors : Mapping
        By name.
    meta : Mapping
        What ``json`` can write.
    """
    from safetensors.torch import save  # brings torch, which a card does not need

    held = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    write_private(path, save(held, {"meta": json.dumps(meta)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Load what :func:`save_tensors` wrote.

    Raises
    ------
    CorruptError
        If the file is not whole.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get("meta", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, meta  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CorruptError(
            f"'{path.name}' cannot be read ({error}); restore the file from a backup "
            "or choose another model version."
        ) from error


def read_tensors(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`save_tensors` wrote to a file.

    Raises
    ------
    CorruptError
        If it is not whole.
    """
    from safetensors.torch import load

    try:
        length = int.from_bytes(data[:8], "little")
        head = json.loads(data[8 : 8 + length])
        return load(data), json.loads(head["__metadata__"]["meta"])
    except (SafetensorError, ValueError, KeyError) as error:
        raise CorruptError(f"A checkpoint cannot be read ({error}).") from error


class ModelCard(Settings):
    """What is kept beside the weights of a model version, for ever.

    Attributes
    ----------
    version : str
        Its name, such as ``"v3"``.
    created : str
        UTC, ISO 8601.
    position : int
        The ledger position it was trained at.
    parent : str
        The version it went on from, ``""`` for none.
    settings : ModelSettings
        All of them.
    targets : list of str
        Ids of the targets it has learned.
    labelled, unlabelled : int
        Training pictures with and without truth; a volume's slices, a large image's
        tiles and each window of a CT count by themselves.
    labelled_images : int or None
        Images of the project that the labelled pictures are of; None in versions of
        before it was kept.
    taught : int
        Pictures in which a proposal taught in the place of truth.
    teacher : str
        What had proposed them, ``""`` for none.
    steps, seconds : number
        Of training.
    steps_before : int
        Behind the weights that it began with.
    validation : dict
        Target id to Dice per image on the validation split; ``"mean"`` over targets.
        Empty where there was no such split.
    presence : PresenceRule
    """

    version: str
    created: str
    position: int
    parent: str = ""
    settings: ModelSettings
    targets: list[str]
    labelled: int
    unlabelled: int
    labelled_images: int | None = None
    taught: int = 0
    teacher: str = Field("", pattern=r"^[a-z0-9@ ]{0,200}$")
    steps: int
    seconds: float
    steps_before: int = 0
    validation: dict[str, float] = Field(default_factory=dict)
    presence: PresenceRule = PresenceRule()


WEIGHTS, CARD = "weights.safetensors", "model.json"


def save_model(folder: Path, weights: Mapping[str, Tensor], card: ModelCard) -> Path:
    """Write a model version below `folder`; it appears whole or not at all.

    Parameters
    ----------
    folder : Path
        Of all versions.
    weights : mapping of str to Tensor
        The network's state.
    card : ModelCard
        What the version is; its name becomes that of the folder.

    Returns
    -------
    Path
        The version's own folder, ``folder / card.version``.
    """
    final = folder / card.version
    partial = folder / f".{card.version}.{os.getpid()}.partial"
    partial.mkdir(parents=True, mode=0o700)
    save_tensors(partial / WEIGHTS, weights, {"version": card.version})
    write_private(partial / CARD, card.model_dump_json(indent=2).encode())
    partial.rename(final)
    return final


def load_card(folder: Path) -> ModelCard:
    """Read the card of a model version.

    Raises
    ------
    NotFoundError
        If there is no such version.
    CorruptError
        If the card is not one of this program's.
    """
    try:
        stored = json.loads((folder / CARD).read_bytes())
        return ModelCard.model_validate(without_unknown(ModelCard, stored))
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no model version '{folder.name}' in this project; "
            "'lgssl models' lists those there are."
        ) from error
    except ValueError as error:  # not JSON, or not a card
        raise CorruptError(
            f"The model version '{folder.name}' has a damaged {CARD}; promote another "
            "version."
        ) from error


def load_model(folder: Path) -> tuple[ModelCard, dict[str, Tensor]]:
    """Read card and weights of a model version; raises as :func:`load_card`."""
    card = load_card(folder)
    weights, _ = load_tensors(folder / WEIGHTS)
    return card, weights


def list_models(folder: Path) -> list[ModelCard]:
    """Return the cards of all versions below `folder`, oldest first.

    One that is damaged is left out: the others, and the next, do not hang on it.
    """
    cards: list[ModelCard] = []
    for path in _version_folders(folder):
        with suppress(NotFoundError, CorruptError):
            cards.append(load_card(path))
    return sorted(cards, key=lambda card: version_number(card.version))


def _version_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name[0] != "."]


def version_number(version: str) -> int:
    """Return the number of a version: ``"v12"`` -> 12; 0 for any other name."""
    digits = version.removeprefix("v")
    return int(digits) if digits.isdigit() else 0


def next_version(folder: Path) -> str:
    """Return the name of the version to be written next.

    By the folders' names: also a version that cannot be read keeps its number.
    """
    taken = [version_number(path.name) for path in _version_folders(folder)]
    return f"v{max(taken, default=0) + 1}"
