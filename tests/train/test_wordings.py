"""What a target is asked with in training."""

from __future__ import annotations

import pytest
import torch

from src_core.config import TextSettings
from src_core.text import load_encoder
from src_core.train import Wordings
from src_core.train.wordings import in_other_words
from src_core.types import Target


def _wordings(*targets, captions=()):
    encoder = load_encoder(TextSettings(encoder="hashed"))
    return Wordings(targets, captions, encoder)


def _drawn(wordings, target, count=2000):
    rng = torch.Generator().manual_seed(0)
    targets = torch.full((count,), target, dtype=torch.long)
    rows = wordings.draw(targets, torch.zeros(count, dtype=torch.long), rng)
    return [wordings.texts[row] for row in rows.tolist()]


def test_half_of_the_time_in_other_words():
    wordings = _wordings(Target("p", "polyp"), captions=[""])
    drawn = _drawn(wordings, 0)
    assert 0.45 < drawn.count("polyp") / len(drawn) < 0.55
    assert {"the polyp", "segment the polyps", "polyp in this image"} <= set(drawn)


def test_the_usual_wording_is_the_persons():
    wordings = _wordings(Target("p", "polyp", ("colon polyp", "polyp")))
    assert wordings.texts[wordings.first(0)] == "colon polyp"


def test_what_could_mean_another_target_is_said_of_neither():
    first, second, third = in_other_words([["lesion"], ["lesions"], ["left lung"]])
    assert "lesions" not in first
    assert "lesion" not in second
    assert not set(first) & set(second)
    assert "lung on the left" in third


@pytest.mark.parametrize(
    ("names", "place"),
    [
        (["nucleus"], False),
        (["nucleus", "left lung"], True),
        (["upper lobe", "lower lobe"], True),
        (["linke Lunge", "rechte Lunge"], True),
        (["R kidney", "L kidney"], True),
        (["左肺"], True),
        (["l\u2019artère", "L4 vertebra", "class R1"], False),
    ],
)
def test_paraphrases_name_no_place_of_their_own(names, place):
    wordings = _wordings(*(Target(name, name) for name in names))
    assert wordings.name_a_place is place
