"""Where a proposer's weights lie: a folder of one's own, or the hub's cache.

Nothing is fetched unless a person asks for it, and then only at a commit that the
person names. Files are read as safetensors and JSON; a model's own code never runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from src_core.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER_VARIABLE = "LGSSL_PROPOSERS"
FETCHED = ("*.json", "*.txt", "*.safetensors")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Home:
    """Where the weights of one kind of proposer come from.

    Attributes
    ----------
    hub_id : str
        Of the published weights.
    model_types : frozenset of str
        What their ``config.json`` may call itself.
    """

    hub_id: str
    model_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights that lie on this machine.

    Attributes
    ----------
    kind : str
        Row of the table of proposers.
    folder : Path
        With config, tokenizer, preprocessor and safetensors.
    commit : str
        Of the hub's repository; ``""`` for a folder of one's own.
    """

    kind: str
    folder: Path
    commit: str = ""

    def identity(self) -> str:
        """Return what the history calls them: kind, and commit or hash of the files.

        Hashing a folder of one's own takes about a second a gigabyte.
        """
        if self.commit:
            return f"{self.kind}@{self.commit[:12]}"
        total = hashlib.sha256()
        for path in _tensors(self.folder):
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        return f"{self.kind}@{total.hexdigest()[:12]}"


def own_folder(kind: str) -> Path:
    """Return the folder in which a person may put the weights of a proposer."""
    if root := os.environ.get(FOLDER_VARIABLE):
        return Path(root).expanduser() / kind
    from platformdirs import user_data_path

    root_path: Path = user_data_path("lgssl-napari")
    return root_path / "proposers" / kind


def find_weights(
    kind: str, home: Home, folder: Path | None = None, revision: str = ""
) -> Weights | None:
    """Look for weights on this machine; nothing is fetched.

    Parameters
    ----------
    kind : str
        Row of the table of proposers.
    home : Home
        Where they are published.
    folder : Path, optional
        The only place to look.
    revision : str
        The commit that is wanted of the hub's cache; any if empty.

    Raises
    ------
    BadInputError
        If a folder of one's own holds no such weights.
    """
    own = folder or own_folder(kind)
    if folder is not None or (own.is_dir() and not revision):
        if problem := _problem(own, home):
            raise BadInputError(
                f"The folder '{own}' cannot serve as '{kind}': {problem}. Put the "
                f"files of {home.hub_id} there, or remove the folder."
            )
        return Weights(kind, own)
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        home.hub_id, "config.json", revision=revision or None
    )
    if not isinstance(found, str):
        return None
    snapshot = Path(found).parent  # named by its commit; not resolved, files are links
    if _problem(snapshot, home):
        return None
    return Weights(kind, snapshot, snapshot.name)


def fetch_weights(kind: str, home: Home, revision: str) -> Weights:
    """Fetch weights from the hub into its cache, at one commit.

    Raises
    ------
    BadInputError
        If no commit is named, or the hub does not give them.
    """
    from huggingface_hub import snapshot_download

    if not _COMMIT.fullmatch(revision):
        raise BadInputError(
            f"To fetch {home.hub_id}, name the commit that you trust: 40 hexadecimal "
            "digits, as the hub's page 'Files and versions' shows them (--revision)."
        )
    try:
        snapshot_download(home.hub_id, revision=revision, allow_patterns=list(FETCHED))
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"The hub did not give {home.hub_id} at {revision[:12]}: "
            f"{str(error).splitlines()[0]} Check the commit and the connection, and "
            "whether its licence must be accepted there first."
        ) from error
    found = find_weights(kind, home, revision=revision)
    if found is None:
        raise BadInputError(
            f"What the hub gave of {home.hub_id} at {revision[:12]} is not usable: it "
            "needs safetensors, config, preprocessor, tokenizer. Name another commit."
        )
    return found


def _problem(folder: Path, home: Home) -> str:
    """Return why a folder cannot be used, ``""`` if it can."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return "it has no readable config.json"
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in home.model_types:
        return f"its config.json is of another model ({str(kind)[:40]!r})"
    if not _tensors(folder):
        return "it has no safetensors"
    if not _any(folder, ("tokenizer.json", "vocab.json")):
        return "it has no tokenizer"
    if not _any(folder, ("preprocessor_config.json", "processor_config.json")):
        return "it has no preprocessor_config.json"
    return ""


def _any(folder: Path, names: Iterable[str]) -> bool:
    return any((folder / name).is_file() for name in names)


def _tensors(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))
