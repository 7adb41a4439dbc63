"""The docked panel: parts put together, and wired to the one controller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from lgssl_napari.controller import Controller
from lgssl_napari.lanes import ThreadRunner
from lgssl_napari.layers import NapariCanvas
from lgssl_napari.panels.answer import AnswerPanel
from lgssl_napari.panels.guard import CloseGuard
from lgssl_napari.panels.header import Header
from lgssl_napari.panels.history import HistoryPanel
from lgssl_napari.panels.images import ImagePanel
from lgssl_napari.panels.judge import JudgePanel
from lgssl_napari.panels.keys import bind, press
from lgssl_napari.panels.mask import MaskPanel
from lgssl_napari.panels.parts import GAP, column, fit_width, scrolling
from lgssl_napari.panels.plan import PlanPanel
from lgssl_napari.panels.prompt import PromptPanel
from lgssl_napari.panels.start import StartPanel
from lgssl_napari.panels.strip import Strip
from lgssl_napari.panels.threads import Courier
from lgssl_napari.panels.tour import TourPanel
from lgssl_napari.panels.train import TrainPanel
from lgssl_napari.panels.why import WhyPanel
from lgssl_napari.plot import drawn
from lgssl_napari.refine import INSIDE, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent

    from lgssl_napari.lanes import Runner
    from lgssl_napari.panels.curve import Curves
    from lgssl_napari.plot import Drawing
    from lgssl_napari.state import Message, PanelState

WIDTH = 370
PAGES = ("Label", "Train", "Results", "Plan", "History")
IDLE_EVERY = 20_000
"""Milliseconds between two moments at which the worker may look at the pool."""


class SegmentByText(QWidget):  # type: ignore[misc]
    """Type what to find, correct the mask, retrain.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The window that it is docked in.
    runner : Runner, optional
        Where blocking work runs; threads if not given.
    **seams
        Other arguments of :class:`Controller`.
    """

    def __init__(
        self, napari_viewer: Viewer, runner: Runner | None = None, **seams: Any
    ) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._courier = Courier(self)
        self.controller = Controller(
            NapariCanvas(napari_viewer),
            runner or ThreadRunner(self._courier.deliver),
            **seams,
        )
        self.start, self.header, self.strip = StartPanel(), Header(), Strip()
        self.images, self.prompt, self.answer = (
            ImagePanel(),
            PromptPanel(),
            AnswerPanel(),
        )
        self.why, self.plan = WhyPanel(), PlanPanel()
        self.mask, self.history = MaskPanel(), HistoryPanel()
        self.train, self.judge, self.tour = TrainPanel(), JudgePanel(), TourPanel()
        self._shown: tuple[Any, ...] = (
            self.start,
            self.header,
            self.images,
            self.why,
            self.prompt,
            self.answer,
            self.mask,
            self.train,
            self.judge,
            self.plan,
            self.history,
            self.tour,
            self.strip,
        )
        self._lay_out()
        self._connect()
        self._bind_keys()
        self._guard: CloseGuard | None = None
        self._idle = QTimer(self)
        self._idle.timeout.connect(self._safely(self.controller.idle))
        self._idle.start(IDLE_EVERY)
        self.setAcceptDrops(True)
        self.setMinimumWidth(WIDTH)
        self._paint()
        self._show(self.controller.state)
        self.controller.start()

    # ------------------------------------------------------------------- making
    def _lay_out(self) -> None:
        label = column(
            self.images.widget,
            self.why.widget,
            self.prompt.widget,
            self.answer.widget,
            self.mask.widget,
            stretch=True,
        )
        train = column(self.train.widget, stretch=True)
        judge = column(self.judge.widget, stretch=True)
        plan = column(self.plan.widget, stretch=True)
        self.tabs = QTabWidget()
        pages = (label, train, judge, plan)
        self._areas = [scrolling(page) for page in (*pages, self.start.widget)]
        self.judge_area = self._areas[PAGES.index("Results")]
        for title, page, area in zip(PAGES, pages, self._areas, strict=False):
            page.layout().setContentsMargins(GAP, GAP, GAP, GAP)
            self.tabs.addTab(area, title)
        self.history.widget.layout().setContentsMargins(GAP, GAP, GAP, GAP)
        self.tabs.addTab(self.history.widget, PAGES[-1])
        self.pages = QStackedWidget()
        self.pages.addWidget(self._areas[-1])
        self.pages.addWidget(column(self.header.widget, self.tabs))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GAP, GAP, GAP, GAP)
        layout.setSpacing(GAP)
        layout.addWidget(self.tour.widget)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.strip.widget)

    def _connect(self) -> None:
        verbs = self.controller
        wires: tuple[tuple[Any, Callable[..., None]], ...] = (
            (self.start.folder_chosen, verbs.open_folder),
            (self.start.project_chosen, verbs.open_project),
            (self.start.sample_wanted, verbs.try_sample),
            (self.start.tour_wanted, verbs.tour.begin),
            (self.tour.skipped, verbs.tour.next),
            (self.tour.ended, verbs.tour.leave),
            (self.header.files_chosen, verbs.add_files),
            (self.header.close_wanted, verbs.close_project),
            (self.images.chosen, verbs.show_image),
            (self.images.stepped, verbs.step),
            (self.prompt.asked, verbs.ask),
            (self.answer.accepted, verbs.accept),
            (self.answer.shown_anyway, verbs.show_anyway),
            (self.answer.target_wanted, verbs.new_target),
            (self.answer.wording_kept, verbs.remember_wording),
            (self.answer.cut, verbs.cut),
            (self.answer.heat_wanted, verbs.show_probability),
            (self.mask.edit_wanted, verbs.edit),
            (self.mask.save_wanted, verbs.save),
            (self.mask.empty_wanted, verbs.mark_empty),
            (self.mask.others_wanted, verbs.show_neighbours),
            (self.mask.window_chosen, verbs.choose_window),
            (self.mask.strokes.scribbled, verbs.scribble),
            (self.mask.strokes.refined, verbs.refine),
            (self.mask.strokes.cleared, verbs.clear_strokes),
            (self.mask.strokes.chosen, verbs.refine_by),
            (self.mask.review.flagged, verbs.flag),
            (self.mask.review.named, verbs.name_author),
            (self.mask.review.signed, verbs.sign_off),
            (self.mask.next_wanted, verbs.next_image),
            (self.mask.next_after_save, verbs.open_next),
            (self.train.retrain_wanted, verbs.retrain),
            (self.train.stop_wanted, verbs.stop_training),
            (self.train.results_wanted, self.show_results),
            (self.judge.version_wanted, verbs.roll_back),
            (self.judge.judged, verbs.judge),
            (self.judge.beside_wanted, verbs.compare),
            (self.judge.left, verbs.leave_comparison),
            (self.why.where_wanted, verbs.show_where),
            (self.why.skipped, verbs.skip),
            (self.why.pinned, verbs.pin),
            (self.plan.doubts_wanted, verbs.doubt),
            (self.plan.chosen, self._open_for),
            (self.history.look_wanted, verbs.look_at),
            (self.history.restore_wanted, verbs.restore),
            (self.strip.chosen, verbs.choose),
        )
        for signal, verb in wires:
            signal.connect(self._safely(verb), check_nargs=False)
        for curves in self._curves:
            curves.wanted.connect(self._drawing(curves), check_nargs=False)
        self.tabs.currentChanged.connect(self._turned)
        verbs.changed.connect(self._show)
        verbs.notified.connect(self._notify)
        self._viewer.events.theme.connect(self._paint)
        closing, courier = verbs.close, self._courier

        def gone() -> None:
            courier.close()
            closing()

        # Not a method: when this is emitted the widget's own are gone.
        self.destroyed.connect(gone)

    def _bind_keys(self) -> None:
        verbs = self.controller
        calls: dict[str, Callable[[], None]] = {
            "ask": self.type_prompt,
            "accept": verbs.accept,
            "heat": self.answer.heat.toggle,
            "save": verbs.save,
            "empty": verbs.mark_empty,
            "inside": lambda: verbs.scribble(INSIDE),
            "outside": lambda: verbs.scribble(OUTSIDE),
            "refine": verbs.refine,
            "clear": verbs.clear_strokes,
            "others": self.mask.others.toggle,
            "flag": self.mask.review.flag_now,
            "sign": self.mask.review.sign_now,
            "next": verbs.next_image,
            "where": press(self.why.where),
            "skip": self.why.skip_now,
            "pin": self.why.pin_now,
            "before": lambda: verbs.step(-1),
            "after": lambda: verbs.step(1),
            "retrain": self.train.retrain_now,
            "stop": verbs.stop_training,
            "results": self.show_results,
        }
        # What belongs to one page works while that page is seen.
        calls |= {
            verb: press(button)
            for verb, button in (
                ("add", self.header.add),
                ("close", self.header.close),
                ("anyway", self.answer.anyway),
                ("wording", self.answer.keep),
                ("target", self.answer.new),
                ("beside", self.judge.beside),
                ("back", self.judge.back),
                ("answers", self.judge.answers),
                ("doubts", self.plan.doubts),
                ("look", self.history.look),
                ("restore", self.history.restore),
            )
        }
        calls |= {name: self._editing(name) for name in self.mask.edits}
        self.shortcuts = {
            verb: bind(self, verb, self._safely(call)) for verb, call in calls.items()
        }

    def _editing(self, name: str) -> Callable[[], None]:
        return lambda: self.controller.edit(name)

    def _safely(self, verb: Callable[..., None]) -> Callable[..., None]:
        """Let an error of a verb reach the person as a sentence."""

        def call(*arguments: Any) -> None:
            try:
                verb(*arguments)
            except Exception as error:
                self.controller.fail(error)

        return call

    # ------------------------------------------------------------------ showing
    def _show(self, state: PanelState) -> None:
        self.pages.setCurrentIndex(int(state.project is not None))
        for part in self._shown:
            part.show(state)

    def _notify(self, message: Message) -> None:
        from napari.utils.notifications import show_error, show_warning

        # What went well is said in the strip; a pop-up over the picture is for trouble.
        tell = {"error": show_error, "warning": show_warning}.get(message.level)
        if tell is not None:
            tell(message.text)

    def _paint(self, *_: object) -> None:
        """Take on the theme where napari's style sheet does not reach."""
        from napari.utils.theme import get_theme

        theme = get_theme(self._viewer.theme)
        dark, light = theme.background.as_hex(), theme.text.as_hex()
        for curves in self._curves:
            curves.paint(dark, light)
        palette = self.palette()
        for role, shade in (
            (QPalette.ColorRole.Base, theme.foreground.as_hex()),
            (QPalette.ColorRole.Text, light),
            (QPalette.ColorRole.Highlight, theme.current.as_hex()),
            (QPalette.ColorRole.HighlightedText, light),
        ):
            palette.setColor(role, QColor(shade))
        self.prompt.paint(palette)

    @property
    def _curves(self) -> tuple[Curves, ...]:
        return (self.train.curve.curves, self.judge.curves, self.plan.curves)

    def _drawing(self, curves: Curves) -> Callable[[Drawing], None]:
        def draw(drawing: Drawing) -> None:
            self.controller.elsewhere(curves.take, curves.miss, drawn, drawing)

        return draw

    def show_results(self) -> None:
        """Turn to what the newest model changed."""
        self.tabs.setCurrentIndex(PAGES.index("Results"))

    def find_doubts(self) -> None:
        """Turn to the plan, and list the finished masks that the model doubts."""
        self.tabs.setCurrentIndex(PAGES.index("Plan"))
        self._safely(self.controller.doubt)()

    def _turned(self, page: int) -> None:
        """Read the results when their page is turned to; they may be newer."""
        if PAGES[page] == "Results":
            found = self.controller.state.judgement
            self.controller.judge(found.version if found else "")
        if PAGES[page] == "Plan":
            self.controller.plan()

    def _open_for(self, image: str, target: str) -> None:
        """Open an image of a list, and turn to where it is worked on."""
        self.tabs.setCurrentIndex(0)
        self.controller.open_for(image, target)

    def type_prompt(self) -> None:
        """Put the cursor where one types what to find."""
        self.tabs.setCurrentIndex(0)
        self.prompt.focus()

    # --------------------------------------------------------------- Qt's events
    def showEvent(self, event: QShowEvent) -> None:
        """Guard the window that the panel is docked in, once it has one."""
        super().showEvent(event)
        if self._guard is None:
            for area in self._areas:
                fit_width(area)
            self._guard = CloseGuard(self.window(), self.controller)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the files that were dropped."""
        files = [url.toLocalFile() for url in event.mimeData().urls()]
        self._safely(self.controller.add_files)([Path(file) for file in files if file])
        event.acceptProposedAction()
