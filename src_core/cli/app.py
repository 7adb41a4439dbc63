"""All commands in one table of contents."""

from __future__ import annotations

import typer

from src_core.cli import (
    choosing,
    cluster,
    learning,
    models,
    pool,
    projects,
    proposals,
    start,
)

app = typer.Typer(
    name="lgssl",
    help="Segment medical images by typing what to find; correct, and retrain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for part in (start, projects, learning, models, choosing, cluster, pool, proposals):
    for name, command in part.COMMANDS.items():
        app.command(name)(command)
