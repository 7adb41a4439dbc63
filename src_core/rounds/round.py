"""One round: train on a frozen snapshot, score, and write an immutable version.

Runs wherever the engine puts it. It reads the ledger at one position and writes only a
new folder below ``models/``; the pointer to the version that answers is moved by the
process that holds the project open for writing.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from src_core.checkpoints import ModelCard, next_version, save_model
from src_core.errors import CorruptError, NoEncoderError, NotFoundError, UserError
from src_core.imaging.windows import windows_by_wording
from src_core.methods import method_class
from src_core.predict import Predictor
from src_core.ranks import here
from src_core.rounds.comparison import Comparison, compare, write_comparison
from src_core.rounds.familiar import familiar
from src_core.rounds.gate import Key, Verdict, judge, unjudged
from src_core.rounds.parent import find_parent, lost_sentence
from src_core.rounds.presence import Looked, fit_rule, look
from src_core.rounds.proposing import first_teachers
from src_core.rounds.snapshot import choose_frame, pool_items
from src_core.rounds.validation import effective_split, held_out_groups
from src_core.text import load_encoder
from src_core.train import (
    Hooks,
    Pool,
    Progress,
    Trained,
    Training,
    Wordings,
)
from src_core.types import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from src_core.config import ModelSettings
    from src_core.devices import Device
    from src_core.rounds.request import RoundRequest
    from src_core.store import Project
    from src_core.types import Image

T = TypeVar("T")
TELL_EVERY = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What a round gave.

    Attributes
    ----------
    version : str
        The new model version, written whether it is promoted or not.
    method : str
    steps : int
    seconds : float
    labelled, unlabelled : int
        Training images with and without truth.
    verdict : Verdict
        Whether it should answer from now on, and why.
    looks : tuple of dict
        The validation curve.
    stopped : bool
        Whether a person stopped it early.
    position : int
        The ledger position it was trained at.
    taught : int
        Pictures in which a proposal taught, with lower trust.
    presence : dict
        The version's :class:`PresenceRule` as plain values, and its ``"summary"``.
    """

    version: str
    method: str
    steps: int
    seconds: float
    labelled: int
    unlabelled: int
    verdict: Verdict
    looks: tuple[dict[str, float | None], ...]
    stopped: bool
    position: int
    taught: int = 0
    presence: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as the command line prints them."""
        plain = dataclasses.asdict(self)
        verdict = plain.pop("verdict")
        return {**plain, "promoted": verdict["promoted"], "verdict": verdict}


@dataclass(slots=True)
class RoundHooks:
    """How a round talks to whoever runs it.

    Attributes
    ----------
    phase : callable
        Called with a short text when a new part of the work begins.
    progress : callable
        Called with the loop's :class:`Progress`.
    should_stop : callable
        True ends the training with the best so far.
    checkpoint : Path, optional
        Where to resume from and to save to.
    """

    phase: Callable[[str], None] = lambda text: None
    progress: Callable[[Progress], None] = lambda progress: None
    should_stop: Callable[[], bool] = lambda: False
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was trained, and what it is judged by.

    Attributes
    ----------
    card : ModelCard
        Of the new version, without its scores.
    trained : Trained
    old : ModelCard or None
        Of the version that answers so far.
    held_out : frozenset of str
        Groups that were kept for validation.
    familiar : list of str
        Labelled training images that say what targets are like.
    lost : str
        The version that should answer so far, where its files cannot be read.
    """

    card: ModelCard
    trained: Trained
    old: ModelCard | None
    held_out: frozenset[str]
    familiar: list[str]
    lost: str = ""


