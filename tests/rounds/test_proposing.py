"""Before the first label: who answers, what is proposed, what it may teach."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from src_core.answers import Answerer, judged
from src_core.config import TextSettings
from src_core.devices import Device
from src_core.errors import BadInputError, NoModelError
from src_core.predict import Predictor
from src_core.presence import PresenceRule
from src_core.proposers.base import FRAME
from src_core.rounds import (
    ProposerChoice,
    answerer,
    choose_proposer,
    declare_absent,
    deployed_card,
    promote,
    propose,
    proposer_choice,
)
from src_core.rounds.choose import next_picks
from src_core.rounds.round import Round
from src_core.store import Project
from src_core.text import load_encoder
from src_core.types import MaskStatus, Source, SourceKind, Split

CPU = Device(torch.device("cpu"), bf16=False)


class Bright(Answerer):
    """Finds what is brighter than the rest; never finds a bar."""

    def __init__(self, name="clipseg@0123456789ab"):
        self._name = name
        self.encoder = load_encoder(TextSettings(encoder="hashed"))
        self.asked = []

    name = property(lambda self: self._name)
    threshold = property(lambda self: 0.5)
    learned = property(lambda self: frozenset())
    frame = property(lambda self: FRAME)

    def answer_plane(self, shown, prompts, key):
        self.asked.append(tuple(prompts))
        inside = (shown().pixels[0] > 170).astype(np.float32)
        return [
            judged(
                inside * 0.98,
                -3.0 if "bar" in prompt else 3.0,
                3.0,
                PresenceRule(),
                self.name,
                1.0,
            )
            for prompt in prompts
        ]


@pytest.fixture(autouse=True)
def bare_machine(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("LGSSL_PROPOSERS", str(tmp_path / "own"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def unlabelled(tmp_path, fill_project):
    with Project.create(tmp_path / "unlabelled") as project:
        fill_project(project, {Split.TRAIN: 8}, labelled=0)
        for image in project.images()[6:]:
            project.update_image(image.id, split=Split.TEST, who="ada")
    return tmp_path / "unlabelled"


def _propose(folder, model=None, targets=("disc", "bar")):
    with Project.open(folder, mode="rw") as project:
        wanted = [project.target(name) for name in targets]
        return propose(project, model or Bright(), wanted, who="ada")


def _run(folder, request):
    with Project.open(folder) as project:
        return Round(project, request, CPU).run()


class TestWhoAnswers:
    def test_nobody_is_one_sentence_with_the_images_to_begin_with(self, unlabelled):
        with Project.open(unlabelled) as project:
            picks = next_picks(project, None, 3)
            names = [project.image(pick.image).name for pick in picks]
            with pytest.raises(NoModelError) as told:
                answerer(project)
        sentence = str(told.value)
        assert sentence.startswith("There is no model in this project yet")
        assert ", ".join(dict.fromkeys(names)) in sentence
        assert sentence.count(". ") == 0

    def test_an_empty_project_is_told_to_add_images(self, tmp_path):
        with (
            Project.create(tmp_path / "p") as project,
            pytest.raises(NoModelError, match="add images, label a few, then train"),
        ):
            answerer(project)

    def test_the_promoted_version_before_any_proposer(self, folder, request_):
        result = _run(folder, request_())
        with Project.open(folder, mode="rw") as project:
            promote(project, result.version, who="ada", reason="test")
            model = answerer(project, device=CPU)
            assert isinstance(model, Predictor)
            assert model.name == "v1"
            assert model.learned == {"disc", "bar"}
            with pytest.raises(NoModelError, match="weights of 'sam3' are not on this"):
                answerer(project, "sam3", device=CPU)

    @pytest.mark.parametrize(
        ("use", "tried"),
        [
            ("auto", ["clipseg", "sam3"]),
            ("sam3", ["sam3"]),
            ("clipseg", ["clipseg"]),
            ("none", []),
        ],
    )
    def test_the_project_chooses(self, unlabelled, monkeypatch, use, tried):
        from src_core import proposers

        looked = []
        monkeypatch.setattr(
            proposers, "find", lambda kind, folder, pin: looked.append((kind, pin))
        )
        pin = "c" * 40
        with Project.open(unlabelled, mode="rw") as project:
            choose_proposer(project, ProposerChoice(use=use, revision=pin), "ada")
            with pytest.raises(NoModelError):
                answerer(project, device=CPU)
        pinned = pin if use in proposers.PROPOSERS else ""
        assert looked == [(kind, pinned) for kind in tried]

    def test_a_choice_has_a_history_and_its_defaults_are_careful(self, unlabelled):
        with Project.open(unlabelled, mode="rw") as project:
            assert proposer_choice(project) == ProposerChoice(use="auto", teaches=False)
            choose_proposer(project, ProposerChoice(teaches=True), "ada")
            assert proposer_choice(project).teaches
            assert project.history(limit=1)[0].what == "choose proposer"

    def test_a_folder_that_cannot_serve_is_told(self, unlabelled, tmp_path):
        with (
            Project.open(unlabelled) as project,
            pytest.raises(BadInputError, match="cannot serve as 'clipseg'"),
        ):
            answerer(project, "clipseg", device=CPU, weights=tmp_path)


class TestProposals:
    def test_what_is_found_is_saved_with_its_origin_and_is_no_truth(self, unlabelled):
        saved = _propose(unlabelled)
        with Project.open(unlabelled) as project:
            masks = {(m.image, m.target): m for m in project.masks()}
            train = {image.id for image in project.images(Split.TRAIN)}
            read = project.mask(saved[0].image, "disc").read()
        assert {key[0] for key in masks} == train  # never a test image
        assert {key[1] for key in masks} == {"disc"}  # no bar was found: none is saved
        assert {m.status for m in masks.values()} == {MaskStatus.PROPOSED}
        assert read.any()
        expected = Source(SourceKind.MODEL, "clipseg@0123456789ab", "the disc")
        assert {revision.source for revision in saved} == {expected}

    def test_what_a_person_began_is_left_alone(self, folder):
        with Project.open(folder) as project:
            before = {(m.image, m.target): m.revision for m in project.masks()}
        saved = _propose(folder)
        assert saved
        assert not {(r.image, r.target) for r in saved} & set(before)
        with Project.open(folder) as project:
            after = {(m.image, m.target): m.revision for m in project.masks()}
        assert all(after[key] == revision for key, revision in before.items())

    def test_the_same_model_proposes_once_another_anew(self, unlabelled):
        assert len(_propose(unlabelled)) == 6
        again = Bright()
        assert _propose(unlabelled, again, ["disc"]) == []
        assert again.asked == []
        assert len(_propose(unlabelled, Bright("sam3@0123456789ab"))) == 6


class TestFirstTeacher:
    @pytest.mark.parametrize(
        ("project_says", "request_says", "taught"),
        [
            (False, None, 0),
            (True, None, 2),
            (True, False, 0),
            (False, True, 2),
        ],
    )
    def test_only_where_it_is_allowed(
        self, folder, request_, project_says, request_says, taught
    ):
        _propose(folder)
        with Project.open(folder, mode="rw") as project:
            choose_proposer(project, ProposerChoice(teaches=project_says), "ada")
        result = _run(folder, request_(proposals_teach=request_says))
        assert result.taught == taught
        assert (result.labelled, result.unlabelled) == (4, 2)
        with Project.open(folder) as project:
            card = deployed_card(project, result.version)
        assert card.taught == taught
        assert card.teacher == ("clipseg@0123456789ab" if taught else "")
        assert ("clipseg@0123456789ab" in result.verdict.reason) is bool(taught)

    def test_a_projects_own_model_is_no_first_teacher(self, folder, request_):
        _propose(folder, Bright("v1"))
        assert _run(folder, request_(proposals_teach=True)).taught == 0

    def test_only_in_the_first_round(self, folder, request_):
        _propose(folder)
        first = _run(folder, request_(proposals_teach=True))
        with Project.open(folder, mode="rw") as project:
            promote(project, first.version, who="ada", reason="test")
        assert first.taught == 2
        for fresh in (False, True):
            later = _run(folder, request_(proposals_teach=True, fresh=fresh))
            assert later.taught == 0

    def test_it_can_teach_alone(self, unlabelled, request_):
        _propose(unlabelled)
        result = _run(unlabelled, request_(proposals_teach=True, steps=150))
        assert (result.labelled, result.taught) == (0, 6)
        with Project.open(unlabelled) as project:
            assert deployed_card(project, result.version).targets == ["disc"]
            model = answerer(project, result.version, device=CPU)
            image = project.images(Split.TEST)[0]
            pixels = project.pixels(image)[...]
            answer = model.predict(pixels, "yx", ["the disc"])[0]
        bright = pixels > 170
        common = 2 * (answer.shape_mask & bright).sum()
        assert common / (answer.shape_mask.sum() + bright.sum()) > 0.6


class TestAbsence:
    def test_only_a_person_knows_and_nothing_begun_is_touched(self, folder):
        with Project.open(folder, mode="rw") as project:
            images = project.images(Split.TRAIN)
            target = project.target("disc")
            project.save_mask(
                images[4].id,
                "disc",
                np.ones((64, 64), np.uint8),
                who="ada",
                status=MaskStatus.PROPOSED,
            )
            saved, left = declare_absent(project, target, images, who="ada")
            masks = {m.image: m for m in project.masks() if m.target == "disc"}
            assert [image.id for image in left] == [i.id for i in images[:4]]
            assert {r.image for r in saved} == {i.id for i in images[4:]}
            for image in images[4:]:
                assert masks[image.id].status is MaskStatus.EMPTY
                assert not project.mask(image.id, "disc").read().any()

    def test_it_teaches_not_found(self, folder, request_):
        before = _run(folder, request_()).labelled
        with Project.open(folder, mode="rw") as project:
            images = project.images(Split.TRAIN)
            declare_absent(project, project.target("disc"), images, who="ada")
        assert _run(folder, request_()).labelled == before + 2


def test_a_round_fits_its_presence_rule_on_validation_images_alone(
    tmp_path, fill_project, request_
):
    with Project.create(tmp_path / "p") as project:
        fill_project(project, {Split.TRAIN: 4, Split.VAL: 8}, labelled=4)
        target = project.add_target("cross", ("the cross",), who="ada")
        for image in (*project.images(Split.VAL), *project.images(Split.TRAIN)):
            project.save_mask(
                image.id, target.id, None, who="ada", status=MaskStatus.EMPTY
            )
    result = _run(tmp_path / "p", request_(steps=120))
    assert (result.presence["present"], result.presence["absent"]) == (16, 8)
    assert result.presence["fitted"] is True
    assert result.presence["auroc"] > 0.9
    with Project.open(tmp_path / "p") as project:
        rule = deployed_card(project, result.version).presence
    assert rule.auroc == result.presence["auroc"]
    assert str(rule.present) in result.presence["summary"]
