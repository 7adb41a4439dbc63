"""A round from the command line: the job elsewhere, a bar here, the commit here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from src_core.cli.console import progress_bar, tell
from src_core.cluster.training import EngineLike, engine_for, start_training
from src_core.errors import BadInputError, JobError
from src_core.jobs import Event
from src_core.rounds import RoundRequest
from src_core.store import Project
from src_core.worker import look_job

LOOKING = 0.1
"""Share of the training's time in which the pool is looked at afterwards."""


def train_with_bar(
    folder: Path,
    request: dict[str, Any],
    scheduler: str | None,
    who: str,
    keys: Path | None = None,
) -> dict[str, Any]:
    """Train a project and promote the version if the gate says so.

    Parameters
    ----------
    folder : Path
        The project.
    request : dict
        A :class:`RoundRequest` as plain values.
    scheduler : str or None
        Where to run; a local worker if None.
    who : str
        Goes into the ledger.
    keys : Path, optional
        Folder of this computer's certificates.

    Returns
    -------
    dict
        ``RoundResult.as_dict()``.

    Raises
    ------
    BadInputError
        If the request asks for what cannot be, such as no time at all.
    """
    asked = _checked(request)
    engine = engine_for(scheduler, keys)
    with Project.open(folder, mode="rw") as project, progress_bar() as bars:
        task = bars.add_task("starting", total=1.0, note="")

        def show(event: Event) -> None:
            if event["kind"] == "progress":
                looks = event["looks"]
                dice = f"Dice {np.fmax(*looks[-1][2:]):.3f}" if looks else ""
                bars.update(
                    task,
                    completed=event["done"],
                    description=event["phase"],
                    note=dice,
                )
            elif event["kind"] == "phase":
                bars.update(task, description=event["text"])
            else:
                tell(event["text"])

        try:
            training = start_training(project, asked, engine, who, on_event=show)
            result = training.result()
            if not scheduler and result["promoted"]:
                bars.update(task, description="looking at the pool")
                _look(project, engine, LOOKING * result["seconds"])
            return result
        except KeyboardInterrupt:
            if scheduler:
                tell(
                    f"The training goes on at '{scheduler}'; the same command follows "
                    "it again, and with --stop ends it."
                )
            raise
        finally:
            engine.close()


def _checked(request: dict[str, Any]) -> RoundRequest:
    try:
        return RoundRequest.model_validate(request)
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][-1]) if first["loc"] else "it"
        raise BadInputError(
            f"The training cannot be done so: {where} is {first['input']!r}. "
            f"{first['msg']}."
        ) from error


def _look(project: Project, engine: EngineLike, seconds: float) -> None:
    """Let the worker look at the pool for a while, so that a choice is made at once.

    What is not looked at in this time, `lgssl next` and the window go on with.
    """
    try:
        engine.submit(look_job, str(project.path), "", seconds).result()
    except JobError as error:  # the model stands, whatever became of this
        tell(f"The pool was not looked at: {error}")


def end_elsewhere(folder: Path, *, forget: bool, keys: Path | None) -> str:
    """End the training that a project left on a server.

    Parameters
    ----------
    folder : Path
        The project.
    forget : bool
        Give it up, where the server answers and where it does not; otherwise ask it to
        end with the best it has.
    keys : Path, optional
        Folder of this computer's certificates.

    Returns
    -------
    str
        Where it is, ``""`` where there is none.
    """
    from src_core.cluster.following import ask_to_end
    from src_core.cluster.keyring import Keys
    from src_core.cluster.left import left_behind
    from src_core.cluster.link import Server
    from src_core.cluster.remote import abandon
    from src_core.cluster.trouble import Unreachable

    with Project.open(folder, mode="rw") as project:
        left = left_behind(project.path)
        if left is None:
            return ""
        server = Server(left.scheduler, Keys.find(keys))
        if not forget:
            ask_to_end(left, server)
            return left.scheduler
        try:
            abandon(project.path, server)
        except Unreachable as error:
            tell(f"{error} The training is forgotten here alone.")
            abandon(project.path, None)
    return left.scheduler
