"""CutMix: images, answers and what is known of them are mixed alike."""

from __future__ import annotations

import dataclasses

import torch

from src_core.methods.mixing import CutMix, same_question


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _without_two_questions(batch):
    """Image 1 is asked for target 0 alone, and so is image 2."""
    rows = torch.tensor([0, 1, 2, 4])
    return dataclasses.replace(
        batch,
        image_of=batch.image_of[rows],
        target_of=batch.target_of[rows],
        counts=batch.counts[rows],
        text=batch.text.select(rows),
    )


def test_cutmix_mixes_answers_as_it_mixes_images(unlabelled):
    """An answer that is the picture itself stays the picture after mixing."""
    mix = CutMix(unlabelled, 1.0, _rng(3))
    answers = unlabelled.images[unlabelled.image_of][:, :1]
    mixed = mix.images(unlabelled.images)[unlabelled.image_of][:, :1]
    assert mix.boxes.any()
    assert mix.known().all()
    torch.testing.assert_close(mix.answers(answers), mixed)


def test_cutmix_admits_what_was_not_asked(unlabelled):
    """Where the source image was not asked the target, its rectangle is not known."""
    mix = CutMix(_without_two_questions(unlabelled), 1.0, _rng(3))
    assert [bool(known.all()) for known in mix.known()] == [True, False, True, True]
    inside = mix.boxes[0]
    assert torch.equal(mix.known()[1], ~inside)


def test_the_same_question_is_found_by_image_and_target(unlabelled):
    fewer = _without_two_questions(unlabelled)  # pairs (0,0) (0,1) (1,0) (2,0)
    there, row = same_question(fewer, torch.tensor([1, 1, 2, 0]))
    assert there.tolist() == [True, False, True, True]
    assert row[there].tolist() == [2, 3, 0]


def test_without_chance_nothing_is_mixed(unlabelled):
    mix = CutMix(unlabelled, 0.0, _rng())
    assert torch.equal(mix.images(unlabelled.images), unlabelled.images)
    assert mix.known().all()
