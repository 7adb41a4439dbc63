"""What a change costs grows neither with what is there nor with its history.

Counted in steps of SQLite's machine, which are the same on every computer.
"""

from __future__ import annotations

import numpy as np
import pytest

from src_core.store import Project
from src_core.types import MaskStatus

DONE = MaskStatus.DONE


class Meter:
    """Counts the steps that a ledger's queries take."""

    def __init__(self, project: Project) -> None:
        self.steps = 0
        project.ledger.database.connection.set_progress_handler(self._step, 1)

    def _step(self) -> bool:
        self.steps += 1
        return False

    def of(self, act) -> int:
        before = self.steps
        act()
        return self.steps - before


def drawn(n: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 2, shape).astype(np.uint8)


@pytest.mark.parametrize("name", ["image", "volume"])
def test_saving_and_reading_do_not_grow_with_a_masks_history(project, target, name):
    shape = (8, 8) if name == "image" else (12, 8, 8)
    axes = "yx" if name == "image" else "zyx"
    image, _ = project.add_image(np.zeros(shape, np.uint8), name=name, axes=axes)
    meter, parent = Meter(project), None
    saves, reads, first_reads, lists = [], [], [], []

    def save(n: int) -> None:
        nonlocal parent
        mask = drawn(n, shape)
        parent = project.save_mask(
            image.id, target.id, mask, status=DONE, parent=parent
        ).number

    for n in range(150):
        saves.append(meter.of(lambda n=n: save(n)))
        reads.append(meter.of(project.mask(image.id, target.id).read))
        first = project.image(image.id), target.id, project.position - n
        first_reads.append(meter.of(lambda first=first: project.read_mask(*first)))
        lists.append(meter.of(project.masks))
    for steps in (saves, reads, first_reads, lists):
        assert max(steps[-10:]) <= 1.1 * max(steps[5:15])


def test_listing_the_masks_reads_only_what_changed(project, target):
    for n in range(60):
        project.add_image(np.full((4, 4), n, np.uint8), name=f"i{n:02d}", axes="yx")
    for n in reversed(range(1, 60)):
        project.save_mask(f"i{n:02d}", target.id, drawn(n, (4, 4)), status=DONE)
    meter = Meter(project)
    first = meter.of(project.masks)
    # one that was there, and one that comes before all others
    project.save_mask(
        "i30", target.id, None, status=MaskStatus.IN_PROGRESS, parent=_at(project, 30)
    )
    project.save_mask("i00", target.id, drawn(0, (4, 4)), status=DONE)
    assert meter.of(project.masks) < first / 5
    found = project.masks()
    assert [record.image for record in found] == [f"i{n:02d}" for n in range(60)]
    assert found[30].status is MaskStatus.IN_PROGRESS
    found.clear()
    assert project.masks() == Project.open(project.path).masks() != []


def test_adding_an_image_does_not_grow_with_the_pool(project):
    meter = Meter(project)

    def add(n: int) -> None:
        pixels = np.full((4, 4), n, np.uint8)
        project.add_image(pixels, name=f"i{n:03d}", axes="yx", group=f"Patient {n}")

    steps = [meter.of(lambda n=n: add(n)) for n in range(120)]
    assert max(steps[-10:]) <= 1.1 * max(steps[5:15])


def _at(project: Project, n: int) -> int:
    return project.mask(f"i{n:02d}", "left-lung").revision
