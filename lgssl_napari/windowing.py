"""The window of CT: which values are black and white where a target is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src_core.imaging.windows import window_of_target

if TYPE_CHECKING:
    from lgssl_napari.desk import Desk
    from src_core.types import Target


class Windowing:
    """Chooses the window of the target at hand.

    Parameters
    ----------
    desk : Desk
        Shared state.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def choose(self, window: str) -> None:
        """Show CT in a window wherever the target at hand is looked for.

        Parameters
        ----------
        window : str
            A preset of :data:`src_core.imaging.windows.PRESETS`; ``""`` lets the
            target's words decide.
        """
        desk, project = self._desk, self._desk.project
        target = desk.state.work.target
        if project is None or target is None or target.window == window:
            return

        def work() -> tuple[Target, tuple[Target, ...]]:
            changed = project.add_target(target.name, (), desk.who, window=window)
            return changed, tuple(project.targets())

        def done(outcome: tuple[Target, tuple[Target, ...]]) -> None:
            changed, targets = outcome
            desk.update_project(targets=targets)
            at_hand = desk.state.work.target
            if at_hand is not None and at_hand.id == changed.id:
                desk.update_work(target=changed)
                desk.canvas.show_window(window_of(changed))
            desk.say(
                f"CT is shown in the {window_of_target(changed)} window where "
                f"'{changed.name}' is looked for, to you and to the next training."
            )

        desk.run(work, done)


def window_of(target: Target | None) -> str:
    """Return the preset that CT is shown in for a target; ``""`` without one."""
    return window_of_target(target) if target is not None else ""
