"""docs/command-line.md names every command and every option, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from src_core.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
# Said once above the table.
EVERYWHERE = {"--json", "--who", "--help"}


def told():
    """Options by command, as the page's table has them."""
    found: dict[str, set[str]] = {}
    for row in re.findall(r"^\| `lgssl (.+)$", PAGE.read_text("utf-8"), re.MULTILINE):
        name, rest = row.split(maxsplit=1)
        found.setdefault(name, set()).update(re.findall(r"--[a-z-]+", rest))
    return found


COMMANDS = typer.main.get_command(app).commands
TOLD = told()


def test_every_command_stands_in_the_table():
    assert TOLD.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_in_the_table(name):
    options = {
        option
        for given in COMMANDS[name].params
        for option in (*given.opts, *given.secondary_opts)
        if option.startswith("--")
    }
    assert TOLD[name] - EVERYWHERE == options - EVERYWHERE
