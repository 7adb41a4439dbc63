"""One whole round with nothing faked but the canvas: threads, worker, model, ledger."""

from __future__ import annotations

import queue
import time

import numpy as np
import psutil
import pytest

from lgssl_napari.lanes import ThreadRunner
from src_core.jobs import Job
from src_core.store import Project
from src_core.types import MaskStatus

TINY = {
    "text": {"encoder": "hashed"},
    "net": {
        "widths": (4, 4, 8, 8, 8),
        "decoder_widths": (8, 4, 4),
        "slots": 2,
        "grid": 2,
        "code_width": 8,
    },
    "train": {"batch": 2, "validations": 2, "threads": 1},
}


@pytest.fixture
def real(new_bench, project_path):
    """A controller whose work runs in threads, with the loop that delivers."""
    mail: queue.SimpleQueue = queue.SimpleQueue()
    bench = new_bench()
    bench.controller.close()
    from lgssl_napari.controller import Controller
    from lgssl_napari.recent import Recent

    controller = Controller(
        bench.canvas,
        ThreadRunner(mail.put),
        who="ada",
        recent=Recent(project_path.parent / "recent.json"),
    )
    bench.controller = controller

    def until(check, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < end, (controller.state.message, controller.state)
            try:
                mail.get(timeout=0.2)()
            except queue.Empty:
                continue

    bench.until = until
    return bench


def test_draw_train_ask_correct_and_train_again(real, project_path) -> None:
    with Project.open(project_path, mode="rw") as project:
        for image in ("film-0", "film-1", "film-3"):
            mask = np.zeros((24, 32), np.uint8)
            mask[4:16, 8:24] = 1
            project.save_mask(image, "heart", mask, status=MaskStatus.DONE)
    controller, until = real.controller, real.until
    controller.open_next(False)
    controller.open_project(project_path)
    until(lambda: controller.state.work.image)
    assert controller.state.work.image.name == "film 2"

    controller.retrain(steps=4, device="cpu", settings=TINY)
    until(lambda: controller.state.job.step > 0)
    until(lambda: not controller.state.job.running)
    outcome = controller.state.job.outcome
    assert outcome is not None, controller.state.message
    assert (outcome.version, outcome.promoted) == ("v1", True)
    assert (outcome.labelled, outcome.unlabelled, outcome.steps) == (2, 1, 4)
    assert [name for name, _, _ in outcome.per_target] == ["heart"]
    assert controller.state.project.version == "v1"

    controller.ask("cardiac shadow")
    until(lambda: controller.state.answer)
    answer = controller.state.answer
    assert (answer.version, answer.target.name, answer.learned) == ("v1", "heart", True)
    controller.show_anyway()
    controller.cut(0.1)
    controller.accept()
    real.canvas.paint(slice(4, 16), slice(8, 24))
    controller.save()
    until(lambda: controller.state.work.status is MaskStatus.DONE)

    controller.retrain(steps=4, device="cpu", settings=TINY)
    until(lambda: not controller.state.job.running)
    second = controller.state.job.outcome
    assert (second.version, second.labelled) == ("v2", 3)
    assert second.old == pytest.approx(outcome.new)
    assert second.promoted == (second.new >= second.old - 0.001)
    assert len(controller.state.project.versions) == 2
    image = real.project.image("film-2")
    sources = [r.source.model for r in real.project.history(image=image.id)][:2]
    assert sources == ["v1", "v1"]


def test_an_error_in_the_worker_comes_back_as_a_sentence(real, project_path) -> None:
    with Project.open(project_path, mode="rw") as project:
        mask = np.ones((24, 32), np.uint8)
        project.save_mask("film-0", "heart", mask, status=MaskStatus.DONE)
    controller, until = real.controller, real.until
    controller.open_project(project_path)
    until(lambda: controller.state.work.image)
    wrong = TINY | {"text": {"encoder": "transformers", "model": "/no/such/folder"}}
    controller.retrain(steps=4, device="cpu", settings=wrong)
    until(lambda: not controller.state.job.running)
    message = controller.state.message
    assert message.level == "error"
    assert "/no/such/folder" in message.text
    assert controller.state.project.version is None


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [c for c in children if "spawn_main" in " ".join(c.cmdline())]


@pytest.mark.parametrize(
    ("fate", "says"),
    [
        ("kill", "The worker process died"),
        pytest.param(
            *("suspend", "The worker has not answered for"), marks=pytest.mark.slow
        ),
    ],
)
def test_a_worker_that_dies_or_hangs_is_told_and_the_training_goes_on(
    real, project_path, monkeypatch, fate, says
) -> None:
    # What counts as hung is minutes; once it does hang, they pass faster here.
    haste, since = [1.0], Job.silent_seconds.fget
    monkeypatch.setattr(
        Job, "silent_seconds", property(lambda job: haste[0] * since(job))
    )
    with Project.open(project_path, mode="rw") as project:
        mask = np.ones((24, 32), np.uint8)
        project.save_mask("film-0", "heart", mask, status=MaskStatus.DONE)
    controller, until = real.controller, real.until
    controller.open_project(project_path)
    until(lambda: controller.state.work.image)
    settings = TINY | {"train": TINY["train"] | {"checkpoint_seconds": 0.05}}
    controller.retrain(steps=200_000, device="cpu", settings=settings)
    until(lambda: controller.state.job.step > 5, 300)
    lost = workers()
    for worker in lost:
        getattr(worker, fate)()
    haste[0] = 150.0
    until(lambda: not controller.state.job.running)
    message = controller.state.message
    assert says in message.text
    assert message.remedy.label == "Go on"
    monkeypatch.undo()
    reached = controller.state.job.step
    controller.choose(message.remedy)
    until(lambda: controller.state.job.step > 0)
    assert controller.state.job.step >= min(5, reached)
    controller.stop_training()
    until(lambda: not controller.state.job.running)
    _, alive = psutil.wait_procs(lost, timeout=20)
    assert alive == []
    assert controller.state.job.outcome.stopped
    assert controller.state.project.version == "v1"
