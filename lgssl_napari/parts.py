"""The parts of the controller, each made once and told of the others it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lgssl_napari.annotating import Annotating
from lgssl_napari.asking import Asking
from lgssl_napari.choosing import Choosing
from lgssl_napari.guiding import Guiding
from lgssl_napari.judging import Judging
from lgssl_napari.looking import Looking
from lgssl_napari.neighbours import Neighbours
from lgssl_napari.opening import Opening
from lgssl_napari.past import Past
from lgssl_napari.projects import Projects
from lgssl_napari.recovery import Recovery
from lgssl_napari.refining import Refining
from lgssl_napari.saving import Saving
from lgssl_napari.tour import Tour
from lgssl_napari.training import EngineLike, Training
from lgssl_napari.windowing import Windowing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lgssl_napari.desk import Desk
    from lgssl_napari.models import Answers
    from lgssl_napari.recent import Recent


class Parts:
    """One part for each thing that a person does; each decides on its own field.

    Parameters
    ----------
    desk : Desk
        What they share.
    answers : Answers
        Asks the models.
    start_engine : callable
        Makes the engine that trains.
    recent : Recent
        Remembers what was opened.
    tour_file : Path, optional
        Remembers that the tour was seen.
    """

    def __init__(
        self,
        desk: Desk,
        answers: Answers,
        start_engine: Callable[[], EngineLike],
        recent: Recent,
        tour_file: Path | None,
    ) -> None:
        self.annotating = Annotating(desk)
        self.saving = Saving(desk, self.annotating)
        self.opening = Opening(desk, self.annotating, self.saving)
        self.recovery = Recovery(desk, self.annotating, self.opening)
        self.past = Past(desk, self.opening, self.saving)
        self.asking = Asking(desk, self.annotating, self.saving, self.opening, answers)
        self.refining = Refining(desk, self.annotating, self.asking)
        self.windowing = Windowing(desk)
        self.neighbours = Neighbours(desk, self.annotating)
        self.choosing = Choosing(desk, self.opening, self.asking, answers)
        self.judging = Judging(desk, answers)
        self.guiding = Guiding(desk, self.annotating, self.choosing, answers)
        self.looking = Looking(
            desk,
            lambda: self.training.engine(),
            lambda: self.training.lose_engine(),
            self.choosing.draw_anew,
        )
        self.training = Training(
            desk,
            self._new_model,
            self.judging.judge,
            start_engine,
            self.looking.stop,
        )
        self.projects = Projects(desk, self._opened, recent)
        self.tour = Tour(desk, tour_file)

    def _new_model(self) -> None:
        self.choosing.reset()
        self.judging.leave()
        self.asking.ask_anew()
        # At once: the person will ask for the next image long before all is known.
        self.looking.begin()

    def _opened(self) -> None:
        self.choosing.reset()
        self.choosing.begin()
        self.recovery.look()
        self.asking.warm()
