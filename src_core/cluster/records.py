"""The server's jobs: each a small file on disk, so that none is ever forgotten."""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from src_core.cluster.manifest import Blob, Sha
from src_core.config import Settings
from src_core.errors import LgsslError, NotFoundError
from src_core.files import PRIVATE_FOLDER, fsync_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Event = dict[str, Any]
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

_MOST_EVENTS: Final = 500
_RECORD: Final = "job.json"


class State(StrEnum):
    """How far a job has got."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (State.DONE, State.FAILED)


class Failure(Settings):
    """Why a job failed: the error's class, and its sentence for a person."""

    kind: str
    text: str

    @classmethod
    def of(cls, error: LgsslError) -> Failure:
        """Describe an error without its object."""
        return cls(kind=type(error).__name__, text=str(error))


class Record(Settings):
    """What is known of a job for as long as it is kept.

    Attributes
    ----------
    owner : str
        Name in the certificate that handed it in: nobody else may ask for it.
    bundle : str
        Hash of the manifest, which is kept among the contents.
    request : str
        A round's request as JSON, or a question.
    kind : str
        ``"train"``, or ``"ask"`` a model about the bundle's images.
    images : int
        How many these are.
    deaths : int
        How often its worker died since it last made a step.
    step : int
        Of the training, as last heard.
    checkpoint : dict
        Name -> (hash, bytes) of the newest that a worker of another machine handed in.
    result : str or None
        The round's result as JSON.
    files : dict
        Name -> (hash, bytes) of what the job made.
    """

    id: JobId
    owner: str
    bundle: Sha
    request: str
    kind: Literal["train", "ask"] = "train"
    images: int = 0
    created: float
    state: State = State.WAITING
    stop: bool = False
    forgotten: bool = False
    deaths: int = 0
    step: int = 0
    checkpoint: dict[str, Blob] = Field(default_factory=dict)
    result: str | None = None
    files: dict[str, Blob] = Field(default_factory=dict)
    failure: Failure | None = None
    over: float = 0.0


@dataclass(slots=True)
class Entry:
    """A job as the running server holds it: its record, and what it told since.

    Attributes
    ----------
    told : list of (int, dict)
        Number and event, oldest first; of several progress reports only the newest.
    changed : asyncio.Event
        Set, and replaced by another, each time that something happens.
    """

    record: Record
    told: list[tuple[int, Event]] = field(default_factory=list)
    count: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, event: Event) -> None:
        """Keep an event for whoever follows."""
        if event.get("kind") == "progress":
            self.told = [t for t in self.told if t[1].get("kind") != "progress"]
        self.count += 1
        self.told = [*self.told, (self.count, event)][-_MOST_EVENTS:]
        self.wake()

    def since(self, number: int) -> list[tuple[int, Event]]:
        """Return what was told after an event."""
        return [told for told in self.told if told[0] > number]

    def wake(self) -> None:
        """Let everybody who waits for news look again."""
        self.changed.set()
        self.changed = asyncio.Event()


class JobBook:
    """All jobs of one server.

    Parameters
    ----------
    root : Path
        One folder a job is kept below it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        # A client that was told "since 12" by a server that died starts from 0 again.
        self.epoch = uuid.uuid4().hex
        self._entries: dict[str, Entry] = {}
        root.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        for path in sorted(root.glob(f"*/{_RECORD}")):
            with suppress(ValidationError, OSError):
                record = Record.model_validate_json(path.read_bytes())
                self._entries[record.id] = Entry(record)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def add(self, record: Record) -> Entry:
        """Keep a new job; it is on the disk when this returns."""
        entry = Entry(record)
        self.save(entry)
        self._entries[record.id] = entry
        return entry

    def save(self, entry: Entry) -> None:
        """Write a job's record, and tell who waits for news."""
        folder = self.root / entry.record.id
        if not folder.exists():
            folder.mkdir(mode=PRIVATE_FOLDER)
            fsync_folder(self.root)
        write_private(folder / _RECORD, entry.record.model_dump_json().encode())
        entry.wake()

    def find(self, job: str) -> Entry | None:
        """Return a job, None where there is none."""
        entry = self._entries.get(job)
        return None if entry is None or entry.record.forgotten else entry

    def of(self, owner: str, job: str) -> Entry:
        """Return a job to who handed it in.

        Raises
        ------
        NotFoundError
            If there is none, or it is somebody else's.
        """
        entry = self.find(job)
        if entry is None or entry.record.owner != owner:
            raise NotFoundError("The server knows no such training of yours.")
        return entry

    def end(self, entry: Entry, state: State, **facts: Any) -> None:
        """Close a job for good."""
        over = {"state": state, "over": time.time(), **facts}
        entry.record = entry.record.model_copy(update=over)
        if entry.record.forgotten:
            self.remove(entry)
        else:
            self.save(entry)

    def remove(self, entry: Entry) -> None:
        """Forget a job that is over, and what it left."""
        self._entries.pop(entry.record.id, None)
        shutil.rmtree(self.root / entry.record.id, ignore_errors=True)
        entry.wake()
