"""A pool asked about by all workers of a server, a shard each at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from src_core.cluster.asking import Question, ShardOrder, shard_name
from src_core.cluster.crew import Crew
from src_core.cluster.manifest import Blob
from src_core.cluster.records import State
from src_core.cluster.shard import ask_shard
from src_core.errors import JobError, JobLostError

if TYPE_CHECKING:
    from distributed import Client

    from src_core.cluster.blobs import BlobStore
    from src_core.cluster.places import Places
    from src_core.cluster.records import Entry, JobBook

LOG: Final = logging.getLogger("lgssl.serve")
MOST_DEATHS: Final = 3
_BLOB: Final = TypeAdapter(Blob)


class Shards:
    """The shards of one job that are still to be asked about.

    What is answered is kept with the job's record: neither a worker nor the server that
    dies costs more than the shards under way.

    Parameters
    ----------
    client : Client
        Of dask, asynchronous.
    book, store : JobBook, BlobStore
        The jobs; the contents.
    places : Places
        Gives workers out, as many shards at once as there are workers.
    entry : Entry
        The job.
    """

    def __init__(
        self,
        client: Client,
        book: JobBook,
        store: BlobStore,
        places: Places,
        entry: Entry,
    ) -> None:
        self._client, self._book, self._places = client, book, places
        self._entry, record = entry, entry.record
        self._shards = Question.model_validate_json(record.request).shards(
            record.images
        )
        self._size = store.path(record.bundle).stat().st_size
        self._deaths: Counter[int] = Counter()

    async def run(self) -> None:
        """Ask until all is answered, or a person stops it.

        Raises
        ------
        JobError
            If workers die of a shard again and again.
        LgsslError
            If the work itself failed.
        """
        files = self._entry.record.files
        left = deque(n for n in range(len(self._shards)) if shard_name(n) not in files)
        running: dict[asyncio.Task[None], int] = {}
        try:
            while left or running:
                while left and len(running) < max(1, len(self._places.alive())):
                    number = left.popleft()
                    running[asyncio.create_task(self._ask(number))] = number
                done, _ = await asyncio.wait(
                    running, timeout=1.0, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    number = running.pop(task)
                    if not self._is_answered(task, number):
                        left.appendleft(number)
                if self._entry.record.stop:
                    left.clear()
        finally:
            for task in running:
                task.cancel()
            with suppress(Exception):
                await asyncio.gather(*running, return_exceptions=True)

    def _is_answered(self, task: asyncio.Task[None], number: int) -> bool:
        try:
            task.result()
        except JobLostError as error:
            self._deaths[number] += 1
            count = len(self._shards[number])
            LOG.warning("a worker died of shard %d", number)
            if self._deaths[number] >= MOST_DEATHS:
                raise JobError(
                    f"Workers died {MOST_DEATHS} times of the same {count} images "
                    "(they were killed, or the server runs out of memory); ask whoever "
                    "runs it. What was answered is kept."
                ) from error
            text = f"A worker died; the {count} images that it had are asked again."
            self._entry.tell({"kind": "note", "text": text})
            return False
        return True

    async def _ask(self, number: int) -> None:
        record, images = self._entry.record, self._shards[number]
        order = ShardOrder(
            bundle=record.bundle,
            bundle_bytes=self._size,
            question=record.request,
            first=images.start,
            count=len(images),
        )
        name = f"ask-{record.id}-{number}-{time.monotonic_ns()}"
        async with self._places.take(1) as crew:
            self._note({"state": State.RUNNING})
            errand = Crew(self._client, self._places.alive, crew, name)
            told = await errand.do(ask_shard, record.id, order.model_dump_json())
        blob = _BLOB.validate_json(told)
        self._note({"files": {**self._entry.record.files, shard_name(number): blob}})
        self._tell()

    def _note(self, update: dict[str, Any]) -> None:
        record = self._entry.record
        if any(getattr(record, key) != value for key, value in update.items()):
            self._entry.record = record.model_copy(update=update)
            self._book.save(self._entry)

    def _tell(self) -> None:
        files = self._entry.record.files
        done = sum(
            len(images)
            for number, images in enumerate(self._shards)
            if shard_name(number) in files
        )
        total = self._entry.record.images
        event = {"kind": "looking", "text": "asking the model"}
        self._entry.tell({**event, "done": done, "total": total})
