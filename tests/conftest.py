"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch is imported: two threads that spin on a busy machine are ten times
# slower than one, and the small networks of the tests gain nothing from two.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A test that imports a library, or has half a core, is slow and not wrong.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def _data_folder() -> Path | None:
    named = os.environ.get("LGSSL_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; tests that need it skip where it is absent."""
    folder = _data_folder()
    if folder is None:
        pytest.skip("no real images here: set LGSSL_DATA to their folder")
    return folder


@pytest.fixture
def seeded() -> None:
    """A fixed state of torch's global generator, for tests that build networks."""
    import torch

    torch.manual_seed(0)
