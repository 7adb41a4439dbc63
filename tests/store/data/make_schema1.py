"""Write the small project that every later version must still read.

Run once, when layout 1 was current; its output is committed and never made again.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

from src_core.store import Project, StrokeJournal
from src_core.types import IMPORTED, MaskStatus, Source, SourceKind, Split


def disc(shape: tuple[int, int], radius: int) -> np.ndarray:
    """A filled circle in the middle."""
    y, x = np.indices(shape)
    inside = (y - shape[0] // 2) ** 2 + (x - shape[1] // 2) ** 2 <= radius**2
    return inside.astype(np.uint8)


def volume() -> np.ndarray:
    """Pixels of the second image."""
    return (np.arange(3 * 16 * 16) % 251 - 100).astype(np.int16).reshape(3, 16, 16)


def make(path: Path) -> None:
    """Write the project into a new folder."""
    with Project.create(path, "Layout 1", who="ada") as project:
        plane, _ = project.add_image(
            disc((32, 24), 9) * 200,
            name="Case 1.png",
            axes="yx",
            group="Patient 7",
            caption="A bright disc.",
        )
        slab, _ = project.add_image(
            volume(),
            name="Volume",
            axes="zyx",
            spacing=(5.0, 0.5, 0.5),
            unit="millimeter",
            origin=(-1.0, 2.0, 3.0),
            orientation="SPL",
            split=Split.TEST,
        )
        left = project.add_target("Left lung", ["left lung", "the lung on the left"])
        right = project.add_target("Right lung")
        proposal = Source(SourceKind.MODEL, "v1", "left lung")
        one = project.save_mask(
            plane.id,
            left.id,
            disc((32, 24), 5),
            status=MaskStatus.PROPOSED,
            source=proposal,
        )
        two = project.save_mask(
            plane.id,
            left.id,
            disc((32, 24), 9),
            status=MaskStatus.DONE,
            parent=one.number,
            seconds_spent=12.5,
        )
        project.sign_off(plane.id, left.id, who="bob")
        project.save_mask(plane.id, right.id, None, status=MaskStatus.EMPTY)
        stack = np.zeros((3, 16, 16), np.uint8)
        stack[1] = disc((16, 16), 4)
        project.save_mask(
            slab.id, left.id, stack, status=MaskStatus.DONE, source=IMPORTED
        )
        project.save_mask(
            slab.id,
            right.id,
            stack[::-1],
            status=MaskStatus.FLAGGED,
            note="is this the right side?",
        )
        project.record("promote", {"documents/promoted.json": b'{"version": "v1"}'})
        project.record("promote", {"documents/promoted.json": b'{"version": "v2"}'})
        project.restore(one.number, who="bob")
        project.restore(two.number, who="ada")
        StrokeJournal(project).write(plane.id, right.id, disc((32, 24), 2), 9)
    for name in (".lock", "models", "jobs", "logs", "cache", "tmp"):
        left_over = path / name
        left_over.rmdir() if left_over.is_dir() else left_over.unlink(missing_ok=True)


if __name__ == "__main__":
    target = Path(__file__).with_name("schema1")
    if target.exists() and "--again" in sys.argv:
        shutil.rmtree(target)
    make(target)
