"""The jobs: module-level functions that run in a worker process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src_core.engine import Reporter
from src_core.files import write_private
from src_core.rounds import RoundRequest
from src_core.rounds.round import Round, RoundHooks
from src_core.store import Project

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKPOINT, NOTE = "checkpoint.safetensors", "job.json"
Event = dict[str, Any]


def train_job(job: str, project: str, position: int, request: str) -> dict[str, Any]:
    """Run a round on a frozen snapshot; the job of ``lgssl train`` and of Retrain.

    Parameters
    ----------
    job : str
        The engine's id of the job.
    project : str
        The project's folder.
    position : int
        The ledger position to train at.
    request : str
        A :class:`RoundRequest` as JSON.

    Returns
    -------
    dict
        ``RoundResult.as_dict()``.
    """
    reporter = Reporter(job)
    return run_round(
        Path(project),
        position,
        RoundRequest.model_validate_json(request),
        reporter.tell,
        reporter.should_stop,
    )


def run_round(
    folder: Path,
    position: int,
    request: RoundRequest,
    tell: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Run a round with a smaller batch each time that memory runs out."""
    from src_core.devices import pick_device

    device = pick_device(request.device)
    with Project.open(folder, at=position) as project:
        checkpoint = resume_point(project, request)
        hooks = RoundHooks(
            phase=lambda text: tell({"kind": "phase", "text": text}),
            progress=lambda progress: tell(_progress_event(progress)),
            should_stop=should_stop,
            checkpoint=checkpoint,
        )
        tell({"kind": "device", "text": device.label})
        while True:
            try:
                result = Round(project, request, device, hooks).run()
                break
            except (MemoryError, RuntimeError) as error:
                smaller = _smaller(request, error)
                if smaller is None:
                    raise
                request = smaller
                batch = request.settings.train.batch
                tell(
                    {
                        "kind": "note",
                        "text": f"Memory ran out: going on with batches of {batch}.",
                    }
                )
        _forget(checkpoint)
        return result.as_dict()


def resume_point(project: Project, request: RoundRequest) -> Path:
    """Return the checkpoint's path, and drop one that belongs to another training."""
    folder = project.jobs_dir / "train"
    folder.mkdir(mode=0o700, exist_ok=True)
    checkpoint, note = folder / CHECKPOINT, folder / NOTE
    wanted = {"position": project.position, "request": request.model_dump(mode="json")}
    found = json.loads(note.read_text()) if note.exists() else None
    if found != wanted:
        checkpoint.unlink(missing_ok=True)
        write_private(note, json.dumps(wanted).encode())
    return checkpoint


def _forget(checkpoint: Path) -> None:
    checkpoint.unlink(missing_ok=True)
    checkpoint.with_name(NOTE).unlink(missing_ok=True)


def _smaller(request: RoundRequest, error: Exception) -> RoundRequest | None:
    is_memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    batch = request.settings.train.batch
    if not is_memory or batch == 1:
        return None
    train = request.settings.train.model_copy(update={"batch": batch // 2})
    settings = request.settings.model_copy(update={"train": train})
    return request.model_copy(update={"settings": settings})


def _progress_event(progress: Any) -> Event:
    return {
        "kind": "progress",
        "phase": progress.phase,
        "step": progress.step,
        "done": progress.done,
        "seconds": progress.seconds,
        "seconds_left": progress.seconds_left,
        "losses": progress.losses,
        "looks": [[k.step, k.seconds, k.raw, k.average] for k in progress.looks],
    }
