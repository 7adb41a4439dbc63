"""The only training loop: a method says how a batch becomes a loss."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from src_core.devices import free_cores
from src_core.errors import UserError
from src_core.methods import Moment, method_class
from src_core.ranks import here
from src_core.train.asked import Asked
from src_core.train.missed import SHARE, Missed, Regained, missed_by
from src_core.train.pace import Pace
from src_core.train.progress import Hooks, Look, Progress, Trained
from src_core.train.resuming import Course, go_on_from, save_checkpoint
from src_core.train.sampler import Sampler
from src_core.train.schedule import (
    Budget,
    BurnIn,
    learning_rate_factor,
    side_of_pictures,
)
from src_core.train.selection import Candidate, Selection
from src_core.types import Split

if TYPE_CHECKING:
    from src_core.config import ModelSettings
    from src_core.devices import Device
    from src_core.nets import PromptNet
    from src_core.train.pool import Pool
    from src_core.train.wordings import Wordings

State = dict[str, Tensor]

MOST_LOOKED_AT = 120
"""Pairs of the validation split, at each look."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is decided before a step, once for all ranks.

    Attributes
    ----------
    done : float
        Share of the budget that is spent, 0 to 1.
    stop : bool
        Whether a person asked to stop.
    join : bool
        Whether the unlabelled images join now.
    look : bool
        Whether the validation split is looked at after the step.
    report : bool
        Whether the step's losses are told.
    """

    done: float
    stop: bool
    join: bool
    look: bool
    report: bool


class Training:
    """One training of one method on one pool.

    Parameters
    ----------
    pool : Pool
        Already on the device.
    wordings : Wordings
        The prompts.
    settings : ModelSettings
        Method, network, loop, seed.
    device : Device
        Where to compute.
    budget : Budget
        How long.
    hooks : Hooks
        Progress, stop, checkpoint.
    start : dict, optional
        Weights of the version to go on from; fresh ones if not given.
    steps_before : int
        Steps that those weights have behind them.

    Raises
    ------
    UserError
        If no training image has truth, and no proposal may teach.
    """

    REPORT_EVERY = 0.5
    LOOKING = 0.1

    def __init__(
        self,
        pool: Pool,
        wordings: Wordings,
        settings: ModelSettings,
        device: Device,
        budget: Budget,
        hooks: Hooks | None = None,
        start: State | None = None,
        steps_before: int = 0,
    ) -> None:
        if len(pool.labelled) + len(pool.taught) == 0:
            raise UserError(
                "There is nothing to learn from: no training image has a finished "
                "mask. Correct and save at least one, then train."
            )
        self.settings, self.device = settings, device
        self.budget, self.hooks = budget, hooks or Hooks()
        self.ranks = here()
        torch.manual_seed(settings.seed)
        self.rng = torch.Generator().manual_seed(settings.seed)
        kind = method_class(settings.method)
        net = kind.build(settings)
        if start is not None:
            warm_start(net, start)
        net = self.ranks.share_statistics(device.place(net))
        self.method = kind(
            net, settings.method_options, average=settings.train.average
        ).train()
        self.method.average.eval()
        self._losses_of = self.ranks.parallel(self.method)
        self._peak_rate = settings.train.learning_rate or kind.learning_rate
        self.burn_in = BurnIn(**dict(settings.train.burn_in))
        self._steps_before, self._labelled = steps_before, len(pool.labelled)
        self.sampler = Sampler(pool, wordings, settings.train, self.rng)
        # A look at more would cost a short round more than it tells.
        self.validation = Asked(
            pool, wordings, pool.pairs(Split.VAL), limit=MOST_LOOKED_AT
        )
        self._goes_on = start is not None
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW(
            [p for p in self.method.net.parameters() if p.requires_grad],
            lr=self._peak_rate,
            weight_decay=settings.train.weight_decay,
            fused=True,
        )
        self.course = Course()
        self.mind(Missed())
        self._losses: dict[str, float] = {}
        self._looking = 0.0
        self._last_report = 0.0

    def run(self) -> Trained:
        """Train until the budget is spent or the stop is asked for.

        Raises
        ------
        UserError
            If no look saw weights that are numbers.
        """
        held = self.ranks.from_first(self._checkpoint)
        if not (held and go_on_from(self, held)) and self._goes_on:
            self._find_missed()
        train, course = self.settings.train, self.course
        self._last_report = last_save = time.monotonic()
        pace = self._pace()
        while (turn := self._turn()).done < 1.0 and not turn.stop:
            if turn.join:
                course.began = turn.done
                self.method.join()
            started = time.monotonic()
            losses = self._step(turn.done)
            course.step += 1
            now = time.monotonic()
            if pace is not None:
                pace.step_took(now - started)
            if turn.report:
                self._last_report = now
                self._losses = self.ranks.averaged(losses)
                self._report()
            if turn.look:
                self._look()
                self._report()
            if self.hooks.checkpoint and now - last_save >= train.checkpoint_seconds:
                save_checkpoint(self, self.hooks.checkpoint)
                last_save = time.monotonic()
        if self.selection.latest is None or course.looks[-1].step != course.step:
            self._look()
        self._report()
        chosen = self.selection.chosen
        if chosen is None:
            raise self._came_apart()
        return Trained(
            chosen.weights,
            self.selection.score(chosen.dices),
            course.step,
            self.budget.elapsed(),
            tuple(course.looks),
            turn.stop,
            course.began is not None,
            self._regained(chosen),
        )

    def _came_apart(self) -> UserError:
        """Say that there are no weights to keep, and see that nobody goes on there."""
        if self.hooks.checkpoint is not None:
            self.hooks.checkpoint.unlink(missing_ok=True)
        return UserError(
            "The training came apart: its weights grew beyond all bounds, so it gave "
            "no model. Train again with a smaller train.learning_rate than "
            f"{self._peak_rate:g}."
        )

    def _find_missed(self) -> None:
        started = self.budget.clock()
        asked = self.sampler.pool, self.sampler.wordings, self.device
        self.mind(missed_by(self.method.average, *asked))
        self._looking += self.budget.clock() - started

    def mind(self, missed: Missed) -> None:
        """Let what is missed be taught more often, and judge beside the validation."""
        told, pool = self.validation, self.sampler.pool
        pairs = torch.cat([told.pairs, missed.pairs])
        self.missed, self._judged = missed, Asked(pool, told.wordings, pairs)
        self.selection = Selection(told.pairs[:, 1], missed.share)
        self.sampler.favour(missed.still, SHARE)

    def _regained(self, chosen: Candidate) -> Regained | None:
        """Tell how the chosen weights do on what was missed."""
        after = chosen.dices[len(self.validation) :]
        if len(after) == 0:
            return None
        rows = self.missed.pairs[:, 0].tolist()
        held = frozenset(self.sampler.pool.owner(row) for row in rows)
        missed = self.missed
        return Regained(held, missed.share, missed.before, float(after.mean()))

    def _turn(self) -> Turn:
        """Have the first rank decide what hangs on its clock, or on a person."""
        done, *flags = self.ranks.agree(self._decide)
        return Turn(done, *map(bool, flags))

    def _decide(self) -> tuple[float, ...]:
        course, done = self.course, self.budget.progress(self.course.step)
        curve = [(k.progress, k.average) for k in course.looks]
        waits = self.method.uses_unlabelled and course.began is None
        behind = self._steps_before + course.step
        shown = behind * self.settings.train.batch / max(1, self._labelled)
        ahead = self.budget.steps_left(course.step)
        since = time.monotonic() - self._last_report
        return (
            done,
            done < 1.0 and self.hooks.should_stop(),
            waits
            and self.burn_in.is_over(
                done, curve, len(self.validation), behind, shown, ahead
            ),
            done >= self._next_look() and self._may_look(),
            since >= self.REPORT_EVERY,
        )

    def _pace(self) -> Pace | None:
        """Set the threads, and let them follow the machine where nobody fixed them.

        The sum of floats depends on the number of threads, so a budget of steps, which
        repeats itself to the last bit, keeps to one number.
        """
        wanted = self.settings.train.threads
        cores = max(1, free_cores() // self.ranks.beside)
        if wanted or self.budget.steps is not None or self.device.torch.type != "cpu":
            torch.set_num_threads(wanted or cores)
            return None
        return Pace(cores, torch.set_num_threads)

    def _next_look(self) -> float:
        """Progress at which the validation split is looked at next."""
        count, looks = self.settings.train.validations, self.course.looks
        done = looks[-1].progress if looks else 0.0
        return (math.floor(done * count + 1e-9) + 1) / count

    def _may_look(self) -> bool:
        """Looking may cost a tenth of the time: many pairs are looked at less often.

        A budget of steps is kept to the letter, so that it repeats itself.
        """
        if self.budget.steps is not None:
            return True
        return self._looking <= self.LOOKING * self.budget.elapsed()

    def _step(self, done: float) -> State:
        train = self.settings.train
        for group in self.optimiser.param_groups:
            group["lr"] = self._peak_rate * learning_rate_factor(done, train.warmup)
        weight = self._unlabelled_weight(done)
        side = side_of_pictures(done, self.sampler.pool.size, train.small)
        labelled, unlabelled = self.sampler.draw(side=side, unlabelled=weight > 0)
        with self.device.autocast():
            losses: State = self._losses_of(
                labelled, unlabelled, Moment(done, weight, self._chance())
            )
        self.optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(
            self.method.net.parameters(), train.gradient_clip
        )
        self.optimiser.step()
        self.method.after_step()
        return losses

    def _unlabelled_weight(self, done: float) -> float:
        if not self.method.uses_unlabelled:
            return 0.0
        return self.burn_in.ramp(done, self.course.began)

    def _chance(self) -> torch.Generator:
        """Return the step's own source of chance.

        How much of it a method draws may hang on what it sees; the next batch does not
        hang on that, and is the same on all ranks.
        """
        seed = int(torch.randint(2**62, (1,), generator=self.rng))
        return torch.Generator().manual_seed(seed)

    def _look(self) -> None:
        """Score trained and averaged weights, and note the better of the two."""
        course, nets = self.course, (self.method.net, self.method.average)
        started = self.budget.clock()
        average = self._judged.dices(nets[1], self.device)
        # Early in a short round the average lags behind; once it has overtaken the
        # trained weights, they need not be looked at any more.
        last = course.looks[-1] if course.looks else None
        overtaken = last is not None and not last.average <= last.raw
        raw = average if overtaken else self._judged.dices(nets[0], self.device)
        self.missed.look_again(average[len(self.validation) :])
        self.sampler.favour(self.missed.still, SHARE)
        self._looking += self.budget.clock() - started
        score = self.selection.score
        course.looks.append(
            self._at(math.nan if overtaken else score(raw), score(average))
        )
        ahead = self.selection.clearly_better(raw, average)
        better = (nets[0], raw) if ahead else (nets[1], average)
        self.selection.offer(Candidate.of(*better))

    def _at(self, raw: float, average: float) -> Look:
        step = self.course.step
        done = self.budget.progress(step)
        return Look(step, self.budget.elapsed(), done, raw, average)

    def _report(self) -> None:
        course = self.course
        self.hooks.report(
            Progress(
                "labelled images" if course.began is None else "all images",
                course.step,
                self.budget.progress(course.step),
                self.budget.elapsed(),
                self.budget.seconds_left(course.step),
                dict(self._losses),
                tuple(course.looks),
            )
        )

    def _checkpoint(self) -> bytes:
        path = self.hooks.checkpoint
        return path.read_bytes() if path is not None and path.exists() else b""


def warm_start(net: PromptNet, weights: State) -> None:
    """Load the weights of an earlier version where name and shape agree.

    A version trained by another method may lack the second decoder; what is missing
    keeps its fresh weights.
    """
    mine = net.state_dict()
    fits = {k: v for k, v in weights.items() if k in mine and mine[k].shape == v.shape}
    net.load_state_dict(fits, strict=False)
