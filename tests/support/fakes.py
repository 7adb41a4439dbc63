"""What stands in for a window, a worker and a model: memory, here, and rectangles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from psygnal import Signal

SIZE = (24, 32)


class FakeCanvas:
    """Keeps in memory what a window would draw."""

    edited = Signal()
    drawing = Signal()
    stroked = Signal()
    released = Signal()

    def __init__(self) -> None:
        self.held = False
        self.picture: Any = None
        self.drawn = np.zeros(SIZE, np.uint8)
        self.name = ""
        self.preview: np.ndarray | None = None
        self.preview_name = ""
        self.heat = False
        self.disagreement: Any = None
        self.undo: list[np.ndarray] = []
        self.strokes_kind = 0
        self.drawn_strokes = np.zeros(SIZE, np.uint8)
        self.visible_plane: int | None = None
        self.neighbours: tuple[Any, ...] = ()
        self.panes: tuple[Any, ...] = ()
        self.window = ""

    def warm_up(self) -> None:
        self.warm = True

    def prepare(self, image: Any) -> None:
        self.prepared = image.id

    def show_image(
        self, picture: Any, mask: np.ndarray, name: str, colour: int
    ) -> None:
        self.picture, self.preview, self.panes = picture, None, ()
        self.disagreement = None
        self.drawn_strokes = np.zeros(mask.shape, np.uint8)
        self.window = picture.window
        self.set_annotation(mask, name, colour)

    def show_window(self, window: str) -> None:
        self.window = window

    def set_annotation(self, mask: np.ndarray, name: str, colour: int) -> None:
        self.drawn, self.name, self.undo = mask.copy(), name, []

    def edit_annotation(self, mask: np.ndarray) -> None:
        self.undo.append(self.drawn)
        self.drawn = mask.copy()
        self.edited.emit()

    def annotation(self) -> np.ndarray:
        return self.drawn.copy()

    def set_preview(
        self, mask: np.ndarray, name: str, probability: np.ndarray | None = None
    ) -> None:
        self.preview, self.preview_name = mask.copy(), name

    def clear_preview(self) -> None:
        self.preview = None

    def show_probability(self, visible: bool) -> None:
        self.heat = visible

    def show_disagreement(
        self, heat: np.ndarray | None, plane: int | None = None
    ) -> None:
        self.disagreement = None if heat is None else (heat, plane)

    def prepare_strokes(self) -> None:
        self.prepared = "strokes"

    def draw_strokes(self, kind: int) -> None:
        self.strokes_kind = kind

    def strokes(self) -> np.ndarray:
        return self.drawn_strokes.copy()

    def clear_strokes(self) -> None:
        self.strokes_kind = 0
        self.drawn_strokes = np.zeros_like(self.drawn_strokes)

    def plane(self) -> int | None:
        return self.visible_plane

    def set_neighbours(self, labels: np.ndarray, names: Any) -> None:
        self.neighbours = (labels.copy(), tuple(names)) if names else ()

    def prepare_panes(self, image: Any) -> None:
        self.prepared = image.id

    def show_panes(self, picture: Any, panes: Any) -> None:
        self.panes = (picture, tuple(panes))

    def name_panes(self, panes: Any) -> None:
        self.pane_names = tuple(pane.title for pane in panes) if self.panes else ()

    def hide_panes(self) -> None:
        self.panes = ()

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]

    def paint(self, rows: slice, columns: slice, value: int = 1) -> None:
        """Paint as a person would."""
        self.undo.append(self.drawn.copy())
        self.drawn[rows, columns] = value
        self.edited.emit()

    def release(self) -> None:
        """Lift the brush as a person would."""
        self.held = False
        self.released.emit()

    def scribble(self, *where: Any, kind: int) -> None:
        """Draw a stroke as a person would."""
        self.drawn_strokes[where] = kind
        self.stroked.emit()

    def undo_stroke(self) -> None:
        """Undo as a person would: napari tells nobody."""
        self.drawn = self.undo.pop()


class NowRunner:
    """Works at once, or when `release` is called while `held` is set."""

    def __init__(self) -> None:
        self.held = False
        self.waiting: list[Callable[[], None]] = []
        self.closed = False

    def run(self, lane: str, work: Any, done: Any, failed: Any) -> None:
        def task() -> None:
            try:
                result = work()
            except Exception as error:
                failed(error)
            else:
                done(result)

        if self.held:
            self.waiting.append(task)
        else:
            task()

    def post(self, call: Callable[[], None]) -> None:
        call()

    def close(self) -> None:
        self.closed = True

    def release(self, first: bool = True) -> None:
        """Do the first piece of work that waits, or the last."""
        self.waiting.pop(0 if first else -1)()


@dataclass
class StubModel:
    """Answers each prompt with a rectangle, or with nothing."""

    version: str = "v1"
    found: dict[str, tuple[slice, slice]] = field(default_factory=dict)
    score: float = 0.9
    learned: tuple[str, ...] = ("left-lung", "heart")
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        from src_core.text.hashed import HashedEncoder

        presence = SimpleNamespace(threshold=0.5)
        self.card = SimpleNamespace(presence=presence, targets=self.learned)
        self.encoder = HashedEncoder()

    def predict(
        self,
        pixels: Any,
        axes: str,
        prompts: Any,
        key: str = "",
        like: Any = None,
        watch: Any = None,
    ) -> list[Any]:
        from src_core.predict import Prediction

        self.asked.extend(prompts)
        answers = []
        for prompt in prompts:
            probability = np.full(SIZE, 0.1, np.float32)
            where = self.found.get(prompt)
            if where is not None:
                probability[where] = 0.8
            score = self.score if where is not None else 1 - self.score
            answers.append(
                Prediction(probability, score, where is not None, self.version, 1.0)
            )
        return answers


def stub_answers(load: Any, choose: Any) -> Any:
    """Answers of given models and picks, made where they are asked for."""
    from lgssl_napari.models import Answerer

    class Stub(Answerer):
        def picks(self, project: Any, version: Any, count: int) -> list[Any]:
            picked: list[Any] = choose(project, version, count)
            return picked

    return Stub(lambda project, version, device: load(project, version))
