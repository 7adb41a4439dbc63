"""Exporters of a file a mask, and of label maps with all masks of an image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from src_core.imaging.names import Names
from src_core.imaging.ours import check_json, foreign
from src_core.imaging.write_mask import write_labels, write_mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from src_core.imaging.base import Exporter, ExportItem

LABELS: Final = "labels"
LEGEND: Final = "labels.json"


def masks_as(suffix: str) -> Exporter:
    """Make an exporter: ``OUT/IMAGE/TARGET<suffix>`` and ``OUT/IMAGE/labels<suffix>``.

    The label map holds every target of the image at once, by the numbers that
    ``OUT/labels.json`` names; it is left out where targets overlap, which it cannot
    hold. Where the format is flat, a volume is a folder of slices instead of a file.
    Exported into the same folder again, targets keep their numbers: maps of images that
    are not exported this time go on saying the same.
    """

    def export_masks(items: Iterable[ExportItem], out: Path) -> list[Path]:
        written: list[Path] = []
        images, legend = Names(), {"background": 0}
        check_json(out / LEGEND, _is_legend)
        if (out / LEGEND).exists():
            legend = json.loads((out / LEGEND).read_text(encoding="utf-8"))
        for item in items:
            folder = out / images.new(item.stem)
            if folder.exists() and not folder.is_dir():
                raise foreign(folder)
            names = Names()
            names.new(LABELS)
            for target, mask in item.masks.items():
                legend.setdefault(target, max(legend.values()) + 1)
                name = names.new(target)
                written += _write(item, mask, folder, name, suffix, labels=False)
            together = _label_map(item.masks, legend)
            _take_away(folder, suffix)  # of masks that may not have overlapped yet
            if together is not None:
                written += _write(item, together, folder, LABELS, suffix, labels=True)
        if len(legend) > 1:
            (out / LEGEND).write_text(json.dumps(legend, indent=1), encoding="utf-8")
            written.append(out / LEGEND)
        return written

    return export_masks


def _write(
    item: ExportItem,
    mask: np.ndarray,
    folder: Path,
    name: str,
    suffix: str,
    *,
    labels: bool,
) -> list[Path]:
    write = write_labels if labels else write_mask
    if suffix != ".png" or mask.ndim == 2:
        path = folder / f"{name}{suffix}"
        write(path, mask, like=item.picture)
        return [path]
    paths = [folder / name / f"{z:04d}{suffix}" for z in range(len(mask))]
    for path, plane in zip(paths, mask, strict=True):
        write(path, plane)
    return paths


def _is_legend(content: Any) -> bool:
    numbers = [isinstance(number, int) for number in content.values()]
    return all(numbers) and content["background"] == 0


def _take_away(folder: Path, suffix: str) -> None:
    """Remove the label map of an earlier export, be it a file or a folder of slices."""
    (folder / f"{LABELS}{suffix}").unlink(missing_ok=True)
    for plane in (folder / LABELS).glob(f"[0-9]*{suffix}"):
        plane.unlink()


def _label_map(
    masks: Mapping[str, np.ndarray], legend: Mapping[str, int]
) -> np.ndarray | None:
    """Join masks into one array of labels; None where there are none, or overlaps."""
    if not masks:
        return None
    shape = next(iter(masks.values())).shape
    joined = np.zeros(shape, np.uint8 if max(legend.values()) < 256 else np.uint16)
    for target, mask in masks.items():
        inside = mask != 0
        if joined[inside].any():
            return None
        joined[inside] = legend[target]
    return joined
