"""Did it help: the comparison of a version, the rounds, and three masks in a row."""

from __future__ import annotations

import numpy as np
import pytest

from lgssl_napari.judging import judgement
from src_core.rounds import Comparison, Pair, RoundEffort, Verdict
from src_core.rounds.comparison import write_comparison
from src_core.types import IMPORTED, MaskStatus

VERDICT = Verdict(True, "Promoted: Dice 0.600 before, 0.800 now.", 0.6, 0.8, 0.1, 0.3)
PAIRS = (
    Pair("film-3", "heart", 0.5, 0.9),
    Pair("film-3", "left-lung", 0.7, 0.6),
    Pair("film-2", "heart", 0.7, 0.7),
)


@pytest.fixture
def judged(asked_bench, add_model):
    """A bench with v1 and v2, v2's comparison, and a saved truth."""
    project = asked_bench.project
    add_model(project, "v2")
    write_comparison(project.models_dir / "v2", Comparison("v2", "v1", VERDICT, PAIRS))
    mask = np.zeros((24, 32), np.uint8)
    mask[2:10, 3:8] = 1
    given = {"status": MaskStatus.DONE, "source": IMPORTED}
    project.save_mask("film-3", "left-lung", mask, **given)
    asked_bench.controller._parts.projects.refresh()
    return asked_bench


def test_the_newest_version_is_judged_by_default(judged) -> None:
    judged.controller.judge()
    found = judged.state.judgement
    assert (found.version, found.against) == ("v2", "v1")
    assert found.sentence == VERDICT.reason
    means = {name: values for name, *values in found.per_target}
    assert means["heart"] == pytest.approx([0.6, 0.8])
    assert means["left lung"] == pytest.approx([0.7, 0.6])
    assert [(c.image, c.name) for c in found.changed] == [
        ("film-3", "heart"),
        ("film-3", "left lung"),
        ("film-2", "heart"),
    ]


def test_a_version_of_before_comparisons_were_kept_has_none(judged) -> None:
    judged.controller.judge("v1")
    found = judged.state.judgement
    assert (found.version, found.sentence, found.changed) == ("v1", "", ())


def test_old_new_and_truth_are_shown_side_by_side(judged) -> None:
    judged.controller.judge()
    judged.controller.compare("film-3", "left-lung")
    picture, panes = judged.canvas.panes
    assert picture.image.name == "film 3"
    assert [pane.title for pane in panes] == ["v1: 0.67", "v2: 0.67", "drawn"]
    assert judged.canvas.pane_names == ("v1: 0.67", "v2: 0.67", "drawn")
    assert [int(pane.mask.sum()) for pane in panes] == [80, 80, 40]
    assert judged.state.comparing == (
        "'left lung' in 'film 3' by model v1, model v2, and as it was drawn; "
        "Dice above."
    )
    assert judged.state.work.image.name == "film 0"


@pytest.mark.parametrize(
    "way_back",
    [
        lambda verbs: verbs.leave_comparison(),
        lambda verbs: verbs.ask("heart"),
        lambda verbs: verbs.show_image("film-1"),
        lambda verbs: verbs.step(1),
        lambda verbs: verbs.scribble(1),
        lambda verbs: verbs.next_image(),
    ],
)
def test_work_goes_on_from_the_comparison(judged, way_back) -> None:
    judged.controller.judge()
    judged.controller.compare("film-3", "left-lung")
    way_back(judged.controller)
    assert judged.canvas.panes == ()
    assert judged.state.comparing == ""


def test_comparing_leaves_unsaved_strokes_alone(judged) -> None:
    judged.controller.ask("heart")
    judged.canvas.paint(slice(0, 4), slice(0, 4))
    judged.controller.judge()
    judged.controller.compare("film-3", "left-lung")
    judged.controller.leave_comparison()
    assert judged.canvas.drawn.sum() == 16
    assert judged.state.work.dirty


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    first = Comparison(
        "v1",
        "",
        Verdict(True, "Promoted: the first model."),
        (Pair("a", "b", None, 0.4),),
    )
    effort = RoundEffort(1, "", 2, 3, 4.0, 0, None)
    found = judgement("v1", first, [effort], {"b": "bone"})
    assert found.per_target == (("bone", None, 0.4),)
    assert found.changed[0].old is None
    assert found.efforts == (effort,)


def test_a_project_without_a_model_has_nothing_to_judge(bench) -> None:
    bench.controller.judge()
    assert bench.state.judgement is None


def test_what_a_round_cost_is_read_from_the_ledger(judged) -> None:
    judged.controller.open_next(False)
    judged.controller.ask("left lung")
    judged.controller.accept()
    judged.canvas.paint(slice(2, 10), slice(13, 14))
    judged.controller.save()
    judged.controller.judge()
    last = judged.state.judgement.efforts[-1]
    assert (last.images, last.masks, last.proposals) == (1, 1, 1)
    assert last.dice == pytest.approx(2 * 80 / (80 + 88))
