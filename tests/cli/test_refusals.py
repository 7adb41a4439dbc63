"""What cannot be done costs one sentence and nothing that was there before."""

from __future__ import annotations

import errno
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from src_core.cli import main
from src_core.store import Project
from src_core.types import MaskStatus


@pytest.fixture
def folder(tmp_path):
    """A picture beside a project that knows it and a mask of it."""
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with Project.create(tmp_path / "p", who="ada") as project:
        image, _ = project.add_image(pixels, name="a.png", axes="yx")
        target = project.add_target("heart")
        mask = (pixels > 20).astype(np.uint8)
        project.save_mask(image.id, target.id, mask, status=MaskStatus.DONE)
    return tmp_path


def refused(monkeypatch, capsys, *arguments) -> str:
    monkeypatch.setattr(sys, "argv", ["lgssl", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--minutes", "0", "minutes is 0.0"),
        ("--minutes", "nan", "minutes is nan"),
        ("--minutes", "inf", "minutes is inf"),
        ("--steps", "0", "steps is 0"),
    ],
)
def test_no_time_to_train(monkeypatch, capsys, folder, option, value, told):
    text = refused(monkeypatch, capsys, "train", folder / "p", option, value)
    assert text.startswith(f"The training cannot be done so: {told}. Input should be")


@pytest.mark.parametrize("kind", ["png", "nifti", "coco", "table"])
def test_a_file_where_a_folder_should_be(monkeypatch, capsys, folder, kind):
    before = (folder / "a.png").read_bytes()
    for out in (folder / "a.png", folder / "a.png" / "sub"):
        text = refused(
            monkeypatch, capsys, "export", folder / "p", out, "--format", kind
        )
        assert text.startswith(f"The system refuses '{out}'")
    assert (folder / "a.png").read_bytes() == before


def test_a_mask_over_its_own_image(monkeypatch, capsys, folder):
    before = (folder / "a.png").read_bytes()
    image = folder / "a.png"
    words = ("--prompt", "heart", "--out", folder / "p" / ".." / "a.png")
    text = refused(monkeypatch, capsys, "predict", folder / "p", image, *words)
    assert text.startswith("The mask would be written over its image")
    assert (folder / "a.png").read_bytes() == before


def test_an_empty_prompt(monkeypatch, capsys, folder):
    words = ("--prompt", " ", "--out", folder / "m.png")
    text = refused(monkeypatch, capsys, "predict", folder / "p", "a.png", *words)
    assert text == "The prompt is empty; say what to find."


def test_a_full_disk_where_not_even_the_log_can_be_written(monkeypatch, capsys, folder):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("src_core.exchange.export.export", full)
    monkeypatch.setattr(
        "platformdirs.user_log_path", lambda _: folder / "a.png" / "log"
    )
    text = refused(
        monkeypatch, capsys, "export", folder / "p", folder / "out", "--format", "png"
    )
    assert text.startswith("A disk is full: what was being written is not complete")
    assert "Traceback" not in text


@pytest.mark.parametrize(("good", "status"), [(0, 2), (1, 0)])
def test_files_of_which_none_can_be_used(monkeypatch, capsys, folder, good, status):
    files = [folder / f"broken{n}.png" for n in range(2)]
    for file in files:
        file.write_bytes(b"no picture")
    files += [folder / "a.png"] * good  # which is known
    arguments = ["lgssl", "add", folder / "p", *files, "--json"]
    monkeypatch.setattr(sys, "argv", [str(part) for part in arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == status
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [part["file"] for part in told["failed"]] == [str(f) for f in files[:2]]
    assert (told["added"], told["known"]) == (0, good)
