"""Each strategy on a pool with a planted answer."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from src_core.acquire import strategy
from src_core.acquire.hybrid import CHECKED, ease, need, surprising, trust
from src_core.acquire.uncertain import power_noise


def draws(name, pool, count, seeds=60):
    """How often each image was picked."""
    found = Counter()
    for seed in range(seeds):
        picks = strategy(name).pick(pool, count, np.random.default_rng(seed))
        found.update(p.image for p in picks)
    return found


def clouds(rng, *sizes, apart=10.0, wide=0.3):
    """Clusters on a line, `apart` from one another."""
    return np.concatenate(
        [
            rng.normal((apart * k, 0), wide, size=(size, 2))
            for k, size in enumerate(sizes)
        ]
    )


class TestRandom:
    def test_every_image_is_as_likely(self, pool_of):
        found = draws("random", pool_of(np.zeros((10, 1))), 5, seeds=400)
        assert all(abs(found[f"im{k}"] - 200) < 45 for k in range(10))


class TestForegroundRandom:
    def test_images_with_the_target_come_first(self, pool_of):
        pool = pool_of(np.zeros((20, 1)), scores={"foreground": np.arange(20) % 2})
        assert set(draws("foreground-random", pool, 10)) == {
            f"im{k}" for k in range(1, 20, 2)
        }


@pytest.mark.parametrize("name", ["entropy", "margin", "bald", "consistency"])
class TestUncertain:
    def test_the_planted_uncertain_images_are_preferred_but_not_alone(
        self, name, pool_of
    ):
        score = np.full(20, 0.1)
        score[15:] = 0.8
        found = draws(name, pool_of(np.zeros((20, 1)), scores={name: score}), 5)
        planted = sum(found[f"im{k}"] for k in range(15, 20))
        assert planted > 0.9 * 300
        assert planted < 300

    def test_what_the_model_said_nothing_of_comes_last(self, name, pool_of):
        score = np.full(10, 0.5)
        score[:5] = np.nan
        found = draws(name, pool_of(np.zeros((10, 1)), scores={name: score}), 5)
        assert set(found) == {f"im{k}" for k in range(5, 10)}

    def test_only_its_own_score_matters(self, name, pool_of, scored):
        scores = scored(np.full(10, 0.9))
        scores[name] = np.r_[np.full(9, 1e-3), 0.9]
        found = draws(name, pool_of(np.zeros((10, 1)), scores=scores), 1)
        assert found["im9"] == 60

    def test_the_reason_names_the_place(self, name, pool_of):
        scores = {
            name: np.array([0.5]),
            "hot_y": np.array([0.1]),
            "hot_x": np.array([0.9]),
            "hot_z": np.array([6.0]),
            "hot_kind": np.array([0.0]),
            "hot_beside": np.array([-1.0]),
        }
        pool = pool_of(np.zeros((1, 1)), scores=scores)
        reason = strategy(name).pick(pool, 1, np.random.default_rng(0))[0].reason
        assert (
            "most along the outline, at the upper right of the picture, in slice 7"
            in reason
        )


class TestPowerNoise:
    def test_infinite_power_is_plain_top_k_and_none_is_chance(self):
        score, rng = np.array([0.1, 0.5, 0.3]), np.random.default_rng(0)
        assert np.argsort(-power_noise(score, rng, 1e9)).tolist() == [1, 2, 0]
        best = [np.argmax(power_noise(score, rng, 1e-9)) for _ in range(900)]
        assert np.bincount(best).min() > 240

    def test_the_odds_are_a_power_of_the_score(self):
        """Gumbel's trick: the odds of first place are score ** power."""
        rng, score = np.random.default_rng(1), np.array([0.2, 0.4])
        first = np.mean(
            [np.argmax(power_noise(score, rng, 2.0)) == 1 for _ in range(4000)]
        )
        assert first == pytest.approx(4 / 5, abs=0.025)


