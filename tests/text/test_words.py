"""Sides of words, and which target a wording means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src_core.config import TextSettings
from src_core.text import load_encoder, match_target, sides, swap_sides, words
from src_core.types import Target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("left lung", {"left"}),
        ("Right-sided effusion", {"right"}),
        ("both lungs", set()),
        ("left more than right", {"left", "right"}),
        ("leftover", set()),
        ("der rechte Vorhof", {"right"}),
        ("riñón izquierdo", {"left"}),
        ("L kidney, not R", {"left", "right"}),
        ("L'artère l\u2019aorte L4", set()),
        ("右肺", {"right"}),
    ],
)
def test_sides(text, expected):
    assert sides(text) == expected


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("Left lung", "Right lung"),
        ("upper left, lower right.", "upper right, lower left."),
        ("left-sided", "right-sided"),
        ("bright light", "bright light"),
    ],
)
def test_swap_sides(text, swapped):
    assert swap_sides(text) == swapped


@given(
    st.lists(st.sampled_from(["left", "Right", "lung", "leftmost", "the"]), max_size=8)
)
def test_swapping_twice_changes_nothing(parts):
    text = " ".join(parts)
    assert swap_sides(swap_sides(text)) == text
    assert len(words(swap_sides(text))) == len(words(text))


LUNGS = (
    Target("l", "left lung", ("left lung", "lung on the left")),
    Target("r", "right lung", ("right lung",)),
    Target("h", "heart", ("heart", "cardiac silhouette")),
)


@pytest.mark.parametrize(
    ("prompt", "target", "exact"),
    [
        ("Left  Lung", "l", True),
        ("right lung", "r", True),
        ("the left lung field", "l", False),
        ("the right lung field", "r", False),
        ("cardiac outline", "h", False),
    ],
)
def test_a_prompt_finds_its_target_and_its_side(prompt, target, exact):
    match = match_target(prompt, LUNGS, load_encoder(TextSettings()))
    assert match is not None
    assert match.target.id == target
    assert match.is_exact is exact


@pytest.mark.parametrize(
    "names",
    [
        ("CD4+ cells", "CD4- cells"),
        ("HER2-", "HER2+"),
        ("cysts < 5 mm", "cysts > 5 mm"),
        ("दायाँ फेफड़ा", "दाया फेफडा"),
        ("🫁", "🫀"),
        ("???", "!!!"),
    ],
)
def test_what_differs_in_a_sign_alone_is_another_target(names):
    encoder = load_encoder(TextSettings(encoder="hashed"))
    targets = [Target(name, name) for name in names]
    for name in names:
        match = match_target(name, targets, encoder)
        assert match is not None
        assert (match.target.id, match.is_exact) == (name, True)
    match = match_target(names[0], targets[1:], encoder)
    assert match is not None
    assert not match.is_exact


@pytest.mark.parametrize(
    "typed", ["the lésion, (small)", "The le\u0301sion (small)?", "the_lésion small"]
)
def test_punctuation_and_how_an_accent_is_typed_change_nothing(typed):
    targets = [Target("l", "lesion", ("the lésion small",))]
    match = match_target(typed, targets, load_encoder(TextSettings(encoder="hashed")))
    assert match is not None
    assert match.is_exact


def test_without_targets_there_is_no_match():
    assert (
        match_target("lung", (), load_encoder(TextSettings(encoder="hashed"))) is None
    )
