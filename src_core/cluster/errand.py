"""What a worker of a server does with a job: fetch, unpack, train, hand in.

Runs in a process of its own, started by dask. It is given and gives back plain JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from src_core.cluster.blobs import BlobStore
from src_core.cluster.manifest import Blob, Sha, read_manifest
from src_core.config import Settings
from src_core.errors import LgsslError
from src_core.files import PRIVATE_FOLDER, write_private
from src_core.jobs import Reporter
from src_core.ranks.seat import Seat

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from src_core.cluster.link import Link
    from src_core.rounds import RoundRequest

AREA: Final = "LGSSL_AREA"
HUB: Final = "LGSSL_HUB"
KEYS: Final = "LGSSL_WORKER_KEYS"
BOUND: Final = "LGSSL_CACHE_BYTES"
HAND_IN_EVERY: Final = "LGSSL_HAND_IN_SECONDS"
DELIVERY: Final = "delivery.json"
_PIECE: Final = 8 << 20
_PATIENCE: Final = 30.0
# Names of src_core.worker, which would bring torch into the server's own process.
CHECKPOINT, NOTE = "checkpoint.safetensors", "job.json"
_DAY: Final = 86_400.0
_KEPT_DAYS: Final = 14


class Order(Settings):
    """What the server asks of a worker.

    Attributes
    ----------
    bundle, bundle_bytes : str, int
        The manifest.
    request : str
        A round's request as JSON.
    checkpoint : dict
        Name -> (hash, bytes) of what another worker had reached; empty for none.
    """

    bundle: Sha
    bundle_bytes: int
    request: str
    checkpoint: dict[str, Blob] = Field(default_factory=dict)


class Delivery(Settings):
    """What a worker hands in: the round's result as JSON, and its files by hash."""

    result: str
    files: dict[str, Blob]


def train_bundle(job: str, order: str, seat: str = "") -> str:
    """Run a round on a bundle.

    Parameters
    ----------
    job : str
        Its id.
    order : str
        An :class:`Order` as JSON.
    seat : str
        Of several workers that train together, which this is.

    Returns
    -------
    str
        A :class:`Delivery` as JSON; empty of all but the first.
    """
    place, errand = Seat.unpack(seat), Errand(job, Order.model_validate_json(order))
    if place is not None and place.number:
        errand.assist(place)
        return ""
    return errand.run(Reporter(job), place)


