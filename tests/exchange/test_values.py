"""Labels that a table asks for and no mask holds: no truth is made of a slip."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from src_core.exchange import IntakeOptions, import_table
from src_core.store import Project
from src_core.types import MaskStatus

INLINE = IntakeOptions(workers=1)


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project", who="ada") as opened:
        yield opened


def take(project, folder, *masks, value):
    """Import pictures with these values at one place of their masks."""
    rows = ["image,mask,value,target"]
    for n, labels in enumerate(masks):
        Image.fromarray(np.full((6, 7), n, np.uint8)).save(folder / f"i{n}.png")
        mask = np.zeros((6, 7), np.uint8)
        mask[0, : len(labels)] = labels
        Image.fromarray(mask).save(folder / f"m{n}.png")
        rows.append(f"i{n}.png,m{n}.png,{value},gland")
    (folder / "table.csv").write_text("\n".join(rows))
    return import_table(project, folder / "table.csv", who="ada", options=INLINE)


@pytest.mark.parametrize(("value", "held"), [(1, 255), (255, 1)])
def test_black_and_white_by_its_other_name_is_refused(project, tmp_path, value, held):
    intake = take(project, tmp_path, [held], [value], [], value=value)
    (problem,) = intake.failed
    assert problem == (
        str(tmp_path / "m0.png"),
        f"'{tmp_path / 'm0.png'}' has no label {value}: what is marked in it is "
        f"{held}; give that as the value, or leave it empty for whatever is marked.",
    )
    assert (intake.added, intake.masks) == (3, 2)
    assert project.mask("i0.png", "gland") is None
    assert project.mask("i1.png", "gland").status is MaskStatus.DONE
    assert project.mask("i2.png", "gland").status is MaskStatus.EMPTY


def test_a_label_that_is_in_no_mask_is_told(project, tmp_path):
    intake = take(project, tmp_path, [3, 127], [4], [], value=9)
    assert (intake.masks, intake.failed) == (3, [])
    assert intake.notes == [
        (
            str(tmp_path / "m0.png"),
            "the label 9 of 'gland' is in none of 3 masks, and this one holds labels "
            "from 3 to 127; all were taken as 'not there'. If that is a slip, correct "
            "the column 'value' and import again with --replace",
        )
    ]


def test_a_label_that_some_masks_lack_is_absent_there(project, tmp_path):
    intake = take(project, tmp_path, [3, 127], [9], value=9)
    assert (intake.masks, intake.failed, intake.notes) == (2, [], [])
    assert project.mask("i0.png", "gland").status is MaskStatus.EMPTY


def test_empty_masks_are_no_slip(project, tmp_path):
    assert take(project, tmp_path, [], [], value=9).notes == []
