"""Text-prompted, semi-supervised segmentation of medical images: the core.

Nothing here needs a screen, and importing the package is cheap: torch and
transformers are imported only by the modules that use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: a start need not wait for it."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lgssl-napari")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