@dataclass(slots=True)
class Round:
    """A round on a project that is open for reading at one position.

    Parameters
    ----------
    project : Project
        A snapshot.
    request : RoundRequest
        What was asked for.
    device : Device
        Where to compute.
    hooks : RoundHooks
        Progress, stop, checkpoint.
    """

    project: Project
    request: RoundRequest
    device: Device
    hooks: RoundHooks = field(default_factory=RoundHooks)

    def run(self) -> RoundResult:
        """Train, score and write the version; raises as :meth:`train`."""
        return self.conclude(self.train())

    def train(self) -> Outcome:
        """Train, alone or as one of several ranks.

        Raises
        ------
        UserError
            If there is nothing to learn from, or settings are asked for that the
            version it goes on from does not allow.
        """
        project, hooks = self.project, self.hooks
        parent = find_parent(project)
        start, old, steps_before, going_on = None, parent.card, 0, ""
        settings = self.request.settings
        if old is not None and not self.request.fresh:
            settings = self._going_on(settings, old)
            start, steps_before = parent.weights, old.steps_before + old.steps
            going_on = old.version
        settings = self._complete(settings, is_first=start is None)

        hooks.phase("reading images")
        encoder = load_encoder(settings.text, project.cache_dir / "text")
        targets = project.targets()
        if not targets:
            raise UserError(
                "The project has no target yet. Type what to find, correct the mask "
                "and save it, then train."
            )
        held_out = held_out_groups(project)
        splits = frozenset({Split.TRAIN, Split.VAL})
        teachers = first_teachers(project, self.request.proposals_teach)
        pictures = pool_items(project, held_out, splits, settings.frame, teachers)
        pool = Pool(
            self._told(pictures, "reading images"),
            targets,
            settings.frame.size,
        ).to(self.device.torch)
        wordings = Wordings(targets, pool.captions, encoder)
        labelled, unlabelled = _counts(pool)

        hooks.phase("training")
        loop = Hooks(hooks.progress, hooks.should_stop, hooks.checkpoint)
        training = Training(
            pool,
            wordings,
            settings,
            self.device,
            self.request.budget(),
            loop,
            start,
            steps_before,
        )
        trained = training.run()

        card = ModelCard(
            version=next_version(project.models_dir),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            position=project.position,
            parent=going_on,
            settings=settings,
            targets=[targets[t].id for t in sorted(set(pool.learned.tolist()))],
            labelled=labelled,
            unlabelled=unlabelled,
            labelled_images=len({pool.owner(n) for n in pool.labelled.tolist()}),
            taught=len(pool.taught),
            teacher=" and ".join(
                sorted({name for names in teachers.values() for name in names.values()})
            ),
            steps=trained.step,
            seconds=round(trained.seconds, 2),
            steps_before=steps_before,
        )
        missed = trained.regained.images if trained.regained else ()
        teaching = familiar(pool, missed)
        lost = parent.version if parent.is_lost else ""
        return Outcome(card, trained, old, held_out, teaching, lost)

    def _going_on(self, settings: ModelSettings, old: ModelCard) -> ModelSettings:
        """Take over what the version that answers now fixes; raises as `train`.

        The picture's size and the words: else nothing of it could be used again.
        """
        frame = old.settings.frame
        if frame.windows is not None:
            wanted = windows_by_wording(self.project.targets())
            frame = frame.model_copy(update={"windows": wanted})
        fixed = {"frame": frame, "text": old.settings.text}
        settings = settings.model_copy(update=fixed)
        self.request.check_goes_on(settings)
        return settings

    def _complete(self, settings: ModelSettings, *, is_first: bool) -> ModelSettings:
        """Fill in what the data decides; what a parent left open stays as it was."""
        frame, net = settings.frame, settings.net
        if is_first and not frame.is_complete:
            frame = choose_frame(self.project, frame)
        width = load_encoder(settings.text).width
        net = net.model_copy(update={"text_width": width})
        batch = here().fitting(settings.train.batch)
        train = settings.train.model_copy(update={"batch": batch})
        return settings.model_copy(update={"frame": frame, "net": net, "train": train})

    def conclude(self, outcome: Outcome) -> RoundResult:
        """Score what was trained, and write the version.

        Raises
        ------
        UserError
            If it ended before the first step: nothing was learned.
        """
        project, card, trained = self.project, outcome.card, outcome.trained
        if trained.step == 0:
            why, more = "was stopped", ""
            if not trained.stopped:
                why, more = "was out of time", " Give it more minutes."
            raise UserError(
                f"The training {why} before its first step, so there is no new model, "
                f"and all is as it was.{more}"
            )
        old, held_out = outcome.old, outcome.held_out
        self.hooks.phase("comparing")
        encoder = load_encoder(card.settings.text, project.cache_dir / "text")
        new = Predictor(card, trained.weights, self.device, encoder)
        looked = self._look(new, held_out)
        taught = [project.image(name) for name in outcome.familiar]
        rule = fit_rule(looked, self._ask(new, taught) if looked else ())
        new_dices = {one.key: one.dice(rule) for one in looked}
        old_dices, gone = self._dices_before(outcome)
        groups = {image.id: image.group or image.id for image in project.images()}
        verdict = judge(old_dices, new_dices, groups, trained.regained)
        if gone:
            verdict = dataclasses.replace(verdict, reason=f"Promoted: {gone}")
        known = {*card.targets, *(old.targets if old else ())}
        names = {t.id: t.name for t in project.targets() if t.id in known}
        told = [verdict.reason, *unjudged(names, new_dices)]
        if card.taught:
            told.append(f"Proposals of {card.teacher} taught it too.")
        waited = method_class(card.settings.method).uses_unlabelled
        if card.unlabelled and waited and not trained.joined:
            told.append(
                "Images without masks did not teach yet: the round was too short for "
                "them, or the model not good enough."
            )
        verdict = dataclasses.replace(verdict, reason=" ".join(told))
        card = card.model_copy(
            update={"validation": _per_target(new_dices), "presence": rule}
        )
        folder = save_model(project.models_dir, trained.weights, card)
        pairs = compare(old_dices, new_dices)
        against = "" if old is None else old.version
        write_comparison(folder, Comparison(card.version, against, verdict, pairs))
        looks = tuple(
            {
                "step": k.step,
                "seconds": round(k.seconds, 2),
                "dice": None if math.isnan(k.dice) else round(k.dice, 5),
            }
            for k in trained.looks
        )
        return RoundResult(
            card.version,
            card.settings.method,
            card.steps,
            card.seconds,
            card.labelled,
            card.unlabelled,
            verdict,
            looks,
            trained.stopped,
            card.position,
            card.taught,
            rule.report(),
        )

    def _dices_before(self, outcome: Outcome) -> tuple[dict[Key, float] | None, str]:
        """Score what answers so far; without scores, why it cannot be asked."""
        project, old = self.project, outcome.old
        if old is None:
            anew, lost = not self.request.fresh, outcome.lost
            return None, lost_sentence(lost, began_anew=anew) if lost else ""
        folder = project.models_dir / old.version
        try:
            before = Predictor.load(folder, self.device, project.cache_dir / "text")
        except NoEncoderError:
            told = "cannot be asked any more, because its text encoder is gone."
            return None, f"{old.version} {told}"
        except (NotFoundError, CorruptError):
            return None, lost_sentence(old.version, began_anew=False)
        looked = self._look(before, outcome.held_out)
        return {one.key: one.dice(old.presence) for one in looked}, ""

    def _look(self, model: Predictor, held_out: frozenset[str]) -> list[Looked]:
        images = [
            image
            for image in self.project.images()
            if effective_split(image, held_out) is Split.VAL
        ]
        return self._ask(model, images)

    def _ask(self, model: Predictor, images: list[Image]) -> list[Looked]:
        looked = look(self.project, model, images)
        return list(self._told(looked, f"comparing {model.card.version}"))

    def _told(self, items: Iterable[T], phase: str) -> Iterator[T]:
        """Pass items on and tell how many: a worker that says nothing seems hung."""
        last = time.monotonic()
        for count, item in enumerate(items, start=1):
            yield item
            if time.monotonic() - last > TELL_EVERY:
                last = time.monotonic()
                self.hooks.phase(f"{phase}: {count}")


def _counts(pool: Pool) -> tuple[int, int]:
    """Training images with any truth, and with none."""
    labelled = len(pool.labelled)
    return labelled, int(pool.is_train.sum()) - labelled


def _per_target(dices: dict[Key, float]) -> dict[str, float]:
    by_target: dict[str, list[float]] = {}
    for (_, target), value in dices.items():
        by_target.setdefault(target, []).append(value)
    means = {target: sum(v) / len(v) for target, v in by_target.items()}
    if means:
        means["mean"] = sum(means.values()) / len(means)
    return means
