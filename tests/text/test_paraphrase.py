"""Paraphrases keep the thing, the part and the side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src_core.text import paraphrases, sides, words
from src_core.text.anatomy import OF_NUMBERS, PAIRED, PARTS
from src_core.text.paraphrase import noun_phrase, rephrased


@pytest.mark.parametrize(
    ("prompt", "core"),
    [
        ("the left lung", "left lung"),
        ("Segment the right ventricle in this cardiac MRI", "right ventricle"),
        ("please show me all nuclei.", "nuclei"),
        ("find a polyp", "polyp"),
        ("segment 4 of the liver", "segment 4 of the liver"),
        ("segment VI", "segment VI"),
        ("segment of the liver", "segment of the liver"),
        ("opacity in the left lung", "opacity in the left lung"),
        ("nodule in the right image", "nodule in the right image"),
        ("border of the section", "border of the section"),
        ("", ""),
    ],
)
def test_noun_phrase(prompt, core):
    assert noun_phrase(prompt) == core


@pytest.mark.parametrize(
    ("core", "forms"),
    [
        ("left lung", {"lung on the left"}),
        ("lung on the left", {"left lung"}),
        (
            "left ventricle cavity",
            {"cavity of the left ventricle", "left ventricular cavity"},
        ),
        ("cavity of the right ventricle", {"right ventricle cavity"}),
        ("left ventricular myocardium", {"left ventricle myocardium"}),
        ("pulmonary nodule", {"lung nodule", "pulmonary nodules"}),
        ("nuclei", {"nucleus"}),
        ("cell nuclei", {"cell nucleus"}),
        ("tumour", {"tumours", "tumor"}),
        # What these say would change:
        ("left ventricle", set()),
        ("right heart border", {"right cardiac border"}),
        ("large liver lesion", {"large hepatic lesion"}),
        ("largest polyp", set()),
        ("caudate nucleus", set()),
        ("left liver lobe", set()),
        ("lungs", set()),
        ("border of the right heart", set()),
        ("linker Ventrikel", set()),
    ],
)
def test_forms_of_a_noun_phrase(core, forms):
    assert set(rephrased(core)) == forms


@pytest.mark.parametrize(
    ("prompt", "never"),
    [
        ("both lungs", "the both"),
        ("segment 4 of the liver", "segment the segment"),
        ("opacity in the left lung", "lung in this image"),
    ],
)
def test_requests_fit_the_phrase(prompt, never):
    assert not any(never in text for text in paraphrases(prompt))


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "  ",
        "Bilateral pulmonary infection, two infected areas, upper left lung",
        "the ring of heart muscle that lies around the left ventricle",
        "polyp (sessile)",
    ],
)
def test_descriptions_are_left_as_they_are(prompt):
    assert paraphrases(prompt) == ()


_WORDS = st.sampled_from(
    sorted(PAIRED | PARTS | OF_NUMBERS | {"left", "right", "of", "the", "on", "upper"})
)


@given(st.lists(_WORDS, min_size=1, max_size=6).map(" ".join))
def test_no_paraphrase_changes_sides_or_repeats(prompt):
    said = paraphrases(prompt)
    assert all(sides(text) == sides(prompt) for text in said)
    keys = [tuple(words(text)) for text in (prompt, *said)]
    assert len(set(keys)) == len(keys)


@given(st.text(max_size=60))
def test_any_text_is_survived(prompt):
    assert all(sides(text) == sides(prompt) for text in paraphrases(prompt))
