"""The job of a training: a smaller one each time that memory runs out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from src_core.errors import memory_ran_out
from src_core.rounds import RoundRequest
from src_core.rounds.round import Round
from src_core.store import Project
from src_core.worker import NOTE, resume_point, run_round

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path):
    with Project.create(tmp_path / "p"):
        return tmp_path / "p"


class Memory:
    """Stands in for a round: has room for so many pictures times prompts."""

    def __init__(self, room: int, error: Exception) -> None:
        self.room, self.error = room, error
        self.tried: list[tuple[int, int]] = []

    def train(self, asked: Round) -> object:
        train = asked.request.settings.train
        self.tried.append((train.batch, train.prompts_per_image))
        if train.batch * train.prompts_per_image > self.room:
            raise self.error

        class Result:
            def as_dict(self) -> dict[str, str]:
                return {"version": "v1"}

        return Result()


ERRORS = [
    MemoryError(),
    RuntimeError("CUDA out of memory. Tried to allocate 3.2 GiB."),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_memory_that_runs_out_is_known_by_any_words(error) -> None:
    assert memory_ran_out(error)
    assert not memory_ran_out(RuntimeError("shape mismatch"))


@pytest.mark.parametrize(
    ("room", "tried", "notes"),
    [
        (24, [(8, 3)], []),
        (6, [(8, 3), (4, 3), (2, 3)], ["with batches of 4", "with batches of 2"]),
        (
            2,
            [(8, 3), (4, 3), (2, 3), (2, 1)],
            ["with batches of 4", "with batches of 2", "with one prompt an image"],
        ),
    ],
)
def test_a_round_goes_on_smaller_and_says_so(
    folder, monkeypatch, room, tried, notes
) -> None:
    memory, told = Memory(room, ERRORS[1]), []
    monkeypatch.setattr(Round, "train", lambda self: memory.train(self))
    monkeypatch.setattr(Round, "conclude", lambda self, outcome: outcome)
    result = run_round(folder, 0, RoundRequest(steps=1), told.append, lambda: False)
    assert result == {"version": "v1"}
    assert memory.tried == tried
    assert [event["text"] for event in told if event["kind"] == "note"] == [
        f"Memory ran out: beginning again {note}." for note in notes
    ]


def test_what_is_too_large_at_its_smallest_is_an_error(folder, monkeypatch) -> None:
    memory = Memory(0, ERRORS[1])
    monkeypatch.setattr(Round, "train", lambda self: memory.train(self))
    with pytest.raises(RuntimeError, match="out of memory"):
        run_round(folder, 0, RoundRequest(steps=1), lambda _: None, lambda: False)
    assert memory.tried[-1] == (2, 1)


def test_naming_the_job_costs_a_window_no_torch() -> None:
    code = (
        "import sys\n"
        "from src_core.worker import train_job\n"
        "from src_core.rounds import RoundRequest, ensure_validation, promote\n"
        "from src_core.checkpoints import load_card\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("torn", [b"", b'{"position": 1', b"\xff\xfe"])
def test_after_a_torn_note_a_training_begins_anew(folder, torn) -> None:
    with Project.open(folder) as project:
        checkpoint = resume_point(project, RoundRequest())
        checkpoint.write_bytes(b"of nobody knows what")
        checkpoint.with_name(NOTE).write_bytes(torn)
        assert resume_point(project, RoundRequest()) == checkpoint
        assert not checkpoint.exists()
        checkpoint.write_bytes(b"of this very training")
        assert resume_point(project, RoundRequest()).exists()
