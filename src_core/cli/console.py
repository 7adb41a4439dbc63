"""What the command line prints: results on standard output, the rest on error."""

from __future__ import annotations

import getpass
import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line.")
]
Who = Annotated[
    str, typer.Option("--who", help="Your name in the history.", show_default=False)
]
ProjectFolder = Annotated[Path, typer.Argument(help="The project's folder.")]


def user() -> str:
    """Return the name that goes into the history when none is given."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return "unknown"


def emit(payload: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    """Print a command's result: one JSON line, or what a person wants to read."""
    if as_json:
        sys.stdout.write(json.dumps(payload, allow_nan=False, default=str) + "\n")
        sys.stdout.flush()  # a server's readiness is read while it goes on
    elif sentence:
        typer.echo(sentence)


def tell(sentence: str) -> None:
    """Print something that is not the result, on standard error."""
    typer.echo(sentence, err=True)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress bars on standard error while work lasts, if it is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        yield bars


def log_failure(error: BaseException) -> Path:
    """Write the traceback of an error to the log file and return its path.

    It is in the user's log folder, readable by the user alone. Where the system lets
    nothing be written, as on a full disk, the traceback is lost: the sentence that
    follows matters more.
    """
    from platformdirs import user_log_path

    path: Path = user_log_path("lgssl-napari") / "lgssl.log"
    lines = traceback.format_exception(error)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        path.touch(mode=0o600)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} command failed\n")
            file.writelines(lines)
    return path
