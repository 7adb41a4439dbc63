"""A controller without a screen: a canvas in memory, and work done on the spot."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeCanvas, NowRunner, StubModel, stub_answers
from small_projects import make_project, write_model
from src_core.store import Project

os.environ.setdefault("NAPARI_STRICT_QT", "raise")


@dataclass
class Bench:
    """A controller with all its fakes at hand."""

    controller: Any
    canvas: FakeCanvas
    runner: Any
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
        canvas, stub = FakeCanvas(), StubModel()
        runner = seams.pop("runner", None) or NowRunner()
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
