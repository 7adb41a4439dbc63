"""One of the processes of ``test_ranks.py``: trains, and writes down what it has."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import torch

from src_core.checkpoints import save_tensors
from src_core.config import BurnInSettings, TextSettings
from src_core.devices import Device
from src_core.ranks.gang import together
from src_core.text import load_encoder
from src_core.train import Budget, Hooks, Pool, Training, Wordings
from src_core.types import Split
from toy_world import BAR, DISC, toy_item, toy_settings

CPU = Device(torch.device("cpu"), bf16=False)


@dataclass(frozen=True)
class FileSeat:
    """A seat whose meeting point is written into a file."""

    number: int
    count: int
    file: Path
    host: str = "127.0.0.1"

    def announce(self, port: int) -> None:
        part = self.file.with_suffix(".part")
        part.write_text(str(port))
        part.rename(self.file)

    def meeting(self) -> tuple[str, int]:
        while not self.file.exists():
            time.sleep(0.01)
        return self.host, int(self.file.read_text())


def train(method: str, steps: int, hooks: Hooks | None = None):
    """Train on the toy pool; return what came of it, losses step by step."""
    items = [toy_item(i, Split.TRAIN, truth=i < 5) for i in range(9)]
    items += [toy_item(i, Split.VAL, truth=True) for i in range(9, 14)]
    pool = Pool(items, [DISC, BAR], 64)
    encoder = load_encoder(TextSettings(encoder="hashed"))
    wordings = Wordings(pool.targets, pool.captions, encoder)
    early = BurnInSettings(
        start=0.3, behind=0, shown=0, ahead=0, dice=0.0, gain=1.0, window=0.0
    )
    settings = toy_settings(
        method, batch=8, burn_in=early, checkpoint_seconds=1e-9, validations=10
    )
    losses: list[dict[str, float]] = []
    hooks = hooks or Hooks()
    hooks.report = lambda progress: losses.append(
        {"step": progress.step, **progress.losses}
    )
    training = Training(pool, wordings, settings, CPU, Budget(steps=steps), hooks)
    training.REPORT_EVERY = 0.0
    trained = training.run()
    return training, trained, losses


def write(folder: Path, name: str, training, trained, losses) -> None:
    """Keep all that two trainings are compared by."""
    state = dict(training.method.state_dict())
    looks = [[k.step, k.raw, k.average] for k in trained.looks]
    meta = {"losses": losses, "looks": looks, "began": training.course.began}
    save_tensors(folder / f"{name}.safetensors", state, meta)


def main() -> None:
    """Be rank N of M, for each of some methods."""
    folder, number, count, steps, *methods = sys.argv[1:]
    for method in methods:
        seat = FileSeat(int(number), int(count), Path(folder) / f"{method}.port")
        with together(seat, CPU.torch):
            write(Path(folder), f"{method}-{number}", *train(method, int(steps)))


if __name__ == "__main__":
    main()
