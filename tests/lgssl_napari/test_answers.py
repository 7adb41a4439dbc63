"""The sentences of the panel, as tables."""

from __future__ import annotations

import pytest

from lgssl_napari.results import Answer
from lgssl_napari.state import ImageRow, ProjectState
from src_core.types import Split, Target

HEART = Target("heart", "heart", ("cardiac shadow",))


def answer(**changes) -> Answer:
    given = {
        "prompt": "heart",
        "target": HEART,
        "nearest": "heart",
        "similarity": 1.0,
        "learned": True,
        "present": True,
        "score": 0.93,
        "threshold": 0.5,
        "peak": 0.9,
        "version": "v2",
        "pixels": 3120,
        "milliseconds": 41.4,
        "shown": True,
    }
    return Answer(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "title", "detail"),
    [
        (
            {},
            "Found: heart",
            "Score 0.93 (found from 0.50), 3,120 pixels. Model v2, 41 ms.",
        ),
        (
            {"present": False, "score": 0.12, "shown": False},
            "Not found: heart",
            "Score 0.12 (below 0.50). Model v2, 41 ms.",
        ),
        (
            {"present": False, "score": 1.0, "peak": 0.31, "shown": False},
            "Not found: heart",
            "The model expects it (score 1.00) but is sure of no pixel: the likeliest "
            "has 0.31. Model v2, 41 ms.",
        ),
        (
            {"note": "The GPU's memory ran out."},
            "Found: heart",
            "Score 0.93 (found from 0.50), 3,120 pixels. Model v2, 41 ms. The GPU's "
            "memory ran out.",
        ),
        (
            {"target": None, "prompt": "rib", "present": False, "score": 0.1},
            "Not found: rib",
            "Score 0.10 (below 0.50), 3,120 pixels. Model v2, 41 ms.",
        ),
    ],
)
def test_an_answer_says_what_it_is_based_on(changes, title, detail) -> None:
    given = answer(**changes)
    assert (given.title, given.detail) == (title, detail)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"learned": False}, "Model v2 has not learned it yet."),
        (
            {"prompt": "shadow", "nearest": "cardiac shadow", "similarity": 0.8},
            "New wording, taken for 'heart' (by 'cardiac shadow', similarity 0.80).",
        ),
        (
            {"prompt": "hearts", "similarity": 0.83},
            "New wording, taken for 'heart' (similarity 0.83).",
        ),
        (
            {"target": None, "similarity": 0.3},
            "No known target is like this; the nearest is 'heart' (similarity 0.30).",
        ),
        (
            {"target": None, "nearest": "", "similarity": 0.0},
            "The project has no target yet.",
        ),
    ],
)
def test_an_answer_says_how_it_understood(changes, says) -> None:
    assert answer(**changes).understanding == says


@pytest.mark.parametrize(
    ("peak", "cut"), [(0.9, 0.5), (0.5, 0.25), (0.3, 0.15), (0.01, 0.02)]
)
def test_what_was_not_found_is_cut_where_something_is_left(peak, cut) -> None:
    assert answer(peak=peak).honest_cut == pytest.approx(cut, abs=0.006)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("heart", "heart"),
        (" Cardiac  SHADOW", "heart"),
        ("shadow", None),
        ("", None),
    ],
)
def test_a_target_is_known_by_any_of_its_wordings(tmp_path, words, found) -> None:
    project = ProjectState(tmp_path, "p", targets=(HEART,))
    target = project.target_named(words)
    assert (target.id if target else None) == found


def test_only_training_images_are_counted_as_learned_from(tmp_path) -> None:
    rows = (
        ImageRow("a", "a", Split.TRAIN, finished=2),
        ImageRow("b", "b", Split.TRAIN),
        ImageRow("c", "c", Split.VAL, finished=1),
        ImageRow("d", "d", Split.TEST, finished=1),
    )
    assert ProjectState(tmp_path, "p", images=rows).counts == (1, 1)
