"""The packages that draw a map of their modules have every one of them on it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["src_core.cluster", "src_core.store"])
def test_every_module_is_on_the_map(name):
    package = importlib.import_module(name)
    drawn = re.search(r"::\n\n(.+?)\n\n(?=\S)", package.__doc__, re.DOTALL)
    # A row begins at the left; what is told of it stands behind two spaces.
    rows = re.findall(r"^    (\S.*?)  ", drawn[1], re.MULTILINE)
    on_it = {module for row in rows for module in row.split(", ")}
    there = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    assert on_it == there - {"__init__"}
