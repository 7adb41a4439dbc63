"""Carries the server's jobs out on dask's workers, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from typing import TYPE_CHECKING, Any, Final

from src_core.cluster.crew import Crew
from src_core.cluster.errand import Delivery, Order, sweep, train_bundle
from src_core.cluster.records import Failure, State
from src_core.cluster.shards import Shards
from src_core.errors import JobLostError, LgsslError, UserError
from src_core.jobs import stop_flag, topic, translate
from src_core.rounds import RoundRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from distributed import Client

    from src_core.cluster.blobs import BlobStore
    from src_core.cluster.places import Places
    from src_core.cluster.records import Entry, JobBook

LOG: Final = logging.getLogger("lgssl.serve")
MOST_DEATHS: Final = 3
KEPT_DAYS: Final = 30
_HOUR, _DAY = 3600.0, 86_400.0


class Dispatcher:
    """Sees to it that every job of the book comes to an end.

    Parameters
    ----------
    client : Client
        Of dask, asynchronous, on the scheduler's own loop.
    book, store : JobBook, BlobStore
        The jobs; the contents.
    work : Path
        Where workers that share this disk unpack.
    places : Places
        Gives workers out.
    """

    def __init__(
        self,
        client: Client,
        book: JobBook,
        store: BlobStore,
        work: Path,
        places: Places,
    ) -> None:
        self.client, self.book, self.store, self.work = client, book, store, work
        self.places = places
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ways: dict[str, Callable[[Entry], Awaitable[Delivery]]] = {
            "train": self._attempt,
            "ask": self._ask,
        }

    def resume(self) -> int:
        """Take up what a server that died left; return how many jobs that are."""
        left = [entry for entry in self.book if not entry.record.state.is_over]
        for entry in left:
            if entry.record.forgotten:
                self.book.remove(entry)
            else:
                entry.tell(_note("The server was started anew: the training goes on."))
                self.start(entry)
        return len(left)

    def start(self, entry: Entry) -> None:
        """Have a job carried out, if it is not already."""
        job = entry.record.id
        if job not in self._tasks and not entry.record.state.is_over:
            task = asyncio.create_task(self._carry(entry), name=job)
            self._tasks[job] = task
            task.add_done_callback(lambda _: self._tasks.pop(job, None))

    def stop(self, entry: Entry) -> None:
        """Ask a job to end with the best it has; one that waits ends at once."""
        job = entry.record.id
        entry.record = entry.record.model_copy(update={"stop": True})
        self.book.save(entry)
        task = self._tasks.get(job)
        if task is not None:
            self._flag(job, wanted=True)
            if entry.record.state is State.WAITING:
                task.cancel()

    async def close(self) -> None:
        """Leave the jobs as they are, for the next start."""
        for task in list(self._tasks.values()):
            task.cancel("closing")
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def keep_tidy(self) -> None:
        """Forget, once an hour, what nobody has asked for in a month."""
        while True:
            now = time.time()
            for entry in self.book:
                if (
                    entry.record.state.is_over
                    and now - entry.record.over > KEPT_DAYS * _DAY
                ):
                    self.book.remove(entry)
            known = {entry.record.id for entry in self.book}
            await asyncio.to_thread(sweep, self.work, known)
            await asyncio.sleep(_HOUR)

    async def _carry(self, entry: Entry) -> None:
        """Run one job until it is over, again after each death of its worker."""
        record = entry.record
        job = record.id
        LOG.info("job %s of %s: taken", job[:8], record.owner)

        def heard(stamped: tuple[float, dict[str, Any]]) -> None:
            # dask adds which worker it was, an address that concerns no client.
            told = {key: v for key, v in stamped[1].items() if key != "worker"}
            self._hear(entry, told)

        self.client.subscribe_topic(topic(job), heard)
        try:
            while True:
                try:
                    delivery = await self._ways[record.kind](entry)
                    break
                except JobLostError as error:
                    self._died(entry, error)
            self.book.end(
                entry, State.DONE, result=delivery.result, files=delivery.files
            )
            self._flag(job, wanted=False)
            LOG.info("job %s of %s: done", job[:8], record.owner)
        except asyncio.CancelledError as cancelled:
            if cancelled.args == ("closing",):
                raise
            text = "It was stopped before it had begun."
            self._fail(entry, UserError(text))
        except LgsslError as error:
            self._fail(entry, error)
        except Exception as error:
            LOG.exception("job %s", job[:8])
            self._fail(entry, translate(error))
        finally:
            self.client.unsubscribe_topic(topic(job))
        await asyncio.to_thread(shutil.rmtree, self.work / job, ignore_errors=True)

    async def _attempt(self, entry: Entry) -> Delivery:
        """Have one worker do it.

        Raises
        ------
        JobLostError
            If the worker died.
        LgsslError
            If the job itself failed.
        """
        record = entry.record
        ranks = RoundRequest.model_validate_json(record.request).ranks
        size = self.store.path(record.bundle).stat().st_size
        order = Order(
            bundle=record.bundle,
            bundle_bytes=size,
            request=record.request,
            checkpoint=record.checkpoint,
        )
        if self.places.most() < ranks and not record.deaths:
            entry.tell(_note(_waits(ranks, self.places.most())))
        name = f"train-{record.id}-{record.deaths}-{time.monotonic_ns()}"
        async with self.places.take(ranks) as crew:
            told = record.id, order.model_dump_json()
            errand = Crew(self.client, self.places.alive, crew, name)
            return Delivery.model_validate_json(await errand.do(train_bundle, *told))

    async def _ask(self, entry: Entry) -> Delivery:
        """Have all workers ask a model about a pool."""
        if not self.places.most():
            entry.tell(_note("The work waits for a worker of the server."))
        await Shards(self.client, self.book, self.store, self.places, entry).run()
        return Delivery(result="{}", files=entry.record.files)

    def _hear(self, entry: Entry, event: dict[str, Any]) -> None:
        record = entry.record
        if record.state is State.WAITING:
            entry.record = record = record.model_copy(update={"state": State.RUNNING})
            self.book.save(entry)
            if record.stop:
                self._flag(record.id, wanted=True)
        step = event.get("step")
        if isinstance(step, int) and step > record.step:
            # Not saved for each step: after the server's own death it counts anew.
            entry.record = record.model_copy(update={"step": step, "deaths": 0})
        entry.tell(event)

    def _died(self, entry: Entry, error: JobLostError) -> None:
        """Take note of a worker's death; give up where the training gets no further."""
        deaths = entry.record.deaths + 1
        update = {"deaths": deaths, "state": State.WAITING}
        entry.record = entry.record.model_copy(update=update)
        self.book.save(entry)
        LOG.warning("job %s: its worker died (%d)", entry.record.id[:8], deaths)
        if deaths >= MOST_DEATHS:
            raise JobLostError(
                f"The worker died {deaths} times without getting any further (it was "
                "killed, or the server runs out of memory); ask whoever runs it, or "
                "train with a smaller batch."
            ) from error
        text = "The worker died; the training goes on from its last checkpoint."
        entry.tell(_note(text))

    def _fail(self, entry: Entry, error: LgsslError) -> None:
        LOG.info("job %s: %s", entry.record.id[:8], type(error).__name__)
        self.book.end(entry, State.FAILED, failure=Failure.of(error))

    def _flag(self, job: str, *, wanted: bool) -> None:
        from distributed import Event as Flag

        flag = Flag(stop_flag(job), client=self.client)
        task = asyncio.ensure_future(flag.set() if wanted else flag.clear())
        self._tasks[f"stop-{job}"] = task
        task.add_done_callback(lambda _: self._tasks.pop(f"stop-{job}", None))


def _waits(ranks: int, most: int) -> str:
    if ranks == 1:
        return "The training waits for a worker of the server."
    return (
        f"The training waits for {ranks} workers of the server that can train "
        f"together; there are {most}."
    )


def _note(text: str) -> dict[str, Any]:
    return {"kind": "note", "text": text}
