"""The jobs: module-level functions that run in a worker process."""

from __future__ import annotations

import json
import math
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src_core.errors import memory_ran_out
from src_core.files import write_private
from src_core.jobs import Reporter
from src_core.ranks.seat import Seat
from src_core.rounds import RoundRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from src_core.devices import Device
    from src_core.store import Project

CHECKPOINT, NOTE = "checkpoint.safetensors", "job.json"
TELL_EVERY = 0.5
Event = dict[str, Any]


def train_job(
    job: str, project: str, position: int, request: str, seat: str = ""
) -> dict[str, Any]:
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
    seat : str
        Of several tasks that train together, which this is: a :class:`Seat` as JSON.

    Returns
    -------
    dict
        ``RoundResult.as_dict()``; empty of all tasks but the first.
    """
    place, asked = Seat.unpack(seat), RoundRequest.model_validate_json(request)
    if place is not None and place.number:
        assist_round(Path(project), position, asked, place)
        return {}
    reporter = Reporter(job)
    tell, should_stop = reporter.tell, reporter.should_stop
    return run_round(Path(project), position, asked, tell, should_stop, place)


def look_job(
    job: str, project: str, version: str = "", seconds: float | None = None
) -> dict[str, Any]:
    """Look at every picture, and ask the model about it; the job of idle time.

    Goes on where an earlier one was stopped. Afterwards the next image is chosen from
    what is kept, at once.

    Parameters
    ----------
    job : str
        The engine's id of the job.
    project : str
        The project's folder.
    version : str
        The model version to ask; what answers if empty, none before there is one.
    seconds : float, optional
        No picture is begun after so long.

    Returns
    -------
    dict
        ``{"looks": [known, all], "survey": [known, all]}``, training images; the
        second is None without a model.
    """
    reporter = Reporter(job)
    return look_at_pool(
        Path(project), version, seconds, reporter.tell, reporter.should_stop
    )


def look_at_pool(
    folder: Path,
    version: str,
    seconds: float | None,
    tell: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Take in looks, then a survey, then what is derived from both."""
    from src_core.predict import Predictor
    from src_core.rounds import promoted
    from src_core.rounds.choose import chooser_of
    from src_core.rounds.derived import look_alikes_of
    from src_core.rounds.survey import (
        Limits,
        looks_shelf,
        take_in_looks,
        take_survey,
    )
    from src_core.store import Project

    ends = math.inf if seconds is None else time.monotonic() + seconds
    told = [0.0]

    def late() -> bool:
        return time.monotonic() >= ends or should_stop()

    def limits(phase: str) -> Limits:
        def progress(done: int, total: int) -> None:
            if time.monotonic() - told[0] >= TELL_EVERY or done == total:
                told[0] = time.monotonic()
                tell({"kind": "looking", "text": phase, "done": done, "total": total})

        return Limits(should_stop=late, progress=progress)

    with Project.open(folder) as project:
        known = take_in_looks(project, limits("looking at the pictures"))
        answer: dict[str, Any] = {"looks": [known.done, known.total], "survey": None}
        wanted = version or promoted(project)
        if wanted:
            model = Predictor.load(
                project.models_dir / wanted, text_cache=project.cache_dir / "text"
            )
            asked = take_survey(project, model, limits("asking the model"))
            answer["survey"] = [asked.done, asked.total]
        # Who resembles whom is worked out here, and not while somebody waits.
        if not late():
            home = project.cache_dir / "derived"
            look_alikes_of(looks_shelf(project), home, wait=True)
            chooser_of(project).catch_up()
        return answer


def run_round(
    folder: Path,
    position: int,
    request: RoundRequest,
    tell: Callable[[Event], None],
    should_stop: Callable[[], bool],
    seat: Seat | None = None,
) -> dict[str, Any]:
    """Run a round with a smaller batch each time that memory runs out.

    The first of several tasks that train together cannot go on alone where memory runs
    out: it says so.
    """
    # Not above: a window imports this module to name the job, and needs no torch.
    from src_core.devices import pick_device
    from src_core.rounds.round import Round, RoundHooks
    from src_core.store import Project

    device = pick_device(request.device)
    with Project.open(folder, at=position) as project:
        checkpoint = resume_point(project, request)
        hooks = RoundHooks(
            phase=lambda text: tell({"kind": "phase", "text": text}),
            progress=lambda progress: tell(_progress_event(progress)),
            should_stop=should_stop,
            checkpoint=checkpoint,
        )
        tell({"kind": "device", "text": _label(device, seat)})
        while True:
            try:
                this = Round(project, request, device, hooks)
                with _among_ranks(seat, device):
                    outcome = this.train()
                result = this.conclude(outcome)
                break
            except (MemoryError, RuntimeError) as error:
                smaller = None if seat else _smaller(request, error)
                if smaller is None:
                    raise
                request, change = smaller
                tell(
                    {
                        "kind": "note",
                        "text": f"Memory ran out: beginning again {change}.",
                    }
                )
        _forget(checkpoint)
        return result.as_dict()


def assist_round(
    folder: Path, position: int, request: RoundRequest, seat: Seat
) -> None:
    """Train beside the first of several tasks, which does all the rest."""
    from src_core.devices import pick_device
    from src_core.rounds.round import Round
    from src_core.store import Project

    device = pick_device(request.device, seat.number)
    with (
        Project.open(folder, at=position) as project,
        _among_ranks(seat, device),
    ):
        Round(project, request, device).train()


def _among_ranks(seat: Seat | None, device: Device) -> AbstractContextManager[object]:
    if seat is None:
        return nullcontext()
    from src_core.ranks.gang import together

    return together(seat, device.torch)


def _label(device: Device, seat: Seat | None) -> str:
    return f"{seat.count} × {device.label}" if seat else device.label


def resume_point(project: Project, request: RoundRequest) -> Path:
    """Return the checkpoint's path, and drop one that belongs to another training."""
    folder = project.jobs_dir / "train"
    folder.mkdir(mode=0o700, exist_ok=True)
    checkpoint, note = folder / CHECKPOINT, folder / NOTE
    wanted = {"position": project.position, "request": request.model_dump(mode="json")}
    if _noted(note) != wanted:
        checkpoint.unlink(missing_ok=True)
        write_private(note, json.dumps(wanted).encode())
    return checkpoint


def _noted(note: Path) -> Any:
    """Return what a note says; None where there is none, or only a part of it."""
    try:
        return json.loads(note.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _forget(checkpoint: Path) -> None:
    checkpoint.unlink(missing_ok=True)
    checkpoint.with_name(NOTE).unlink(missing_ok=True)


def _smaller(
    request: RoundRequest, error: Exception
) -> tuple[RoundRequest, str] | None:
    """Return a request that needs less memory, and how; None where there is none."""
    train = request.settings.train
    least = train.batch == 2 and train.prompts_per_image == 1
    if least or not memory_ran_out(error):
        return None
    if train.batch > 2:
        batch = max(2, train.batch // 2)
        update, change = {"batch": batch}, f"with batches of {batch}"
    else:
        update, change = {"prompts_per_image": 1}, "with one prompt an image"
    settings = request.settings.model_copy(
        update={"train": train.model_copy(update=update)}
    )
    return request.model_copy(update={"settings": settings}), change


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
