"""What a training keeps: the latest weights, unless earlier ones are clearly better."""

from __future__ import annotations

import math

import pytest
import torch

from src_core.train.selection import Candidate, Selection

ONE = torch.zeros(4, dtype=torch.long)
TWO = torch.tensor([0, 0, 0, 1])


def _candidate(number, dices):
    return Candidate({"w": torch.tensor(float(number))}, torch.tensor(dices))


def _chosen(targets, *all_dices):
    selection = Selection(targets)
    for number, dices in enumerate(all_dices):
        selection.offer(_candidate(number, dices))
    return selection.chosen.weights["w"].item()


@pytest.mark.parametrize(
    ("looks", "kept"),
    [
        # a rise is followed
        (([0.2, 0.3, 0.2, 0.3], [0.6, 0.7, 0.6, 0.7]), 1),
        # luck on one picture of four is not: +0.1 with an error of 0.1
        (([0.9, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]), 1),
        # two of four the same way are: +0.1 with an error of 0.058
        (([0.7, 0.7, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]), 0),
        # every picture got worse: the earlier is kept
        (([0.8, 0.7, 0.8, 0.7], [0.6, 0.6, 0.6, 0.6]), 0),
        # a slow slide is measured from its top, not from step to step
        (([0.8, 0.8, 0.8, 0.8], [0.79, 0.78, 0.8, 0.79], [0.7, 0.71, 0.7, 0.69]), 0),
        # of equals the latest
        (([0.8, 0.8, 0.8, 0.8], [0.8, 0.8, 0.8, 0.8]), 1),
    ],
)
def test_the_latest_is_kept_unless_earlier_weights_are_clearly_better(looks, kept):
    assert _chosen(ONE, *looks) == kept


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [([0.9], [0.4], 1), ([0.92, 0.0], [0.0, 0.0], 1), ([0.9, 0.8], [0.1, 0.0], 0)],
)
def test_a_pair_or_two_can_hardly_tell(before, after, kept):
    targets = torch.zeros(len(before), dtype=torch.long)
    assert _chosen(targets, before, after) == kept


def test_a_target_with_one_pair_borrows_the_spread_of_all():
    assert _chosen(TWO, [0.6, 0.6, 0.6, 0.6], [0.5, 0.5, 0.5, 0.4]) == 0
    assert _chosen(TWO, [0.6, 0.6, 0.6, 0.6], [0.4, 0.7, 0.6, 0.5]) == 1


def test_without_pairs_the_latest_is_kept():
    empty = torch.empty(0, dtype=torch.long)
    assert _chosen(empty, [], []) == 1
    assert math.isnan(Selection(empty).score(torch.empty(0)))


def test_each_target_counts_the_same():
    selection = Selection(TWO)
    assert selection.score(torch.tensor([0.2, 0.4, 0.6, 1.0])) == pytest.approx(0.7)


def test_the_error_is_that_of_a_stratified_mean():
    selection = Selection(torch.tensor([0, 0, 1, 1]))
    values = torch.tensor([0.1, 0.3, 0.0, 0.4], dtype=torch.float64)
    # variances 0.02 and 0.08, each over two pairs, the mean of two strata
    expected = math.sqrt(0.02 / 2 + 0.08 / 2) / 2
    mean, error = selection._mean_and_error(values)
    assert (mean, error) == pytest.approx((0.2, expected))


def test_the_best_survives_a_checkpoint():
    first = Selection(ONE)
    first.offer(_candidate(0, [0.9, 0.8, 0.9, 0.8]))
    first.offer(_candidate(1, [0.1, 0.2, 0.1, 0.2]))
    second = Selection(ONE)
    second.load_state_dict(first.state_dict() | {"rng": torch.zeros(1)})
    second.offer(_candidate(2, [0.3, 0.3, 0.3, 0.3]))
    assert second.chosen.weights["w"].item() == 0


def test_nothing_seen_nothing_saved():
    selection = Selection(ONE)
    assert selection.chosen is None
    assert selection.state_dict() == {}
    selection.load_state_dict({"rng": torch.zeros(1)})
    assert selection.best is None


@pytest.mark.parametrize(
    ("share", "kept"), [(0.0, 0), (0.05, 0), (0.3, 1)], ids=["none", "few", "many"]
)
def test_what_was_missed_has_a_say_by_its_share(share, kept):
    """Validation falls by 0.1 in every picture while the missed ones are learned."""
    selection = Selection(ONE, share)
    for number, dices in enumerate(([0.8] * 4 + [0.0, 0.0], [0.7] * 4 + [0.8, 0.6])):
        selection.offer(_candidate(number, dices))
    chosen = selection.chosen
    assert chosen.weights["w"].item() == kept
    assert selection.score(chosen.dices) == pytest.approx([0.8, 0.7][kept])


def test_the_error_is_that_of_both_parts():
    selection = Selection(torch.tensor([0, 0, 1, 1]), 0.25)
    values = torch.tensor([0.1, 0.3, 0.0, 0.4, 0.5, 0.9], dtype=torch.float64)
    validation = math.sqrt(0.02 / 2 + 0.08 / 2) / 2
    missed = 0.2 / math.sqrt(2)
    mean, error = selection._mean_and_error(values)
    assert mean == pytest.approx(0.75 * 0.2 + 0.25 * 0.7)
    assert error == pytest.approx(math.hypot(0.75 * validation, 0.25 * missed))


def test_weights_that_are_no_numbers_take_no_place():
    selection = Selection(ONE)
    selection.offer(_candidate(1, [0.1, 0.2, 0.1, 0.2]))
    selection.offer(_candidate(float("nan"), [0.9, 0.9, 0.9, 0.9]))
    assert selection.chosen is not None
    assert selection.chosen.weights["w"] == 1