class TestCoreset:
    def test_each_planted_cluster_gets_a_label(self, pool_of):
        features = clouds(np.random.default_rng(0), 30, 10, 5, 3)
        picks = strategy("coreset").pick(pool_of(features), 4, np.random.default_rng(0))
        cluster = np.repeat([0, 1, 2, 3], [30, 10, 5, 3])
        assert {cluster[int(p.image.removeprefix("im"))] for p in picks} == {0, 1, 2, 3}

    def test_a_planted_duplicate_of_what_is_labelled_comes_last(self, pool_of):
        features = np.array([[0.0], [0.0], [1.0], [2.0], [4.0]])
        picks = strategy("coreset").pick(
            pool_of(features, labelled=([0],)), 9, np.random.default_rng(0)
        )
        assert [p.image for p in picks] == ["im4", "im3", "im2", "im1"]

    def test_it_says_what_comes_nearest(self, pool_of):
        features = np.array([[0.0], [1.0], [9.0], [2.0], [1.5]])
        pool = pool_of(features, labelled=([0, 3],))
        pick = strategy("coreset").pick(pool, 1, np.random.default_rng(0))[0]
        assert pick.image == "im2"
        assert "unlike anything labelled so far (nearest: image 3)" in pick.reason


class TestTypiClust:
    def test_the_middle_of_each_group_the_largest_first(self, pool_of):
        features = clouds(np.random.default_rng(1), 40, 25, 10, wide=0.5)
        picks = strategy("typiclust").pick(
            pool_of(features), 3, np.random.default_rng(0)
        )
        rows = [int(p.image.removeprefix("im")) for p in picks]
        assert [np.searchsorted([40, 65], row, "right") for row in rows] == [0, 1, 2]
        # No outlier of a cloud stands for it.
        for row, centre in zip(rows, (0.0, 10.0, 20.0), strict=True):
            assert np.hypot(features[row, 0] - centre, features[row, 1]) < 0.5

    def test_a_group_with_a_label_waits(self, pool_of):
        features = clouds(np.random.default_rng(1), 40, 25)
        pool = pool_of(features, labelled=([3],))
        pick = strategy("typiclust").pick(pool, 1, np.random.default_rng(0))[0]
        assert int(pick.image.removeprefix("im")) >= 40
        assert "typical of a group of 25 images" in pick.reason


