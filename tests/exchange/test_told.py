"""A table about images that were added before it, or twice."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from src_core.exchange import IntakeOptions, add_files, import_table
from src_core.store import Project
from src_core.types import Split

INLINE = IntakeOptions(workers=1)
HEADER = "image,mask,target,caption,group,split"


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", who="ada") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    """Three pictures, of which ``twin.png`` has the pixels of ``a.png``."""
    (tmp_path / "in").mkdir()
    for name, grey in (("a", 10), ("b", 20), ("twin", 10)):
        pixels = np.full((9, 8), grey, np.uint8)
        pixels[0, 0] = 1
        Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


def say(project, folder, *rows):
    (folder / "table.csv").write_text("\n".join([HEADER, *rows]))
    return import_table(project, folder / "table.csv", who="ada", options=INLINE)


def known(project, name):
    image = project.image(name)
    return project.group_name(image.group), image.split, image.caption


@pytest.mark.parametrize("remembered", [True, False])
def test_it_fills_in_what_nobody_had_said(project, folder, remembered):
    add_files(project, [folder / "a.png", folder / "b.png"], who="ada", options=INLINE)
    if not remembered:
        (project.cache_dir / "imported").unlink()
    intake = say(project, folder, "a.png,,,a heart,pat 1,test", "b.png,,,,pat 2,")
    assert (intake.added, intake.known, intake.failed) == (0, 2, [])
    assert intake.notes == []
    assert known(project, "a.png") == ("pat 1", Split.TEST, "a heart")
    assert known(project, "b.png") == ("pat 2", Split.TRAIN, "")
    position = project.position
    say(project, folder, "a.png,,,a heart,pat 1,test", "b.png,,,,pat 2,")
    assert project.position == position


def test_a_split_takes_the_whole_patient_along(project, folder):
    say(project, folder, "a.png,,,,pat 1,", "b.png,,,,pat 1,")
    say(project, folder, "a.png,,,,,val")
    assert known(project, "b.png") == ("pat 1", Split.VAL, "")


def test_who_joins_a_patient_of_another_split_is_refused(project, folder):
    add_files(project, [folder / "a.png"], who="ada", options=INLINE)
    say(project, folder, "b.png,,,,pat 1,test")
    intake = say(project, folder, "a.png,,,,pat 1,")
    assert [file for file, _ in intake.failed] == [str(folder / "a.png")]
    assert "a group is never divided" in intake.failed[0][1]
    assert known(project, "a.png") == ("", Split.TRAIN, "")


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ("a.png,,,,pat 2,train", "it shows another patient in the project"),
        ("a.png,,,,pat 2,val", "it shows another patient in the project"),
        ("a.png,,,,pat 1,val", "it is in the split 'test', where it stays"),
        ("a.png,,,a lung,pat 1,test", "it has another caption"),
    ],
)
def test_what_contradicts_the_project_is_told(project, folder, row, note):
    say(project, folder, "a.png,,,a heart,pat 1,test")
    intake = say(project, folder, row)
    assert [file for file, _ in intake.notes] == [str(folder / "a.png")]
    assert intake.notes[0][1].startswith(note)
    assert known(project, "a.png") == ("pat 1", Split.TEST, "a heart")


def test_a_train_or_empty_split_moves_nothing(project, folder):
    say(project, folder, "a.png,,,,pat 1,test")
    assert say(project, folder, "a.png,,,,pat 1,").notes == []
    assert known(project, "a.png")[1] is Split.TEST


def test_a_caption_of_several_lines_is_the_same_one_again(project, folder):
    row = 'a.png,,,"a heart,\nlarge",pat 1,test'
    say(project, folder, row)
    assert say(project, folder, row).notes == []
    assert known(project, "a.png")[2] == "a heart, large"


def test_a_caption_that_is_too_long_costs_only_its_image(project, folder):
    add_files(project, [folder / "a.png"], who="ada", options=INLINE)
    intake = say(project, folder, f"a.png,,,{'w' * 5000},,", "b.png,,,,pat 2,")
    assert [file for file, _ in intake.failed] == [str(folder / "a.png")]
    assert intake.added == 1


def test_a_copy_under_another_patient_is_told(project, folder):
    intake = say(project, folder, "a.png,,,,pat 1,train", "twin.png,,,,pat 2,test")
    assert (intake.added, intake.known) == (1, 1)
    (note,) = intake.notes
    assert note[0] == str(folder / "twin.png")
    assert "another patient" in note[1]
    assert known(project, "a.png") == ("pat 1", Split.TRAIN, "")


def test_a_model_that_may_have_seen_a_test_image_is_told(project, folder):
    say(project, folder, "a.png,,,,pat 1,")
    (project.models_dir / "v1").mkdir()
    intake = say(project, folder, "a.png,,,,pat 1,test")
    assert "models trained until now may have learned from it" in intake.notes[0][1]
    assert known(project, "a.png")[1] is Split.TEST
