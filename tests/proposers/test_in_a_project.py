"""The command line in a project without a model, on a machine with a proposer."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from src_core.proposers import own_folder
from src_core.rounds import answerer
from src_core.store import Project
from src_core.types import MaskStatus


@pytest.fixture
def project(tmp_path, tiny):
    shutil.copytree(tiny["clipseg"], own_folder("clipseg"))
    with Project.create(tmp_path / "project") as made:
        made.add_target("disc", ("the bright disc",), who="ada")
        for seed in range(2):
            pixels = np.random.default_rng(seed).integers(0, 255, (40, 50), np.uint8)
            made.add_image(pixels, name=f"im{seed}.png", axes="yx", who="ada")
    return tmp_path / "project"


def _lgssl(*arguments):
    from src_core.cli.app import app

    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exception is None, done.output
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_predict_is_answered_by_the_proposer_and_says_so(project, tmp_path):
    out = tmp_path / "mask.png"
    asked = ("predict", project, "im0.png", "--prompt", "the disc", "--out", out)
    answer, told = _lgssl(*asked, "--anyway")
    with Project.open(project) as opened:
        model = answerer(opened)
        pixels = opened.pixels(opened.image("im0.png"))[...]
        expected = model.predict(pixels, "yx", ["the disc"])[0]
    assert answer["version"] == model.name
    assert answer["version"].startswith("clipseg@")
    assert answer["target"] == "disc"
    assert answer["score"] == pytest.approx(expected.score, abs=1e-4)
    assert np.array_equal(np.asarray(Picture.open(out)) > 0, expected.shape_mask > 0)
    assert f"This is a proposal of {model.name}" in told


def test_its_masks_become_proposals_of_that_very_model(project):
    shown, _ = _lgssl("proposer", project)
    assert [found["name"] for found in shown["found"]] == ["clipseg"]
    said, _ = _lgssl("propose", project)
    with Project.open(project) as opened:
        name = answerer(opened).name
        masks = opened.masks()
        sources = {r.source for r in opened.history() if r.what == "mask"}
    assert said["version"] == name
    assert said["proposals"] == len(masks)
    assert {mask.status for mask in masks} <= {MaskStatus.PROPOSED}
    assert {(s.model, s.prompt) for s in sources} <= {(name, "the bright disc")}
    assert masks  # the tiny model does find something in noise
