"""A pool asked about by all workers of a server: the same answers, whatever dies."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from discs_and_bars import fill, quick_request
from src_core.checkpoints import load_card
from src_core.cluster import pool as pool_module
from src_core.cluster.asking import (
    MaskAnswer,
    Question,
    mask_arrays,
    read_masks,
    read_survey,
    survey_arrays,
)
from src_core.cluster.link import Server
from src_core.cluster.pool import predict_there, survey_there
from src_core.errors import CorruptError
from src_core.predict import Predictor
from src_core.rounds.survey import survey_shelf, take_survey
from src_core.rounds.tally import COLUMNS
from src_core.store import Project

PROGRAM = "from src_core.cli import main; main()"


@pytest.fixture(scope="module")
def two_workers(key_folder, harness):
    """A running server with two workers."""
    with harness.Machine(key_folder, "pool") as made:
        made.port = harness.free_port()
        made.address = made.serve(made.port, "--workers", 2)
        yield made


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with a model, made once."""
    from src_core.devices import pick_device
    from src_core.rounds import promote
    from src_core.rounds.round import Round
    from src_core.types import Split

    folder = tmp_path_factory.mktemp("trained") / "project"
    with Project.create(folder, "pool", who="ada") as project:
        fill(project, {Split.TRAIN: 26, Split.VAL: 3}, labelled=4)
        request = quick_request().model_copy(update={"steps": 6})
        result = Round(project, request, pick_device("cpu")).run()
        promote(project, result.version, who="ada", reason="the first")
    return folder


