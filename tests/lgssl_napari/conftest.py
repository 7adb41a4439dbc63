"""A controller without a screen: a canvas in memory, and work done on the spot."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from psygnal import Signal

os.environ.setdefault("NAPARI_STRICT_QT", "raise")

SIZE = (24, 32)
TARGETS = {
    "left lung": ("left lung", "lung on the left"),
    "right lung": ("right lung",),
    "heart": ("heart", "cardiac shadow"),
}


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


@dataclass
class Bench:
    """A controller with all its fakes at hand."""

    controller: Any
    canvas: FakeCanvas
    runner: NowRunner
    model: StubModel
    picks: list[Any]
    errors: list[Exception]
    path: Path

    @property
    def state(self) -> Any:
        return self.controller.state

    @property
    def project(self) -> Any:
        return self.controller._desk.project

    def saved(self, image: str = "film-0", target: str = "heart") -> Any:
        """Return the mask that stands in the ledger."""
        return self.project.mask(image, target)

    def choose(self, label: str) -> None:
        """Press a choice of the open question, or the remedy of the message."""
        question, message = self.state.question, self.state.message
        choices = question.choices if question else (message.remedy,)
        self.controller.choose(next(c for c in choices if c and c.label == label))


def make_project(path: Path, count: int = 4) -> Path:
    """Make a project of small pictures with three targets."""
    from src_core.store import Project
    from src_core.types import Split

    rng = np.random.default_rng(0)
    with Project.create(path, who="ada") as project:
        for number in range(count):
            project.add_image(
                rng.integers(0, 255, SIZE, dtype=np.uint8),
                name=f"film {number}",
                axes="yx",
                group=f"patient {number}",
                split=Split.VAL if number == count - 1 else Split.TRAIN,
            )
        for name, prompts in TARGETS.items():
            project.add_target(name, prompts)
    return path


def write_model(
    project: Any, version: str, *, answers: bool = True, **card: Any
) -> None:
    """Put a model's card into a project; no weights, nobody loads them."""
    from src_core.checkpoints import CARD, ModelCard
    from src_core.config import ModelSettings
    from src_core.rounds import promote

    folder = project.models_dir / version
    folder.mkdir()
    given = {
        "created": "2026-01-01T00:00:00+00:00",
        "position": project.position,
        "settings": ModelSettings(),
        "targets": ["left-lung", "heart"],
        "labelled": 2,
        "unlabelled": 1,
        "steps": 10,
        "seconds": 1.0,
        "validation": {"left-lung": 0.7, "heart": 0.5, "mean": 0.6},
    } | card
    written = ModelCard(version=version, **given).model_dump_json()
    (folder / CARD).write_text(written)
    if answers:
        promote(project, version, who="ada", reason="for a test")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is made once: each file of it costs a wait for the disk."""
    return make_project(tmp_path_factory.mktemp("template") / "heart")


@pytest.fixture
def project_path(template: Path, tmp_path: Path) -> Path:
    """A project on the disk that nobody has open."""
    return Path(shutil.copytree(template, tmp_path / "heart"))


@pytest.fixture
def answers_for() -> Callable[..., Any]:
    """The function that makes answers of given models and picks."""
    return stub_answers


@pytest.fixture
def add_model() -> Callable[..., None]:
    """The function that puts a model's card into an open project."""
    return write_model


@pytest.fixture
def new_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes controllers with fakes, and closes them in the end."""
    from lgssl_napari.controller import Controller
    from lgssl_napari.helper import HelperThread
    from lgssl_napari.recent import Recent
    from src_core.errors import LgsslError

    tour_file = tmp_path / "tour-seen"
    tour_file.touch()
    made: list[Bench] = []

    def make(path: Path | None = None, *, model: bool = False, **seams: Any) -> Bench:
        canvas, runner, stub = FakeCanvas(), NowRunner(), StubModel()
        picks: list[Any] = []
        errors: list[Exception] = []

        def log(error: Exception) -> Path:
            errors.append(error)
            # What was not raised on purpose is a fault of the program or of the test.
            if not isinstance(error, LgsslError | OSError):
                raise error
            return tmp_path / "log"

        given: dict[str, Any] = {
            "who": "ada",
            "recent": Recent(tmp_path / "recent.json"),
            "helper": HelperThread(),
            "tour_file": tour_file,
            "log": log,
        }
        load = seams.pop("load", lambda project, version: stub)
        choose = seams.pop("choose_next", lambda project, version, count: list(picks))
        given["answers"] = stub_answers(load, choose)
        controller = Controller(canvas, runner, **(given | seams))
        bench = Bench(
            controller, canvas, runner, stub, picks, errors, path or tmp_path / "none"
        )
        made.append(bench)
        if path is not None:
            if model:
                from src_core.store import Project

                with Project.open(path, mode="rw") as project:
                    write_model(project, "v1")
            controller.open_project(path)
        return bench

    yield make
    for bench in made:
        bench.controller.close()


@pytest.fixture
def bench(new_bench: Callable[..., Bench], project_path: Path) -> Bench:
    """A controller with an open project and no model."""
    return new_bench(project_path)


@pytest.fixture
def asked_bench(new_bench: Callable[..., Bench], project_path: Path) -> Bench:
    """A controller with an open project and a model that finds the left lung."""
    made = new_bench(project_path, model=True)
    made.model.found = {"left lung": (slice(2, 10), slice(3, 13))}
    return made


@pytest.fixture
def drawn(bench: Bench) -> Bench:
    """The heart, drawn by hand over 24 pixels and not saved."""
    bench.controller.open_next(False)
    bench.controller.ask("heart")
    bench.canvas.paint(slice(4, 8), slice(4, 10))
    return bench
