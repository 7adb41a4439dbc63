"""Opinions of a model, and how far they part."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from src_core.geometry import Letterbox
from src_core.rounds.opinion import (
    Asker,
    Opinions,
    bits,
    changed,
    disagreement,
    dropout,
    has_dropout,
)
from src_core.rounds.tally import COLUMNS, SUMS, Voices, merged, scores, traits
from src_core.rounds.tallying import Spot, tally
from src_core.store import Project
from src_core.types import Split


@pytest.mark.parametrize(
    ("p", "expected"), [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0), (0.25, 0.811278)]
)
def test_bits(p, expected):
    assert float(bits(torch.tensor(p))) == pytest.approx(expected, abs=1e-5)


def test_disagreement_is_the_mutual_information():
    """Against numpy in float64, from the formula."""
    voices = np.random.default_rng(0).random((3, 4, 5))

    def entropy(p):
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    expected = entropy(voices.mean(0)) - entropy(voices).mean(0)
    found = disagreement(torch.from_numpy(voices).float())
    assert found.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0.0, 1.0, 1.0), (0.5, 0.5, 0.0), (0.9, 0.9, 0.0), (1.0, 1.0, 0.0)],
)
def test_two_voices(first, second, expected):
    """Two that are unsure alike do not disagree; two that are sure of opposites do."""
    assert float(disagreement(torch.tensor([first, second]))) == pytest.approx(expected)


class FakePredictor:
    def __init__(self, net, real):
        self.net, self.device, self.encoder = net.eval(), real.device, real.encoder


@pytest.fixture(scope="module")
def real(taught, load_taught):
    with Project.open(taught) as project:
        return load_taught(project)


class TestAsker:
    VIEWS = torch.rand((3, 3, 32, 32), generator=torch.Generator().manual_seed(0))

    @staticmethod
    def ask(net, real, prompts=("a", "b")):
        return Asker(FakePredictor(net, real), list(prompts)).ask(TestAsker.VIEWS)

    def test_one_decoder_is_one_voice(self, real, blob):
        opinions = self.ask(blob(), real)
        assert opinions.voices is Voices.NONE
        assert opinions.first.shape == (3, 2, 32, 32)
        assert not opinions.bald().any()
        assert opinions.consistency().mean() > 0
        assert opinions.features is None

    def test_every_view_is_changed_alike(self):
        twice = torch.cat([self.VIEWS[:1], self.VIEWS[:1]])
        first, second = changed(twice, 5)
        assert torch.equal(first, second)
        assert torch.equal(first, changed(self.VIEWS, 5)[0])
        assert not torch.equal(first, changed(self.VIEWS, 6)[0])

    def test_two_decoders_are_two(self, real, blob):
        opinions = self.ask(blob(decoders=2), real)
        assert opinions.voices is Voices.DECODERS
        assert opinions.others.shape == (1, 3, 2, 32, 32)
        # The second says the opposite of the first.
        assert opinions.others[0].numpy() == pytest.approx(
            1 - opinions.first.numpy(), abs=1e-6
        )
        assert opinions.bald().mean() > 0.3

    def test_dropout_speaks_only_where_it_is_real(self, real, blob):
        assert self.ask(blob(drop=0.5), real).voices is Voices.DROPOUT
        assert self.ask(blob(drop=0.0), real).voices is Voices.NONE

    def test_dropout_is_switched_off_again(self, blob):
        net = blob(drop=0.5).eval()
        assert has_dropout(net)
        with dropout(net):
            assert net.drop.training
            assert not net.training
        assert not net.drop.training

    def test_the_first_voice_is_the_prediction(self, taught, load_taught):
        with Project.open(taught) as project:
            predictor, image = load_taught(project), project.images(Split.TEST)[0]
            pixels = project.pixels(image)[...]
            _, views = predictor.views(predictor.look_at(pixels, "yx").picture(0))
            opinions = Asker(predictor, ["the disc", "the bar"]).ask(
                torch.cat([*views])
            )
            answers = predictor.predict(pixels, "yx", ["the disc", "the bar"])
        for k, answer in enumerate(answers):
            assert opinions.first[0, k].numpy() == pytest.approx(
                answer.probability, abs=1e-4
            )
        assert opinions.features.shape == (1, 32)


def planted():
    """Two targets side by side; the voices part on their common border."""
    first = torch.full((1, 2, 32, 32), 0.01)
    first[0, 0, 8:24, 4:16] = 0.99
    first[0, 1, 8:24, 16:28] = 0.99
    other = first.clone()
    other[0, 0, 20:24, 14:18] = 0.5
    moved = first[None].clone()
    presence = torch.tensor([[3.0, -2.0]])
    return Opinions(first, other[None], moved, presence, None, Voices.DECODERS)


class TestTally:
    SPOT = Spot(-1, Letterbox(64, 64, 32), 0, 0, 64, 64)

    def row(self, spot=SPOT):
        rows = tally(planted(), [spot])[0]
        return [dict(zip(COLUMNS, row.tolist(), strict=True)) for row in rows]

    def test_sums(self):
        first, second = self.row()
        assert (first["found"], second["found"]) == (16 * 12, 16 * 12)
        assert first["outline"] == 2 * 16 + 2 * 12 - 4
        assert first["pixels"] == 32 * 32
        # Near: what was found, and what the other voice holds possible beside it.
        assert (first["near"], second["near"]) == (16 * 12 + 4 * 2, 16 * 12)
        assert (first["shared"], first["either"]) == (2 * (192 - 8), 192 + 184)
        assert (first["presence"], second["presence"]) == (3.0, -2.0)

    def test_the_hot_spot_is_found_and_named(self):
        first, second = self.row()
        assert first["hot_y"] == pytest.approx(22 / 32, abs=2 / 32)
        assert first["hot_x"] == pytest.approx(16 / 32, abs=2 / 32)
        assert (first["hot_kind"], first["hot_beside"]) == (0.0, 1.0)
        assert second["heat"] == 0.0
        assert second["hot_beside"] == -1.0

    def test_a_tile_knows_its_place_in_the_picture(self):
        spot = Spot(5, Letterbox(32, 32, 32), 64, 32, 96, 128)
        first, _ = self.row(spot)
        assert first["hot_z"] == 5
        assert first["hot_y"] == pytest.approx((64 + 22) / 96, abs=2 / 96)
        assert first["hot_x"] == pytest.approx((32 + 16) / 128, abs=2 / 128)

    def test_views_add_up_and_the_hottest_gives_the_place(self):
        one = tally(planted(), [Spot(3, Letterbox(64, 64, 32), 0, 0, 64, 64)])
        quiet = one.copy()
        quiet[..., len(SUMS) + 1] = 0.1
        quiet[..., len(SUMS) + 2] = 9
        whole = merged(np.concatenate([quiet, one]))
        assert whole[:, : len(SUMS)] == pytest.approx(2 * one[0, :, : len(SUMS)])
        assert whole[0, COLUMNS.index("hot_z")] == 3

    def test_scores_are_means_over_the_pixels_near(self):
        rows = tally(planted(), [self.SPOT])
        told = scores(rows)
        of = {name: rows[0, 0, n] for n, name in enumerate(COLUMNS)}
        for name in ("entropy", "margin", "bald", "consistency"):
            assert told[name][0, 0] == pytest.approx(of[name] / of["near"])
        assert told["foreground"][0, 0] == pytest.approx(192 / 1024)
        assert np.isnan(told["hot_y"][0, 1])
        assert traits(rows)[0, 0, 0] == pytest.approx(np.log1p(of["outline"]))

    def test_a_second_voice_that_has_not_learned_is_none(self):
        rows = np.repeat(tally(planted(), [self.SPOT]), 5, axis=0)
        assert np.isfinite(scores(rows)["bald"]).all()
        rows[..., COLUMNS.index("shared")] *= 0.2
        assert np.isnan(scores(rows)["bald"]).all()

    def test_a_picture_without_the_target_scores_nothing(self):
        nothing = torch.full((1, 1, 32, 32), 0.001)
        voices = torch.zeros((0, 1, 1, 32, 32))
        opinions = Opinions(nothing, voices, nothing[None], torch.zeros((1, 1)), None)
        told = scores(tally(opinions, [self.SPOT]))
        assert told["entropy"][0, 0] == told["foreground"][0, 0] == 0.0
        assert np.isnan(told["bald"][0, 0])
