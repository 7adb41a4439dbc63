"""The package costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from src_core import store

HEAVY = ("apsw", "filelock", "numcodecs", "numpy", "torch", "zarr")


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, src_core.store; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", store.__all__)
def test_every_public_name_is_there(name):
    assert getattr(store, name).__name__ == name


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'Projekt'"):
        _ = store.Projekt
