"""Small real projects, a model that has learned one of them, and a made-up network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from discs_and_bars import fill, quick_request
from src_core.devices import Device
from src_core.nets import Answer, Decoded, PromptNet
from src_core.predict import Predictor
from src_core.rounds import deployed_card, promote
from src_core.rounds.round import Round
from src_core.store import Project
from src_core.types import Split


@pytest.fixture
def folder(tmp_path) -> Path:
    with Project.create(tmp_path / "project") as project:
        fill(project, {Split.TRAIN: 6, Split.VAL: 3, Split.TEST: 3}, labelled=4)
    return tmp_path / "project"


@pytest.fixture(scope="session")
def request_():
    return quick_request


@pytest.fixture(scope="session")
def fill_project():
    return fill


CPU = Device(torch.device("cpu"), bf16=False)


@pytest.fixture(scope="session")
def taught_once(tmp_path_factory) -> Path:
    """A project with a model that has learned its targets; never written to."""
    path = tmp_path_factory.mktemp("taught") / "project"
    with Project.create(path) as project:
        fill(project, {Split.TRAIN: 6, Split.VAL: 3, Split.TEST: 3}, labelled=5)
    with Project.open(path) as project:
        result = Round(project, quick_request(steps=450), CPU).run()
    with Project.open(path, mode="rw") as project:
        promote(project, result.version, who="ada", reason="test")
    return path


@pytest.fixture(scope="session")
def taught(taught_once) -> Path:
    """The taught project, for tests that only read."""
    return taught_once


@pytest.fixture
def own_taught(taught_once, tmp_path) -> Path:
    """A copy of the taught project, its cache empty, for tests that write."""
    own = Path(shutil.copytree(taught_once, tmp_path / "own"))
    shutil.rmtree(own / "cache")
    (own / "cache").mkdir(mode=0o700)
    return own


@pytest.fixture(scope="session")
def load_taught():
    """Load the model that answers in a project."""

    def load(project: Project) -> Predictor:
        card = deployed_card(project)
        return Predictor.load(project.models_dir / card.version, CPU)

    return load


class Blob(PromptNet):
    """A network of one or two decoders that finds what is brighter than a threshold."""

    def __init__(self, decoders=1, drop=0.0, cut=0.5):
        super().__init__()
        self.decoders, self.drop, self.cut = decoders, nn.Dropout2d(drop), cut

    def encode(self, image, *, first_only=False):
        return SeenImage(image)

    def prompt(self, tokens, mask):
        return torch.zeros(len(tokens))

    def answer(self, seen, read, *, others=None, first_only=False):
        logits = 8 * (self.drop(seen.image[:, :1]) - self.cut)
        count = 1 if first_only else self.decoders
        every = torch.arange(len(read))
        decoded = tuple(Decoded(logits * (1 if k == 0 else -1)) for k in range(count))
        return Answer(decoded, (every,) * count, logits.amax((1, 2, 3)))


class SeenImage:
    def __init__(self, image):
        self.image = image

    def select(self, rows):
        return SeenImage(self.image[rows])


@pytest.fixture(scope="session")
def blob():
    """Make a network that finds what is bright."""
    return Blob
