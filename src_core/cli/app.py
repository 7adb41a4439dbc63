"""All commands in one table of contents."""

from __future__ import annotations

import typer

from src_core.cli import (
    choosing,
    cluster,
    learning,
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
start.register(app)
projects.register(app)
learning.register(app)
choosing.register(app)
cluster.register(app)
pool.register(app)
proposals.register(app)
