"""Text-prompted, semi-supervised segmentation of medical images: the core.

Nothing here needs a screen, and importing the package is cheap: torch and
transformers are imported only by the modules that use them.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lgssl-napari")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
