"""How a training that was broken off goes on: everything it stood at, in one file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Generator, Tensor

from src_core.checkpoints import read_tensors, save_tensors
from src_core.errors import CorruptError
from src_core.train.missed import Missed
from src_core.train.progress import Look

if TYPE_CHECKING:
    from pathlib import Path

    from src_core.config import ModelSettings
    from src_core.methods import Method
    from src_core.train.schedule import Budget
    from src_core.train.selection import Selection

State = dict[str, Tensor]


@dataclass(slots=True)
class Course:
    """The part of a training's state that is not tensors of a network.

    Attributes
    ----------
    step : int
        Steps made.
    began : float or None
        Share of the budget at which the unlabelled images joined.
    looks : list of Look
        The validation curve.
    """

    step: int = 0
    began: float | None = None
    looks: list[Look] = field(default_factory=list)


class Underway(Protocol):
    """What of a training a checkpoint holds."""

    settings: ModelSettings
    method: Method
    optimiser: torch.optim.Optimizer
    selection: Selection
    budget: Budget
    rng: Generator
    course: Course
    missed: Missed

    def mind(self, missed: Missed) -> None:
        """Take over what was missed."""


def save_checkpoint(training: Underway, path: Path) -> None:
    """Write all that `go_on_from` needs, durably and in one piece."""
    course = training.course
    tensors = {f"method.{k}": v for k, v in training.method.state_dict().items()}
    for index, state in training.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{k}": v for k, v in state.items()}
    tensors |= training.selection.state_dict()
    tensors["rng"] = training.rng.get_state()
    tensors |= training.missed.state_dict()
    meta = {
        "step": course.step,
        "began": course.began,
        "looks": [dataclasses.astuple(look) for look in course.looks],
        "seconds": training.budget.elapsed(),
        "settings": training.settings.model_dump(mode="json"),
    }
    save_tensors(path, tensors, meta)


def go_on_from(training: Underway, held: bytes) -> bool:
    """Bring a fresh training to where a checkpoint's bytes say that it stood.

    Nothing is changed, and False returned, where they are torn or another training's.
    """
    try:
        tensors, meta = read_tensors(held)
    except CorruptError:
        return False  # written durably, so only a foreign hand can have torn it
    if meta.get("settings") != training.settings.model_dump(mode="json"):
        return False
    training.method.load_state_dict(_under(tensors, "method."))
    training.method.steps = meta["step"]
    _load_optimiser(training.optimiser, _under(tensors, "optimiser."))
    training.rng.set_state(tensors["rng"])
    training.budget.spent += meta["seconds"]
    training.mind(Missed.from_state(tensors))
    training.selection.load_state_dict(tensors)
    looks = [Look(*look) for look in meta["looks"]]
    training.course = Course(meta["step"], meta["began"], looks)
    return True


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: State) -> None:
    parameters = optimiser.param_groups[0]["params"]
    state: dict[int, State] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        like = parameters[int(index)]
        if tensor.shape == like.shape:
            # The fused optimiser walks both in memory order: a moment must be laid
            # out (channels last) as its parameter is.
            tensor = torch.empty_like(like).copy_(tensor).detach()
        state.setdefault(int(index), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _under(tensors: State, prefix: str) -> State:
    return {
        k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)
    }
