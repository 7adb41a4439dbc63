"""What a round changed, image by image, on the disk."""

from __future__ import annotations

import pytest

from src_core.errors import CorruptError
from src_core.rounds import Comparison, Pair, Verdict, read_comparison
from src_core.rounds.comparison import FILE, compare, write_comparison

OLD = {("a", "heart"): 0.5, ("b", "heart"): 0.9, ("a", "lung"): 0.4}
NEW = {("a", "heart"): 0.6, ("b", "heart"): 0.2, ("a", "lung"): 0.4}


def test_what_changed_most_comes_first_for_better_or_worse() -> None:
    found = Comparison("v2", "v1", Verdict(True, "ok"), compare(OLD, NEW))
    assert [(p.image, p.change) for p in found.most_changed(2)] == [
        ("b", pytest.approx(-0.7)),
        ("a", pytest.approx(0.1)),
    ]


def test_a_first_version_is_compared_with_nothing() -> None:
    pairs = compare(None, NEW)
    assert [pair.old for pair in pairs] == [None] * 3
    assert pairs[0].change == NEW["a", "heart"]


@pytest.mark.parametrize("old", [OLD, None])
def test_it_is_read_as_it_was_written(tmp_path, old) -> None:
    verdict = Verdict(False, "Kept aside.", 0.6, 0.4, -0.3, -0.1)
    written = Comparison("v2", "v1", verdict, compare(old, NEW))
    write_comparison(tmp_path, written)
    assert read_comparison(tmp_path) == written
    assert isinstance(read_comparison(tmp_path).pairs[0], Pair)


def test_versions_of_before_have_none(tmp_path) -> None:
    assert read_comparison(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 1}', "\x00"])
def test_a_damaged_one_is_said_to_be(tmp_path, content) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(CorruptError, match="Train again"):
        read_comparison(tmp_path)
