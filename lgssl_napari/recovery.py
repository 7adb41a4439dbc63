"""Strokes that a killed window left behind: found when a project opens, and offered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lgssl_napari.annotating import nothing
from lgssl_napari.state import Choice

if TYPE_CHECKING:
    from lgssl_napari.annotating import Annotating
    from lgssl_napari.desk import Desk
    from lgssl_napari.opening import Opening
    from src_core.store import Pending


class Recovery:
    """Looks for unsaved strokes and asks what is to become of them, newest first.

    Parameters
    ----------
    desk : Desk
        Shared state.
    annotating : Annotating
        Owns the journal.
    opening : Opening
        Shows what is brought back.
    """

    def __init__(self, desk: Desk, annotating: Annotating, opening: Opening) -> None:
        self._desk, self._annotating, self._opening = desk, annotating, opening

    def look(self) -> None:
        """Look into the journal of the open project."""
        project = self._desk.project
        if project is not None and not project.read_only:
            journal = self._annotating.strokes.journal
            self._desk.run(lambda: journal(project).pending(), self._offer)

    def _offer(self, pending: list[Pending]) -> None:
        shown, project = self._desk.state.project, self._desk.project
        if not pending or shown is None or project is None:
            return
        last = max(pending, key=lambda strokes: strokes.when)
        rest = [strokes for strokes in pending if strokes is not last]
        names = {target.id: target.name for target in shown.targets}
        name = names.get(last.target, last.target)
        stale = " The mask was changed since, so saving them will ask." * last.stale
        more = f" {len(rest)} more masks have some, too." if rest else ""

        def forget() -> None:
            self._desk.run(
                lambda: self._annotating.strokes.clear(
                    project, last.image, last.target
                ),
                lambda _: self._offer(rest),
            )

        self._desk.ask(
            f"Strokes on '{name}' in '{last.image}' were never saved.{stale}{more} "
            "Bring them back?",
            Choice(
                "Bring them back",
                lambda: self._opening.bring_back(last.image, last.target),
            ),
            Choice("Forget them", forget),
            Choice("Later", nothing),
        )
