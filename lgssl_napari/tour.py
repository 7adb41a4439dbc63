"""The first run: five steps, each shown until the person has done it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lgssl_napari.desk import Desk
    from lgssl_napari.state import PanelState


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes
    ----------
    title, text : str
    done : callable
        Gets the state when the step began, and the state now.
    """

    title: str
    text: str
    done: Callable[[PanelState, PanelState], bool]


def _finished(state: PanelState) -> int:
    rows = state.project.images if state.project else ()
    return sum(row.finished for row in rows)


STEPS = (
    Step(
        "Open",
        "Open a folder of images, or drop files here. To look around first, try the "
        "sample data.",
        lambda _, now: now.work.image is not None,
    ),
    Step(
        "Ask",
        "Type what to find, such as 'left lung', and press Enter. Before the first "
        "training there is no model: then you name what you are going to draw.",
        lambda began, now: (
            now.answer is not None or now.work.target is not began.work.target
        ),
    ),
    Step(
        "Correct",
        "Accept the proposal, then paint and erase with napari's own tools: P and E. "
        "Strokes inside and outside find the outline anew.",
        lambda _, now: now.work.dirty,
    ),
    Step(
        "Save",
        "Save with one key. The next image opens by itself, with the reason why it is "
        "this one. Is the target not in the image? That is worth saving, too.",
        lambda began, now: _finished(now) > _finished(began),
    ),
    Step(
        "Retrain",
        "Press Retrain on the Train page and go on working. The new model takes over "
        "only if it is not worse; the Results page shows what it changed.",
        lambda _, now: now.job.running,
    ),
)


def tour_file() -> Path:
    """Return the file whose being there says that the tour was seen."""
    from platformdirs import user_config_path

    folder: Path = user_config_path("lgssl-napari", ensure_exists=True)
    return folder / "tour-seen"


class Tour:
    """Shows one step after the other, the first time that the panel is open.

    Parameters
    ----------
    desk : Desk
        Shared state.
    file : Path, optional
        Remembers that it was seen.
    """

    def __init__(self, desk: Desk, file: Path | None = None) -> None:
        self._desk, self._file = desk, file or tour_file()
        self._began: PanelState | None = None
        desk.changed.connect(self._look)

    def offer(self) -> None:
        """Begin, unless it was seen before."""

        def begin(seen: bool) -> None:
            if not seen:
                self.begin()

        self._desk.run(self._file.exists, begin)

    def begin(self) -> None:
        """Show the first step that is not done yet."""
        self._show(1)

    def next(self) -> None:
        """Show the step after this one, or end after the last."""
        self._show(self._desk.state.tour + 1)

    def leave(self) -> None:
        """End, and do not begin by itself again."""
        self._show(len(STEPS) + 1)

    def _show(self, step: int) -> None:
        if step <= len(STEPS):
            self._began = self._desk.state
            self._desk.update(tour=step)
            return
        self._began = None
        self._desk.update(tour=0)
        # A folder that cannot be written to shows the tour once more: no harm.
        self._desk.run(self._remember, lambda _: None, failed=lambda _: None)

    def _remember(self) -> None:
        self._file.touch(mode=0o600)

    def _look(self, state: PanelState) -> None:
        if state.tour and self._began is not None:
            step = STEPS[state.tour - 1]
            if step.done(self._began, state):
                self.next()