class Errand:
    """One job on one worker.

    Parameters
    ----------
    job : str
        Its id.
    order : Order
        What is asked.
    """

    def __init__(self, job: str, order: Order) -> None:
        self.job, self.order = job, order
        area = Path(os.environ[AREA])
        self.store = BlobStore(area / "blobs", int(os.environ[BOUND]))
        self.folder = area / "work" / job
        self.folder.parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        self.link = _link()

    def run(self, reporter: Reporter, seat: Seat | None) -> str:
        """Fetch what is missing, train, and hand in what came of it.

        Parameters
        ----------
        reporter : Reporter
            How to tell, and to ask whether to stop.
        seat : Seat or None
            The first one of several that train together; None alone.
        """
        delivered = self.folder / DELIVERY
        if delivered.exists():  # the server died before it had taken note
            return delivered.read_text()
        sweep(self.folder.parent, {self.job})
        files, result = self._train(reporter, seat)
        delivery = Delivery(
            result=json.dumps(result),
            files={name: self.hand_in(path) for name, path in files.items()},
        )
        text = delivery.model_dump_json()
        write_private(delivered, text.encode())
        return text

    def assist(self, seat: Seat) -> None:
        """Train beside the worker that has the first seat."""
        from src_core.worker import assist_round

        position = self._unpacked()
        if not (self.folder / DELIVERY).exists():
            assist_round(self.folder, position, self._request(), seat)

    def _request(self) -> RoundRequest:
        from src_core.rounds import RoundRequest

        return RoundRequest.model_validate_json(self.order.request)

    def _unpacked(self) -> int:
        """Return the position of the bundle's project, made here if need be."""
        from filelock import FileLock

        from src_core.cluster.unpack import unpack

        # Workers of one machine share its disk.
        with FileLock(self.folder.parent.with_suffix(".lock"), mode=0o600):
            self.fetch({self.order.bundle: self.order.bundle_bytes})
            manifest = read_manifest(self.store.content(self.order.bundle))
            self.fetch(manifest.blobs())
            return unpack(manifest, self.store, self.folder)

    def _train(
        self, reporter: Reporter, seat: Seat | None
    ) -> tuple[dict[str, Path], dict[str, Any]]:
        from src_core.cluster.receive import FILES
        from src_core.worker import run_round

        reporter.tell({"kind": "phase", "text": "unpacking the images"})
        position = self._unpacked()
        tell, should_stop = reporter.tell, reporter.should_stop
        with self._checkpoints_kept():
            result = run_round(
                self.folder, position, self._request(), tell, should_stop, seat
            )
        made = self.folder / "models" / result["version"]
        return {name: made / name for name in FILES}, result

    def fetch(self, wanted: dict[str, int]) -> None:
        """Bring what is missing from the server; its own disk lacks nothing."""
        if self.link is None:
            return
        absent = self.store.missing(wanted)
        self.store.make_room(sum(absent.values()), lambda: wanted)
        for sha256, size in absent.items():
            have = self.store.begun(sha256)
            while not self.store.has(sha256):
                data = self.link.fetch(f"/v1/blobs/{sha256}", have, _PIECE)
                have = self.store.append(sha256, size, have, data)

    def hand_in(self, path: Path) -> Blob:
        blob = self.store.add_file(path)
        if self.link is not None:
            self.link.send({blob[0]: blob[1]}, self.store.read)
        return blob

    @contextmanager
    def _checkpoints_kept(self) -> Iterator[None]:
        """Keep the server informed of checkpoints, if this disk is not the server's.

        A worker that dies with its machine then costs a minute, not the training.
        """
        place = self.folder / "jobs" / "train"
        if self.link is None:
            yield
            return
        if not place.exists() and self.order.checkpoint:
            place.mkdir(mode=PRIVATE_FOLDER, parents=True)
            self.fetch(dict(self.order.checkpoint.values()))
            for name in (NOTE, CHECKPOINT):
                content = self.store.content(self.order.checkpoint[name][0])
                write_private(place / name, content)
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(place, over), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join(timeout=_PATIENCE)

    def _watch(self, place: Path, over: threading.Event) -> None:
        assert self.link is not None
        sent, pause = 0, float(os.environ.get(HAND_IN_EVERY, "60"))
        while not over.wait(pause):
            # One that is replaced meanwhile, or a line that is down: the next one is
            # as good.
            with suppress(LgsslError, OSError):
                mark = (place / CHECKPOINT).stat().st_mtime_ns
                if mark != sent:
                    files = {n: self.hand_in(place / n) for n in (NOTE, CHECKPOINT)}
                    path = f"/v1/jobs/{self.job}/checkpoint"
                    self.link.ask("PUT", path, {"files": files})
                    self.store.drop(files[CHECKPOINT][0])
                    sent = mark


def sweep(work: Path, kept: Collection[str]) -> None:
    """Remove the folders of jobs that were delivered, or left alone for two weeks."""
    now = time.time()
    for folder in work.iterdir():
        delivered = folder / DELIVERY
        days = 1 if delivered.exists() else _KEPT_DAYS
        newest = delivered if delivered.exists() else folder
        with suppress(OSError):
            if folder.name not in kept and now - newest.stat().st_mtime > days * _DAY:
                shutil.rmtree(folder)


def _link() -> Link | None:
    """Return the way to the server; None on the server itself."""
    from src_core.cluster.keyring import Keys
    from src_core.cluster.link import Link

    address = os.environ.get(HUB)
    return Link(address, Keys.find(Path(os.environ[KEYS]))) if address else None
