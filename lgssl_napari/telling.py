"""How far slow work has got, told from wherever it runs to whoever waits for it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Told = Callable[[int, int], None]

_HERE = threading.local()


@contextmanager
def telling(told: Told | None) -> Iterator[None]:
    """Let `told` hear what work in this thread reports."""
    before = getattr(_HERE, "told", None)
    _HERE.told = told
    try:
        yield
    finally:
        _HERE.told = before


def report(done: int, total: int) -> None:
    """Say how far work has got; where nobody listens it is not heard."""
    told = getattr(_HERE, "told", None)
    if told is not None:
        told(done, total)
