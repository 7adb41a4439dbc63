"""The command line's contract: names, flags, JSON keys, exit codes, sentences."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from discs_and_bars import draw
from src_core.checkpoints import load_card
from src_core.cli.projects import init
from src_core.store import Project
from src_core.types import Split


def lgssl(*arguments, code=0):
    """Run the real program; return its JSON (or its text) and what it told."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from src_core.cli import main; main()",
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.returncode == code, done.stderr
    if "--json" in arguments and code == 0:
        return json.loads(done.stdout.splitlines()[-1])
    return done.stdout if code == 0 else done.stderr


COLUMNS = ("image", "mask", "value", "target", "prompt", "caption", "group", "split")


def _write_table(folder: Path) -> Path:
    """Twelve pictures of a disc and a bar, as an imported table."""
    rows = []
    for index in range(12):
        pixels, masks = draw(index)
        Picture.fromarray(pixels).save(folder / f"im{index}.png")
        labels = np.where(masks["disc"], 1, 2 * masks["bar"]).astype(np.uint8)
        Picture.fromarray(labels).save(folder / f"mask{index}.png")
        split = "test" if index > 9 else "val" if index > 7 else "train"
        mask = f"mask{index}.png" if index < 4 or index > 7 else ""
        for value, target in ((1, "disc"), (2, "bar")):
            rows.append(
                [
                    f"im{index}.png",
                    mask,
                    value,
                    target,
                    f"the {target}",
                    "",
                    f"p{index}",
                    split,
                ]
            )
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return folder / "table.csv"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project that has lived through import and one short round."""
    folder = tmp_path_factory.mktemp("cli")
    table = _write_table(folder)
    path = folder / "project"
    assert lgssl("init", path, "--json") == {"project": str(path)}
    taken = lgssl("import", path, table, "--json")
    expected = {"added": 12, "known": 0, "masks": 16, "replaced": 0}
    expected |= {"failed": [], "notes": []}
    assert taken == expected
    result = lgssl("train", path, "--method", "lg-ssl", "--steps", 3, "--json")
    assert result["version"] == "v1"
    assert result["promoted"] is True
    return path


def test_train_json(project):
    result = lgssl("train", project, "--method", "supervised", "--steps", 2, "--json")
    keys = {
        "version",
        "method",
        "steps",
        "seconds",
        "labelled",
        "unlabelled",
        "promoted",
    }
    assert keys <= result.keys()
    assert (result["method"], result["steps"]) == ("supervised", 2)
    assert (result["labelled"], result["unlabelled"]) == (4, 4)
    assert result["presence"]["fitted"] is False
    assert "could not be checked" in result["presence"]["summary"]


def test_settings_of_a_file_rule_unless_an_option_says_otherwise(project, tmp_path):
    file = tmp_path / "settings.json"
    chosen = {"method": "mean-teacher", "seed": 7, "train": {"average": 0.5}}
    file.write_text(json.dumps(chosen))
    arguments = ("train", project, "--settings", file, "--steps", 1, "--json")
    result = lgssl(*arguments, "--seed", 8)
    card = load_card(project / "models" / result["version"])
    assert card.settings.method == result["method"] == "mean-teacher"
    assert card.settings.train.average == 0.5
    assert card.settings.seed == 8


def test_importing_again_changes_nothing(project):
    table = project.parent / "table.csv"
    with Project.open(project) as opened:
        before = len(opened.history())
    taken = lgssl("import", project, table, "--json")
    assert (taken["added"], taken["known"], taken["masks"]) == (0, 12, 0)
    with Project.open(project) as opened:
        assert len(opened.history()) == before


@pytest.mark.parametrize("image", ["im10.png", "file"])
def test_predict_json(project, tmp_path, image):
    image = project.parent / "im10.png" if image == "file" else image
    out = tmp_path / "mask.png"
    answer = lgssl(
        "predict", project, image, "--prompt", "the disc", "--out", out, "--json"
    )
    assert {"present", "score", "pixels", "version", "ms"} <= answer.keys()
    mask = np.asarray(Picture.open(out))
    assert mask.shape == (64, 64)
    assert set(np.unique(mask)) <= {0, 255}
    assert answer["pixels"] == (mask > 0).sum()
    assert answer["target"] == "disc"


@pytest.mark.parametrize("source", ["own", "target", "paraphrase", "wrong"])
def test_evaluate_json(project, source):
    result = lgssl(
        "evaluate", project, "--split", "test", "--prompt-from", source, "--json"
    )
    assert set(result["targets"]) == {"disc", "bar"}
    assert set(result["targets"]["disc"]) == {"dice", "iou", "dice_pooled", "hd95", "n"}
    assert set(result["mean"]) == {"dice", "iou", "dice_pooled"}
    presence = result["presence"]
    assert (presence["present"], presence["absent"]) == (4, 0)
    assert presence["auroc"] is None  # nothing is absent in these images
    assert set(presence["targets"]) == {"disc", "bar"}


@pytest.mark.parametrize("strategy", ["random", "hybrid"])
def test_next_json(project, strategy):
    items = lgssl("next", project, "-n", 2, "--strategy", strategy, "--json")["items"]
    assert len(items) == 2
    assert all(set(i) == {"image", "target", "score", "reason"} for i in items)


def test_models_and_roll_back(project):
    listed = lgssl("models", project, "--promote", "v1", "--json")
    assert listed["promoted"] == "v1"
    assert [m["version"] for m in listed["models"] if m["promoted"]] == ["v1"]


def test_history_restore_verify(project):
    revisions = lgssl("history", project, "--image", "im0.png", "--json")["revisions"]
    masks = [r for r in revisions if r["what"] == "mask"]
    assert len(masks) == 2
    restored = lgssl("restore", project, masks[0]["number"], "--json")
    assert restored["restored"] == masks[0]["number"]
    assert restored["revision"] > masks[0]["number"]
    assert lgssl("verify", project, "--json")["ok"] is True


@pytest.mark.parametrize("kind", ["png", "nifti", "ome-zarr", "coco"])
def test_export(project, tmp_path, kind):
    written = lgssl("export", project, tmp_path / kind, "--format", kind, "--json")[
        "files"
    ]
    assert written
    assert all(Path(file).exists() for file in written)


def test_backup(project, tmp_path):
    file = tmp_path / "backup.zip"
    assert lgssl("backup", project, file, "--json")["bytes"] == file.stat().st_size
    again = tmp_path / "again"
    told = lgssl("init", again, "--from-backup", file, "--json")
    with Project.open(project) as before, Project.open(again) as after:
        assert told == {"project": str(again)}
        assert after.position == before.position
        assert after.targets() == before.targets()
        assert [i.id for i in after.images()] == [i.id for i in before.images()]
        assert len(after.images(Split.TRAIN)) == 8


@pytest.mark.parametrize("names", [False, True])
def test_a_backup_names_patients_only_if_it_is_told_to(project, tmp_path, names):
    file = tmp_path / "backup.zip"
    lgssl("backup", project, file, *(["--names"] if names else []))
    with zipfile.ZipFile(file) as packed:
        for private in ("groups.jsonl", "pseudonyms.key"):
            assert (private in packed.namelist()) is names


def test_a_backup_without_names_says_what_it_does_not_know(tmp_path, monkeypatch):
    with Project.create(tmp_path / "p") as made:
        made.add_image(np.eye(8), name="a", axes="yx", group="Ada", split=Split.TEST)
        made.backup(tmp_path / "plain.zip")
        made.backup(tmp_path / "named.zip", names=True)
    for name, told in (("plain", ["holds no patients' names"]), ("named", [])):
        sentences: list[str] = []
        monkeypatch.setattr("src_core.cli.projects.tell", sentences.append)
        init(tmp_path / name, tmp_path / f"{name}.zip")
        assert [part for text in sentences for part in told if part in text] == told
        assert len(sentences) == len(told)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train", "{none}"), "There is no project"),
        (("train", "{project}", "--method", "magic"), "There is no method 'magic'"),
        (("train", "{project}", "--steps", "1", "--minutes", "1"), "not both"),
        (("train", "{project}", "--steps", "1", "--device", "tpu"), "no device 'tpu'"),
        (
            ("predict", "{project}", "no.png", "--prompt", "x", "--out", "m.png"),
            "no.png",
        ),
        (("evaluate", "{project}", "--split", "holdout"), "none of train, val, test"),
        (("next", "{project}", "--strategy", "oracle"), "There is no strategy"),
        (("models", "{project}", "--promote", "v99"), "no model version 'v99'"),
        (("restore", "{project}", "99999"), "99999"),
        (("import", "{project}", "{none}.csv"), "none.csv"),
        (("export", "{project}", "{none}", "--format", "tarot"), "no export format"),
        (("init", "{project}"), "project"),
        (("train", "{project}", "--scheduler", "tcp://10.1.1.1:1"), "tls://"),
        (("train", "{project}", "--settings", "{none}"), "cannot be read"),
        (("train", "{project}", "--settings", "{project}/groups.jsonl"), "cannot be"),
    ],
)
def test_a_users_error_is_one_sentence_and_exit_2(
    project, tmp_path, arguments, sentence
):
    filled = [a.format(project=project, none=tmp_path / "none") for a in arguments]
    told = lgssl(*filled, code=2)
    assert sentence in told
    assert "Traceback" not in told


def test_no_model_yet_names_what_to_do(tmp_path):
    lgssl("init", tmp_path / "p")
    told = lgssl("evaluate", tmp_path / "p", "--split", "test", code=2)
    assert "There is no model in this project yet" in told


@pytest.fixture
def untrained(tmp_path, monkeypatch):
    """A project with images and targets, on a machine without any weights."""
    monkeypatch.setenv("LGSSL_PROPOSERS", str(tmp_path / "own"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    lgssl("init", tmp_path / "p")
    lgssl("import", tmp_path / "p", _write_table(tmp_path))
    return tmp_path / "p"


def test_without_model_and_proposer_predict_names_the_images_to_label(untrained):
    asked = ("predict", untrained, "im5.png", "--prompt", "disc", "--out", "m.png")
    told = lgssl(*asked, code=2).strip()
    first = lgssl("next", untrained, "-n", 3, "--json")["items"]
    assert told.startswith("There is no model in this project yet; label these first")
    assert ", ".join(dict.fromkeys(item["image"] for item in first)) in told
    assert len(told.splitlines()) == 1


def test_the_proposer_of_a_project_is_shown_and_chosen(untrained):
    shown = lgssl("proposer", untrained, "--json")
    assert shown == {"use": "auto", "revision": "", "teaches": False, "found": []}
    commit = "a" * 40
    lgssl("proposer", untrained, "--use", "sam3", "--revision", commit, "--teach")
    shown = lgssl("proposer", untrained, "--json")
    assert (shown["use"], shown["revision"], shown["teaches"]) == ("sam3", commit, True)
    lgssl("proposer", untrained, "--no-teach")
    shown = lgssl("proposer", untrained, "--json")
    assert (shown["use"], shown["revision"], shown["teaches"]) == (
        "sam3",
        commit,
        False,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("proposer", "--use", "medsam"), "no proposer 'medsam'"),
        (("proposer", "--use", "sam3", "--revision", "main"), "is no commit"),
        (("proposer", "--download"), "Say which to fetch"),
        (("proposer", "--use", "sam3", "--download"), "name the commit that you trust"),
        (("propose",), "There is no model in this project yet"),
        (("propose", "--target", "cube"), "There is no target 'cube'"),
        (("propose", "--version", "sam3"), "are not on this machine"),
        (("absent", "im0.png", "--target", "cube"), "There is no target 'cube'"),
        (("absent", "no.png", "--target", "disc"), "There is no image 'no.png'"),
    ],
)
def test_what_cannot_be_proposed_is_one_sentence(untrained, arguments, sentence):
    command, *rest = arguments
    told = lgssl(command, untrained, *rest, code=2)
    assert sentence in told
    assert "Traceback" not in told


def test_absence_is_kept_as_truth(untrained):
    images = ("im5.png", "im6.png", "im0.png")
    said = lgssl("absent", untrained, *images, "--target", "disc", "--json")
    assert said == {"declared": 2, "left": ["im0.png"]}
    revisions = lgssl("history", untrained, "--image", "im5.png", "--json")["revisions"]
    assert revisions[0]["status"] == "empty on purpose"


def test_training_killed_loses_nothing_and_resumes(project):
    """kill -9 of the whole program in the middle; the same command goes on."""
    with Project.open(project) as opened:
        before = [(r.number, r.sha256) for r in opened.history()]
    command = [
        sys.executable, "-c", "from src_core.cli import main; main()", "train",
        str(project), "--steps", "100000", "--seed", "3",
    ]  # fmt: skip
    checkpoint = project / "jobs" / "train" / "checkpoint.safetensors"
    running = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 120
        while not checkpoint.exists():
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    from src_core.checkpoints import load_tensors

    steps = load_tensors(checkpoint)[1]["step"]
    assert steps > 0
    with Project.open(project, mode="rw") as opened:
        assert [(r.number, r.sha256) for r in opened.history()] == before
        assert opened.verify() == []
    again = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while True:
            assert time.monotonic() < deadline
            if checkpoint.exists() and load_tensors(checkpoint)[1]["step"] > steps:
                break
            time.sleep(0.3)
    finally:
        os.killpg(again.pid, signal.SIGKILL)
        again.wait()


@pytest.mark.parametrize("given", [None, "ACTIVE"])
def test_threads_wait_without_spinning_unless_told_to(given):
    tried = (
        "import os, sys; from src_core.cli import main\n"
        "assert 'torch' not in sys.modules, 'too late to tell it'\n"
        "sys.argv = ['lgssl', '--help']\n"
        "try: main()\n"
        "except SystemExit: print(os.environ['OMP_WAIT_POLICY'])"
    )
    env = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    env |= {"OMP_WAIT_POLICY": given} if given else {}
    done = subprocess.run(
        [sys.executable, "-c", tried], env=env, capture_output=True, text=True
    )
    assert done.stdout.split()[-1] == (given or "PASSIVE"), done.stderr