@pytest.fixture
def copy(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(
        pool_module, "Question", lambda **asked: Question(shard=3, **asked)
    )


def predictor(project):
    return Predictor.load(project.models_dir / "v1")


def rows_of(project):
    card = load_card(project.models_dir / "v1")
    found = survey_shelf(project, card).read()
    order = np.argsort(found.ids)
    return sorted(found.ids), {name: a[order] for name, a in found.arrays.items()}


def test_the_survey_is_the_one_that_is_taken_here(
    copy, two_workers, ada, small_shards, tmp_path
):
    shutil.copytree(copy, tmp_path / "twin")
    heard = []
    server = Server(two_workers.address, ada)
    with Project.open(copy) as project:
        found = survey_there(project, "v1", server, heard.append)
        assert (found.done, found.failed) == (found.total, 0)
        ids, there = rows_of(project)
        again = survey_there(project, "v1", server)
        assert again == found  # nothing was left to ask
    with Project.open(tmp_path / "twin") as twin:
        take_survey(twin, predictor(twin))
        expected, here = rows_of(twin)
    assert ids == expected
    for name, array in here.items():
        wide = array.astype(np.float32)
        np.testing.assert_allclose(there[name], wide, rtol=2e-2, atol=2e-2)
    looking = [e for e in heard if e["kind"] == "looking"]
    assert looking[-1]["done"] == looking[-1]["total"] == len(ids)
    # Nothing but the contents stays there.
    assert list((two_workers.area / "work").iterdir()) == []
    assert list((two_workers.area / "jobs").iterdir()) == []


def test_a_killed_worker_costs_its_shard_alone(
    copy, two_workers, ada, small_shards, harness
):
    """kill -9 in the middle: its images are asked again, and no others."""
    heard, answered = [], {}
    with Project.open(copy) as project:
        images = project.images()
        work = two_workers.area / "work"
        victims = []

        def kill_one_at_work():
            harness.until(lambda: list(work.glob("*-*")))
            victims.append(two_workers.trainers()[0])
            victims[0].kill()

        killer = threading.Thread(target=kill_one_at_work)
        killer.start()
        for image, found in predict_there(
            project, images, ["disc", "bar"], "v1", Server(two_workers.address, ada),
            heard.append,
        ):  # fmt: skip
            assert image.id not in answered
            answered[image.id] = found
        killer.join()
        assert set(answered) == {image.id for image in images}
        model = predictor(project)
        for image in images[::5]:
            pixels = np.asarray(project.pixels(image)[...])
            here = model.predict(pixels, image.axes, ["disc", "bar"], like=image)
            for n, answer in enumerate(here):
                there = answered[image.id]
                assert float(there.scores[n]) == pytest.approx(answer.score, abs=2e-2)
                assert (there.masks[n] != answer.mask).mean() < 0.02
    notes = [e["text"] for e in heard if e["kind"] == "note"]
    lost = [text for text in notes if "A worker died; the 3 images" in text]
    assert len(lost) == 1, notes


def test_the_command_writes_masks_and_a_table(copy, two_workers, ada, tmp_path):
    def run(*more):
        out = tmp_path / f"masks{len(more)}"
        done = subprocess.run(
            [
                sys.executable, "-c", PROGRAM, "predict", str(copy), "--all",
                "--prompt", "disc", "--out", str(out), "--json", *more,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with (out / "answers.csv").open() as table:
            rows = list(csv.DictReader(table))
        return json.loads(done.stdout.splitlines()[-1]), rows, out

    here, rows, out = run()
    there, rows_there, out_there = run(
        "--scheduler", two_workers.address, "--keys", str(ada.folder)
    )
    assert here["images"] == there["images"] == 29
    assert here["failed"] == there["failed"] == 0
    assert [r["image"] for r in rows] == [r["image"] for r in rows_there]
    names = {path.name for path in out.iterdir()}
    assert names == {path.name for path in out_there.iterdir()}
    assert len(names) == 30
    assert not [name for name in names if name.count(".png") > 1]


@pytest.mark.parametrize(
    "asked",
    [
        ["PROJECT"],
        ["PROJECT", "im.png", "--all"],
        ["PROJECT", "--scheduler", "tls://a"],
    ],
)
def test_one_image_or_all_of_them(copy, asked, tmp_path):
    done = subprocess.run(
        [
            sys.executable, "-c", PROGRAM, "predict", *asked,
            "--prompt", "disc", "--out", str(tmp_path / "m.png"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--all" in done.stderr


QUESTION = Question(what="survey", prompts=("a", "b"))
GOOD = survey_arrays(
    [3, 4],
    [
        {
            "tally": np.zeros((2, len(COLUMNS)), np.float32),
            "features": np.zeros(8, np.float16),
            "voices": np.uint8(1),
        }
    ]
    * 2,
)


@pytest.mark.parametrize(
    "change",
    [
        {"row": np.array([3, 9])},
        {"row": np.array([3, 3])},
        {"row": np.array([3.0, 4.0])},
        {"tally": np.zeros((2, 1, len(COLUMNS)), np.float32)},
        {"tally": np.zeros((2, 2, len(COLUMNS)), np.float64)},
        {"features": np.zeros((2, 10_000), np.float16)},
        {"features": np.zeros((3, 8), np.float16)},
        {"voices": np.array([1, 77], np.uint8)},
        {"more": np.zeros(2)},
    ],
)
def test_a_survey_that_was_not_asked_for_is_refused(change):
    assert read_survey(dict(GOOD), QUESTION, range(3, 5))["row"].tolist() == [3, 4]
    with pytest.raises(CorruptError):
        read_survey({**GOOD, **change}, QUESTION, range(3, 5))


@pytest.mark.parametrize(
    "change",
    [
        {"row": np.array([0, 2])},
        {"score": np.zeros((2, 2), np.float32)},
        {"present": np.zeros((2, 1), np.float32)},
        {"mask-0": np.zeros(99, np.uint8)},
        {"mask-1": np.zeros(3, np.float32)},
    ],
)
def test_masks_that_were_not_asked_for_are_refused(change):
    rng = np.random.default_rng(0)
    sent = [
        MaskAnswer(
            n,
            rng.integers(0, 2, (1, 5, 5), np.uint8),
            np.array([0.5], np.float32),
            np.array([True]),
        )
        for n in range(2)
    ]
    question = Question(what="masks", prompts=("a",))
    shapes = {0: (5, 5), 1: (5, 5)}
    arrays = mask_arrays(sent)
    for one, other in zip(
        read_masks(arrays, question, range(2), shapes), sent, strict=True
    ):
        np.testing.assert_array_equal(one.masks, other.masks)
    with pytest.raises(CorruptError):
        list(read_masks({**arrays, **change}, question, range(2), shapes))


@pytest.mark.parametrize(
    ("images", "shard", "sizes"), [(0, 3, []), (3, 3, [3]), (7, 3, [3, 3, 1])]
)
def test_every_image_is_in_one_shard(images, shard, sizes):
    shards = Question(what="masks", prompts=("a",), shard=shard).shards(images)
    assert [len(one) for one in shards] == sizes
    assert [n for one in shards for n in one] == list(range(images))
