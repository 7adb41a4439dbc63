"""A project at one position as a bundle: the list of hashes, and where each lies."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from src_core.checkpoints import WEIGHTS, load_card
from src_core.cluster.blobs import file_hash
from src_core.cluster.manifest import (
    MODALITY,
    ImageEntry,
    Manifest,
    ModelEntry,
    ProposedEntry,
    TargetEntry,
    bundle_name,
)
from src_core.errors import CorruptError, UserError
from src_core.files import PRIVATE_FOLDER, write_private
from src_core.rounds.promotion import promoted
from src_core.rounds.proposing import first_teachers
from src_core.rounds.snapshot import choose_frame
from src_core.rounds.validation import effective_split, held_out_groups
from src_core.store import records
from src_core.store.guard import contained
from src_core.store.images import folder_name
from src_core.store.truth import truths
from src_core.types import Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from src_core.rounds import RoundRequest
    from src_core.store import Project
    from src_core.types import Image

_REMEMBERED: Final = "bundle-hashes.json"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a content can be read: in a file, or as a value of the ledger."""

    path: Path | None = None
    key: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A packed snapshot.

    Attributes
    ----------
    manifest : bytes
        What the bundle's name is the hash of.
    name : str
        That hash.
    request : RoundRequest or None
        With what only the whole project can decide filled in; None where nothing is to
        be trained.
    blobs : dict
        Hash -> bytes of everything that it consists of.
    """

    manifest: bytes
    name: str
    request: RoundRequest | None
    blobs: dict[str, int]
    _sources: dict[str, Source]
    _project: Project

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        """Return a part of one content; the project must still be open.

        Raises
        ------
        CorruptError
            If it is no longer there.
        """
        source = self._sources[sha256]
        if source.path is not None:
            try:
                with source.path.open("rb") as file:
                    file.seek(offset)
                    return file.read(length)
            except OSError as error:
                raise CorruptError(
                    f"'{source.path}' cannot be read ({error}); run 'lgssl verify', "
                    "and restore the project from a backup."
                ) from error
        value = source.data or self._project.ledger.read(
            source.key, self._project.position
        )
        return (value or b"")[offset : offset + length]


def pack(project: Project, request: RoundRequest) -> Bundle:
    """Describe what a round on this project needs, and nothing else of it.

    Test images, unfinished masks, authors, notes, file names and earlier revisions
    stay here. A published model's proposals travel only if they may teach.

    Parameters
    ----------
    project : Project
        Open at the position to train at, and kept open while the bundle is sent.
    request : RoundRequest
        What was asked of the round.
    """
    teachers = first_teachers(project, request.proposals_teach)
    request = request.model_copy(update={"proposals_teach": bool(teachers)})
    packing = _Packing(project, teachers)
    images = tuple(packing.images())
    targets = tuple(
        TargetEntry(name=t.name, prompts=t.prompts) for t in project.targets()
    )
    manifest = Manifest(
        targets=targets, images=images, model=packing.model(promoted(project))
    )
    packing.remember()
    data = manifest.pack()
    return Bundle(
        data,
        bundle_name(data),
        _completed(project, request),
        manifest.blobs(),
        packing.sources,
        project,
    )


def pack_pool(project: Project, images: Sequence[Image], version: str) -> Bundle:
    """Describe images for a model version to be asked about, without any mask of them.

    Parameters
    ----------
    project : Project
        Kept open while the bundle is sent.
    images : sequence of Image
        In the order of their numbers.
    version : str
        The model version to ask.
    """
    packing = _Packing(project, {})
    entries = tuple(packing.bare(image) for image in images)
    manifest = Manifest(targets=(), images=entries, model=packing.model(version))
    packing.remember(all_that_is_known=True)
    data = manifest.pack()
    name, blobs = bundle_name(data), manifest.blobs()
    return Bundle(data, name, None, blobs, packing.sources, project)


def travelling(project: Project) -> Iterator[tuple[Image, Split, list[str]]]:
    """Yield each image that a training may see, for what, and its finished targets.

    In the order of their numbers in a bundle, which is that of the project.
    """
    known = truths(project)
    held_out = held_out_groups(project)
    for image in project.images():
        split = effective_split(image, held_out)
        finished = sorted(known.get(image.id, []))
        if split is Split.TRAIN or (split is Split.VAL and finished):
            yield image, split, finished


def _completed(project: Project, request: RoundRequest) -> RoundRequest:
    """Fill in what depends on images that stay here."""
    frame = request.settings.frame
    goes_on = promoted(project) is not None and not request.fresh
    if goes_on or (frame.size and frame.tiles is not None):
        return request  # the version that answers decides, or the person has
    if not project.images():
        raise UserError("The project has no images; import some, then train.")
    settings = request.settings.model_copy(
        update={"frame": choose_frame(project, frame)}
    )
    return request.model_copy(update={"settings": settings})


class _Packing:
    """Collects the parts of one bundle."""

    def __init__(self, project: Project, teachers: dict[str, dict[str, str]]) -> None:
        self.project, self.teachers = project, teachers
        self.sources: dict[str, Source] = {}
        self._cache = contained(project.path, "cache") / _REMEMBERED
        self._known = self._recall()
        self._used: dict[str, Any] = {}

    def images(self) -> list[ImageEntry]:
        """Describe every image that a training may see."""
        number = {t.id: n for n, t in enumerate(self.project.targets())}
        # With several targets a caption does not say which is meant: it is not used.
        with_captions = len(number) == 1
        groups: dict[str, int] = {"": 0}
        entries = []
        for image, split, finished in travelling(self.project):
            teachers = self.teachers.get(image.id, {}) if split is Split.TRAIN else {}
            entries.append(
                self.bare(
                    image,
                    split="val" if split is Split.VAL else "train",
                    group=groups.setdefault(image.group, len(groups)),
                    caption=image.caption if with_captions else "",
                    masks={number[t]: self._mask(image, t) for t in finished},
                    proposed={
                        number[t]: ProposedEntry(
                            model=model, chunks=self._mask(image, t)
                        )
                        for t, model in sorted(teachers.items())
                    },
                )
            )
        return entries

    def bare(self, image: Image, **more: Any) -> ImageEntry:
        """Describe an image's pixels, and how they lie; and what else is said of it."""
        array, chunks = self._pixels(image)
        return ImageEntry(
            axes=image.axes,
            shape=image.shape,
            dtype=image.dtype,
            sha256=image.sha256,
            spacing=image.spacing,
            unit=image.unit,
            orientation=image.orientation,
            direction=image.direction,
            modality=image.modality if MODALITY.fullmatch(image.modality) else "",
            array=array,
            chunks=chunks,
            **{"split": "train", **more},
        )

    def model(self, version: str | None) -> ModelEntry | None:
        """Describe a version, its card without what it need not say."""
        if version is None:
            return None
        folder = contained(self.project.path, f"models/{version}")
        card = load_card(folder).model_copy(
            update={"targets": [], "validation": {}, "created": "", "parent": ""}
        )
        data = card.model_dump_json().encode()
        self.sources[bundle_name(data)] = Source(data=data)
        return ModelEntry(
            version=version,
            weights=self._file(folder / WEIGHTS, f"models/{version}/{WEIGHTS}"),
            card=(bundle_name(data), len(data)),
        )

    def remember(self, *, all_that_is_known: bool = False) -> None:
        """Keep the files' hashes: they never change, and are asked for each round.

        Those of files that this bundle had no use for are kept on request only.
        """
        if all_that_is_known:
            self._used = {**self._known, **self._used}
        if self._used != self._known:
            self._cache.parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            write_private(self._cache, json.dumps(self._used).encode(), durable=False)

    def _recall(self) -> dict[str, Any]:
        try:
            found = json.loads(self._cache.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _pixels(self, image: Image) -> tuple[Any, dict[str, Any]]:
        name = f"{folder_name(image.id)}/0"
        root = contained(self.project.path, name)
        array, chunks = None, {}
        for folder, _, files in os.walk(root):
            for file in sorted(files):
                path = Path(folder, file)
                inner = path.relative_to(root).as_posix()
                blob = self._file(contained(root, inner), f"{name}/{inner}")
                if inner == records.NODE:
                    array = blob
                else:
                    chunks[inner] = blob
        if array is None:
            raise CorruptError(
                f"Image '{image.id}' has no readable pixels at '{root}'; restore the "
                "project from a backup."
            )
        return array, dict(sorted(chunks.items()))

    def _mask(self, image: Image, target: str) -> dict[str, Any]:
        ledger, at = self.project.ledger, self.project.position
        prefix = records.mask_prefix(image.id, target)
        chunks = {}
        for key in ledger.rewritten_keys(f"{prefix}c/", at):
            entry = ledger.newest(key, at)
            if entry is not None and entry.sha256 is not None:
                sha256 = entry.sha256.hex()
                self.sources[sha256] = Source(key=key)
                chunks[key.removeprefix(prefix)] = (sha256, entry.size)
        return chunks

    def _file(self, path: Path, name: str) -> tuple[str, int]:
        """Hash a file that never changes, or take what was hashed in a round before."""
        state = path.stat()
        mark = [state.st_size, state.st_mtime_ns]
        known = self._known.get(name)
        if isinstance(known, list) and known[:2] == mark:
            sha256 = str(known[2])
        else:
            sha256 = file_hash(path)
        self._used[name] = [*mark, sha256]
        self.sources[sha256] = Source(path=path)
        return sha256, state.st_size
