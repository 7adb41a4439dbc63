"""The next sensible thing after an error of a training, as a table."""

from __future__ import annotations

import pytest

from lgssl_napari.remedies import remedy_for
from src_core.config import ModelSettings
from src_core.errors import (
    BadInputError,
    JobError,
    JobLostError,
    NoEncoderError,
    OutOfMemoryError,
    StoreError,
    UserError,
)
from src_core.files import disk_full
from src_core.rounds import RoundRequest

MEDICAL = {"text": {"encoder": "transformers", "model": "/no/such"}}


@pytest.mark.parametrize(
    ("error", "label", "resumes"),
    [
        (OutOfMemoryError(), "Train in smaller steps", False),
        (NoEncoderError("gone"), "Use the built-in encoder", False),
        (BadInputError("not usable"), None, None),
        (UserError("nothing to learn from"), None, None),
        (JobLostError("died"), "Go on", True),
        (JobError("failed"), "Go on", True),
        (StoreError("broken"), "Try again", True),
        (OSError("no space"), "Go on", True),
    ],
)
def test_each_error_has_its_button(tmp_path, error, label, resumes) -> None:
    remedy = remedy_for(error)
    assert (remedy.label if remedy else None) == label
    assert (remedy.resumes if remedy else None) == resumes


def test_a_full_disk_is_tried_again_once_there_is_room(tmp_path) -> None:
    assert remedy_for(disk_full(tmp_path)).label == "Try again"


@pytest.mark.parametrize(
    ("error", "asked", "check"),
    [
        (
            OutOfMemoryError(),
            {"minutes": 3.0, "settings": {"train": {"seed_of": 1}}},
            None,
        ),
        (
            OutOfMemoryError(),
            {"minutes": 3.0},
            lambda r: (
                (r.settings.train.batch, r.settings.train.prompts_per_image, r.fresh)
                == (2, 1, False)
            ),
        ),
        (
            NoEncoderError(),
            {"steps": 5, "settings": MEDICAL},
            lambda r: r.settings.text == ModelSettings().text and r.fresh,
        ),
        (JobError(), {"minutes": 2.0}, lambda r: r == RoundRequest(minutes=2.0)),
    ],
)
def test_the_next_request_is_a_request(error, asked, check) -> None:
    before = dict(asked)
    changed = remedy_for(error).change(asked)
    assert asked == before
    if check is not None:
        assert check(RoundRequest.model_validate(changed))
    else:
        assert changed["settings"]["train"]["batch"] == 2
        assert changed["settings"]["train"]["seed_of"] == 1
