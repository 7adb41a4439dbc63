"""Did it help? What a version changed, image by image, and what the rounds cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lgssl_napari.canvas import Pane
from lgssl_napari.lanes import Lane
from lgssl_napari.opened import opened
from lgssl_napari.results import Changed, Judgement
from lgssl_napari.state import Picture
from lgssl_napari.windowing import window_of
from src_core.metrics import dice

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lgssl_napari.desk import Desk
    from lgssl_napari.models import Answers
    from src_core.rounds import Comparison, RoundEffort
    from src_core.store import Project
    from src_core.types import Image

    Mask = NDArray[np.uint8]

PARTS = 2
"""Layers of a comparison: the images, and their masks."""
SHOWN = 12
"""Images that changed most."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An image with the masks that are put side by side."""

    picture: Picture
    panes: tuple[Pane, ...]


class Judging:
    """Compares versions, and the rounds of a project.

    Parameters
    ----------
    desk : Desk
        Shared state.
    answers : Answers
        Asks the versions.
    """

    def __init__(self, desk: Desk, answers: Answers) -> None:
        self._desk, self._answers = desk, answers

    def judge(self, version: str = "") -> None:
        """Read what a version changed, by default the newest."""
        desk, project, shown = self._desk, self._desk.project, self._desk.state.project
        if project is None or shown is None or not shown.versions:
            return
        wanted = version or shown.versions[0].version
        path = project.path

        def done(read: tuple[Comparison | None, list[RoundEffort]]) -> None:
            comparison, efforts = read
            names = {target.id: target.name for target in shown.targets}
            found = judgement(wanted, comparison, efforts, names)
            desk.update(judgement=found)

        desk.run(
            lambda: desk.helper.call(read_judgement, path, wanted),
            done,
            lane=Lane.EDIT,
        )

    def compare(self, image: str, target: str) -> None:
        """Show old mask, new mask and truth of one image side by side."""
        desk, project = self._desk, self._desk.project
        found = desk.state.judgement
        if project is None or found is None:
            return
        versions = [v for v in (found.against, found.version) if v]

        def done(seen: Seen) -> None:
            if desk.state.judgement is not found:
                return
            desk.canvas.show_panes(seen.picture, seen.panes)
            desk.runner.post(lambda: desk.canvas.name_panes(seen.panes))
            name = seen.picture.image.name
            what = next((c.name for c in found.changed if c.target == target), target)
            left = [f"model {version}" for version in versions]
            masks = ", ".join((*left, "and as it was drawn"))
            desk.update(comparing=f"'{what}' in '{name}' by {masks}; Dice above.")

        def work() -> Seen:
            record = project.image(image)
            for _ in range(PARTS):
                desk.runner.post(lambda: desk.canvas.prepare_panes(record))
            return see(project, self._answers, versions, record, target)

        desk.run(
            work,
            done,
            lane=Lane.MODEL,
            busy="Comparing",
        )

    def leave(self) -> None:
        """Go back to what was open."""
        if self._desk.state.comparing:
            self._desk.canvas.hide_panes()
            self._desk.update(comparing="")


def read_judgement(
    path: Path, version: str
) -> tuple[Comparison | None, list[RoundEffort]]:
    """Read a version's comparison, and the rounds; for the helper process."""
    from src_core.rounds import effort, read_comparison

    project = opened(path)
    return read_comparison(project.models_dir / version), effort(project)


def judgement(
    version: str,
    comparison: Comparison | None,
    efforts: list[RoundEffort],
    targets: dict[str, str],
) -> Judgement:
    """Put what was read as the panel shows it."""
    if comparison is None:
        return Judgement(version, efforts=tuple(efforts))
    by_target: dict[str, list[tuple[float | None, float]]] = {}
    for pair in comparison.pairs:
        by_target.setdefault(pair.target, []).append((pair.old, pair.new))
    changed = tuple(
        Changed(
            pair.image,
            pair.target,
            targets.get(pair.target, pair.target),
            pair.old,
            pair.new,
        )
        for pair in comparison.most_changed(SHOWN)
    )
    return Judgement(
        version,
        comparison.against,
        comparison.verdict.reason,
        tuple(
            (targets.get(target, target), *_means(pairs))
            for target, pairs in by_target.items()
        ),
        changed,
        tuple(efforts),
    )


def see(
    project: Project, answers: Answers, versions: list[str], image: Image, target: str
) -> Seen:
    """Read an image and its truth, and ask the versions for theirs."""
    pixels = np.asarray(project.pixels(image)[...])
    picture = Picture(image, pixels, window_of(project.target(target)))
    truth = _truth(project, image, target)
    panes = [
        Pane(f"{version}: {dice(mask, truth):.2f}", mask)
        for version, mask in zip(
            versions,
            answers.masks(project, versions, image.id, target),
            strict=True,
        )
    ]
    return Seen(picture, (*panes, Pane("drawn", truth)))


def _truth(project: Project, image: Image, target: str) -> Mask:
    mask = project.mask(image.id, target)
    return np.zeros(image.spatial_shape, np.uint8) if mask is None else mask.read()


def _means(pairs: list[tuple[float | None, float]]) -> tuple[float | None, float]:
    olds = [old for old, _ in pairs if old is not None]
    new = sum(new for _, new in pairs) / len(pairs)
    return (sum(olds) / len(olds) if olds else None), new
