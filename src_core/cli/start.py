"""Commands to begin with: the demonstration, and the window."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from src_core.cli.console import AsJson, emit, tell


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="No window: a picture report instead.")
    ] = False,
    out: Annotated[
        Path, typer.Option(help="Where the project and the report go.")
    ] = Path("demo"),
    minutes: Annotated[float, typer.Option(help="Of training.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Live through one whole round on sample data."""
    from src_core.cli.demonstration import demonstrate

    outcome = demonstrate(out, minutes)
    sentence = (
        f"Dice on the held-out sample images: {outcome['before']:.3f} before, "
        f"{outcome['after']:.3f} after the round. Report: {outcome['report']}"
    )
    emit(outcome, sentence, as_json=as_json)
    if not headless and has_screen():
        tell("Opening napari with the sample project…")
        _launch(Path(outcome["project"]))


def app(
    project: Annotated[
        Path | None, typer.Argument(help="The project's folder.")
    ] = None,
) -> None:
    """Open napari with the panel docked."""
    from src_core.errors import UserError

    if not has_screen():
        raise UserError(
            "There is no screen to open a window on; use the other commands "
            "('lgssl --help'), or set DISPLAY."
        )
    _launch(project)


def has_screen() -> bool:
    """Whether a window can be opened here."""
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_display or not sys.platform.startswith("linux")


def _launch(project: Path | None) -> None:
    from importlib.util import find_spec

    from src_core.errors import MissingExtraError

    if find_spec("napari") is None:
        raise MissingExtraError("The window", "all")
    # By name: the core never imports the panel, it only starts it.
    from importlib import import_module

    import_module("lgssl_napari.app").launch(project)


COMMANDS: dict[str, Callable[..., None]] = {"demo": demo, "app": app}
