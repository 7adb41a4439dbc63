"""The command that trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from src_core.cli.cluster import KeysFolder
from src_core.cli.console import AsJson, ProjectFolder, Who, emit, user


def train(
    project: ProjectFolder,
    method: Annotated[
        str | None, typer.Option(help="A method's name; default lg-ssl.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="How long; default 5.")] = None,
    steps: Annotated[int | None, typer.Option(help="Instead of minutes.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything that is drawn; default 0.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="JSON with settings of method, net and loop.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    ranks: Annotated[
        int, typer.Option(min=1, help="Processes that train together, one a GPU.")
    ] = 1,
    scheduler: Annotated[str, typer.Option(help="tls://host:port of a server.")] = "",
    keys: KeysFolder = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the one on the server; take its best.")
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Give the one on the server up.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start from nothing.")] = False,
    proposals: Annotated[
        bool | None,
        typer.Option(
            "--proposals/--no-proposals",
            help="Let a proposer's masks teach the first round, with lower trust.",
        ),
    ] = None,
    who: Who = "",
    as_json: AsJson = False,
) -> None:
    """Train on labelled and unlabelled images; the better model answers."""
    from src_core.cli.training import end_elsewhere, train_with_bar
    from src_core.config import ModelSettings, load_settings
    from src_core.errors import BadInputError
    from src_core.methods import method_class

    chosen = load_settings(settings) if settings else ModelSettings()
    given = {"method": method, "seed": seed}
    chosen = chosen.model_copy(
        update={key: value for key, value in given.items() if value is not None}
    )
    method_class(chosen.method)
    if device not in ("auto", "cpu", "cuda"):
        raise BadInputError(f"There is no device '{device}'; use auto, cpu or cuda.")
    if minutes is not None and steps is not None:
        raise BadInputError("Give --minutes or --steps, not both.")
    if minutes is None and steps is None:
        minutes = 5.0
    if stop or abandon:
        scheduler = end_elsewhere(project, forget=abandon, keys=keys)
        if not scheduler or abandon:
            sentence = "Given up." if scheduler else "No training is on a server."
            emit({"given_up": scheduler or None}, sentence, as_json=as_json)
            return
    result = train_with_bar(
        project,
        {
            "settings": chosen.model_dump(mode="json"),
            "minutes": minutes,
            "steps": steps,
            "device": device,
            "ranks": ranks,
            "fresh": fresh,
            "proposals_teach": proposals,
        },
        scheduler or None,
        who or user(),
        keys,
    )
    sentences = (result["verdict"]["reason"], result["presence"]["summary"])
    emit(result, f"{result['version']}: {' '.join(sentences)}", as_json=as_json)


COMMANDS: dict[str, Callable[..., None]] = {"train": train}
