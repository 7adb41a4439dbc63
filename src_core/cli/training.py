"""A round from the command line: the job in a worker, a bar here, the commit here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from src_core.cli.console import progress_bar, tell
from src_core.engine import Engine, Event
from src_core.rounds import RoundRequest, ensure_validation, promote
from src_core.store import Project
from src_core.worker import train_job


def train_with_bar(
    folder: Path, request: dict[str, Any], scheduler: str | None, who: str
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

    Returns
    -------
    dict
        ``RoundResult.as_dict()``.
    """
    asked = RoundRequest.model_validate(request)
    with Project.open(folder, mode="rw") as project:
        ensure_validation(project, who)
        with Engine(scheduler) as engine, progress_bar() as bars:
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

            job = engine.submit(
                train_job,
                str(project.path),
                project.position,
                asked.model_dump_json(),
                on_event=show,
            )
            result: dict[str, Any] = job.result()
        if result["promoted"]:
            reason = result["verdict"]["reason"]
            promote(project, result["version"], who=who, reason=reason)
    return result
