"""File > Open Sample: our phantoms, and real pictures that scikit-image brings."""

from __future__ import annotations

from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def chest() -> list[LayerData]:
    """Return a phantom chest film."""
    import sample_data

    return [(*sample_data.chest(), "image")]


def slide() -> list[LayerData]:
    """Return a phantom of a stained slide."""
    import sample_data

    return [(*sample_data.slide(), "image")]


def cell() -> list[LayerData]:
    """Return a cell in phase contrast."""
    return _bundled("cell", "Cell", rgb=False)


def immunohistochemistry() -> list[LayerData]:
    """Return stained colon tissue."""
    return _bundled("immunohistochemistry", "Immunohistochemistry", rgb=True)


def retina() -> list[LayerData]:
    """Return a photograph of a retina."""
    return _bundled("retina", "Retina", rgb=True)


def _bundled(name: str, title: str, *, rgb: bool) -> list[LayerData]:
    import skimage.data

    return [(getattr(skimage.data, name)(), {"name": title, "rgb": rgb}, "image")]