class TestHybrid:
    def test_first_it_is_typical_and_diverse(self, pool_of, scored):
        """With no labels the model's loud uncertainty about an outlier is ignored."""
        features = clouds(np.random.default_rng(2), 30, 30, 30)
        features = np.r_[features, [[500.0, 500.0]]]
        unsure = np.r_[np.full(90, 0.1), 0.9]
        pool = pool_of(features, scores=scored(unsure))
        picks = strategy("hybrid").pick(pool, 3, np.random.default_rng(0))
        rows = [int(p.image.removeprefix("im")) for p in picks]
        assert sorted(row // 30 for row in rows) == [0, 1, 2]

    def test_later_it_is_uncertain_and_diverse(self, pool_of, scored):
        """Of the unsure half, the one in the cluster that nobody has labelled."""
        features = clouds(np.random.default_rng(3), 60, 60)
        unsure = np.where(np.arange(120) % 2, 0.9, 0.01)
        scores = scored(unsure) | {"foreground": np.full(120, 0.3)}
        pool = pool_of(
            features, labelled=(range(0, 50, 2),), dices=[0.9], scores=scores
        )
        found = draws("hybrid", pool, 1, seeds=20)
        assert all(int(name.removeprefix("im")) >= 60 for name in found)
        odd = sum(n for name, n in found.items() if int(name[2:]) % 2)
        assert odd >= 18

    def test_a_target_with_more_to_gain_gets_more_picks(self, pool_of, scored):
        pool = pool_of(
            np.random.default_rng(0).normal(size=(60, 3)),
            labelled=(range(10), range(10)),
            dices=[0.95, 0.60],
            scores=scored(np.full(60, 0.5)),
        )
        picks = strategy("hybrid").pick(pool, 18, np.random.default_rng(0))
        wanted = Counter(p.target for p in picks)
        assert wanted == {"t0": 2, "t1": 16}

    def test_targets_are_equal_where_nothing_is_known(self, pool_of):
        pool = pool_of(np.random.default_rng(0).normal(size=(30, 3)), labelled=((), ()))
        picks = strategy("hybrid").pick(pool, 10, np.random.default_rng(0))
        assert Counter(p.target for p in picks) == {"t0": 5, "t1": 5}

    def test_among_equals_the_quick_ones_come_first(self, pool_of, scored):
        pool = pool_of(
            np.zeros((40, 2)),
            labelled=(range(20),),
            dices=[0.9],
            scores=scored(np.full(40, 0.5)),
            seconds=np.r_[np.full(30, 90.0), np.full(10, 5.0)],
        )
        picks = strategy("hybrid").pick(pool, 5, np.random.default_rng(0))
        assert all(int(p.image.removeprefix("im")) >= 30 for p in picks)
        assert all(p.seconds == 5.0 for p in picks)

    @pytest.mark.parametrize(
        ("labelled", "dice", "expected"),
        [
            (0, None, 0.0),
            (5, 0.9, 0.0),
            (20, 0.9, 1.0),
            (20, None, 1.0),
            (20, 0.3, 0.0),
            (20, 0.45, 0.5),
            (11, 0.9, 0.4),
        ],
    )
    def test_when_the_model_is_believed(
        self, pool_of, scored, labelled, dice, expected
    ):
        pool = pool_of(
            np.zeros((30, 1)),
            labelled=(range(labelled),),
            dices=[dice],
            scores=scored(np.full(30, 0.5)),
        )
        assert trust(pool, pool.goals[0]) == pytest.approx(expected)

    def test_without_scores_no_model_is_believed(self, pool_of):
        pool = pool_of(np.zeros((30, 1)), labelled=(range(25),), dices=[0.9])
        assert trust(pool, pool.goals[0]) == 0.0

    def test_need_falls_with_labels_and_with_dice(self, pool_of):
        goals = pool_of(
            np.zeros((30, 1)),
            labelled=((), range(5), range(20), range(20)),
            dices=[None, 0.5, 0.5, 0.9],
        ).goals
        needs = [need(goal) for goal in goals]
        assert needs == sorted(needs, reverse=True)
        assert needs[2] / needs[3] == pytest.approx(5.0)

    @pytest.mark.parametrize(
        ("labelled", "absent", "surprised"),
        [(20, 0, True), (5, 0, True), (4, 0, False), (20, 1, True), (20, 4, False)],
    )
    def test_finding_nothing_surprises_where_nearly_all_show_it(
        self, pool_of, scored, labelled, absent, surprised
    ):
        """Six of the sixty are answered with nothing, or next to it."""
        found = np.r_[np.full(54, 0.2), 0.0, 0.0, 0.0, 0.009, 0.001, 0.05]
        pool = pool_of(
            np.zeros((60, 1)),
            labelled=(range(labelled),),
            absent=[absent],
            scores=scored(np.full(60, 0.5)) | {"foreground": found},
        )
        told = surprising(pool)
        assert pool.image[told].tolist() == ([54, 55, 56, 57, 58] if surprised else [])

    def test_one_pick_in_five_goes_where_silence_surprises(self, pool_of, scored):
        """To one that is typical of its kind, and not to the odd one out."""
        rng = np.random.default_rng(4)
        features = np.r_[clouds(rng, 60, 12), [[500.0, 500.0]]]
        silent = np.arange(73) >= 60
        found = np.where(silent, 0.0, 0.3)
        pool = pool_of(
            features,
            labelled=(range(25),),
            dices=[0.9],
            scores=scored(np.where(silent, 0.0, 0.9)) | {"foreground": found},
        )
        picked = draws("hybrid", pool, 1, seeds=400)
        there = sum(n for name, n in picked.items() if int(name[2:]) >= 60)
        # Some go there for being far from what is labelled.
        assert CHECKED - 0.06 < there / 400 < CHECKED + 0.12
        assert "im72" not in picked
        reasons = {
            strategy("hybrid").pick(pool, 1, np.random.default_rng(seed))[0].reason
            for seed in range(30)
        }
        said = "the model finds next to nothing, though 25 of 25 labelled images show"
        assert any(reason.startswith(said) for reason in reasons)

    def test_a_model_that_was_not_asked_surprises_nobody(self, pool_of):
        assert not surprising(pool_of(np.zeros((30, 1)), labelled=(range(25),))).any()

    def test_ease_is_nothing_before_any_time_was_taken(self, pool_of):
        assert not ease(pool_of(np.zeros((5, 1)))).any()

    def test_the_reason_says_where_and_beside_what(self, pool_of, scored):
        scores = scored(np.full((30, 2), 0.5))
        scores |= {
            "hot_y": np.full((30, 2), 0.9),
            "hot_x": np.full((30, 2), 0.5),
            "hot_z": np.full((30, 2), -1.0),
            "hot_kind": np.full((30, 2), 1.0),
            "hot_beside": np.full((30, 2), 1.0),
        }
        pool = pool_of(
            np.random.default_rng(0).normal(size=(30, 2)),
            labelled=(range(22), range(30)),
            dices=[0.8, 0.8],
            scores=scores,
        )
        reason = strategy("hybrid").pick(pool, 1, np.random.default_rng(0))[0].reason
        assert reason.startswith(
            "the two decoders disagree at the bottom of the picture, where it borders "
            "on 'target 1'; "
        )
