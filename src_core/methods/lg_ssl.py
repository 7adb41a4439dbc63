"""LG-SSL: language-guided semi-supervised learning.

Network code: ``Lry777/Universal-Medical-SSL``. No training script of LG-SSL was ever
published and its repository reports no figures: this is a complete implementation
from the network code and the figure, and the first that trains.

Faithful: two decoders over one encoder, deep supervision; the learnable prompt
adapter and the text-vision selection fusion (:mod:`src_core.nets.text_vision`);
cross-entropy + Dice on both decoders' labelled predictions P1 and P2; the hybrid
consistency on the unlabelled ones Q1 and Q2, namely perturbation consistency Q1<->Q2
(temperature-2 distillation against the detached other branch) and diversity in unified
predictions (P1 - Q1)<->(P2 - Q2), labelled and unlabelled images paired in the batch;
stop-gradient on the prompts' features of unlabelled images; prediction by decoder 1.

[choice], where the source is silent, each measured on validation splits:

- The detached other branch is the *averaged* network's on the unperturbed image, while
  the student sees strong intensity changes and CutMix. ``teacher: self`` restores the
  plain form, both branches of the student on one view.
- Only pixels of which the teacher is sure count, and soft Dice stands beside the
  distillation as it stands beside the cross-entropy: with targets of 1-2 % of the
  picture a mean over pixels alone lets the background decide.
- A pair counts by how clear the teacher's answer is, and not at all where it finds
  nothing (:func:`clarity`). A picture unlike the labelled ones is sure background to
  it, with unsure foreground, and a student that learns from that finds less and less.
  Absence is learned from masks that a person left empty.
- The unlabelled terms wait for a burn-in, then ramp up. Their ramp is the loop's.
- Decoder 2 is born from decoder 1 when unlabelled images join, and is then asked one
  prompt an image, decoder 1 all of them: until then a step costs what a supervised one
  costs, after it hardly more.
- AdamW in place of SGD 0.01, for rounds of minutes and not of days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import torch
from pydantic import Field
from torch import Generator, Tensor

from src_core.augment import jitter
from src_core.config import Fraction
from src_core.losses import (
    agreement_loss,
    balanced_mean,
    certainty,
    difference_loss,
    mean_over,
    pseudo_dice_losses,
)
from src_core.methods.base import (
    Batch,
    Losses,
    Method,
    Moment,
    ask,
    supervised_losses,
    total,
)
from src_core.methods.mixing import CutMix
from src_core.methods.trust import clarity
from src_core.ranks import draw

if TYPE_CHECKING:
    from src_core.nets import Answer, Decoder, PromptUNet


class LGSSL(Method):
    """Language-guided semi-supervised learning."""

    name = "lg-ssl"
    decoders = 2

    class Options(Method.Options):
        """Weights of the hybrid consistency, and what perturbs the student."""

        perturbation: float = Field(1.0, ge=0, description="weight of Q1<->Q2")
        difference: float = Field(1.0, ge=0, description="weight of (P1-Q1)<->(P2-Q2)")
        temperature: float = Field(2.0, gt=0, description="T of the distillation")
        confidence: Fraction = Field(
            0.9, description="of the teacher, for a pixel to count"
        )
        dice: float = Field(1.0, ge=0, description="weight of Dice in the agreement")
        teacher: Literal["average", "self"] = "average"
        weigh: bool = Field(
            True, description="pairs by how clear the teacher's answer is"
        )
        stop_gradient: bool = Field(True, description="prompts learn from labels only")
        jitter: float = Field(1.0, ge=0, description="strength on the student's view")
        cutmix: Fraction = Field(0.5, description="chance of CutMix an image")

    options: Options

    def forward(
        self, labelled: Batch, unlabelled: Batch | None, moment: Moment
    ) -> Losses:
        """Return supervised loss + weighted hybrid consistency.

        Before unlabelled images join, this is the supervised method to the letter.
        """
        if unlabelled is None or moment.unlabelled == 0:
            answers = ask(self.net, labelled, first_only=True)
            return total(supervised_losses(answers, labelled))
        second = one_prompt_an_image(
            labelled.image_of, len(labelled.images), moment.rng
        )
        answers = ask(self.net, labelled, others=second)
        losses = supervised_losses(answers, labelled)
        parts = self._hybrid_consistency(answers, unlabelled, moment)
        return total(losses | {k: moment.unlabelled * v for k, v in parts.items()})

    def join(self) -> None:
        """Let decoder 2 be born from decoder 1, in the network and in its average."""
        for net in cast("tuple[PromptUNet, ...]", (self.net, self.average)):
            first, second = cast("tuple[Decoder, Decoder]", tuple(net.decoders))
            second.take_after(first)

    def _hybrid_consistency(
        self, labelled: Answer, unlabelled: Batch, moment: Moment
    ) -> Losses:
        options, second = self.options, labelled.rows[1]
        mix = CutMix(unlabelled, options.cutmix, moment.rng)
        view = jitter(unlabelled.images, moment.rng, strength=options.jitter)
        student = ask(
            self.net,
            unlabelled,
            images=mix.images(view),
            others=second,
            stop_gradient=options.stop_gradient,
        )
        q1, q2 = (decoded.logits for decoded in student.decoded)  # (P, ·), (R, ·)
        counts = unlabelled.counts.view(-1, 1, 1, 1).expand_as(q1)
        if options.teacher == "self":
            t1, t2 = q1.detach(), q2.detach()
        else:
            t1, t2 = self._teach(unlabelled, mix, second)
            counts = counts * mix.known()
        # Each decoder is taught by the other; where decoder 2 was not asked, decoder 1
        # is taught by its own average.
        for_first, for_second = t1.index_copy(0, second, t2), t1[second]
        sureness = certainty(t1)
        sureness = sureness.index_copy(
            0, second, 0.5 * (sureness[second] + certainty(t2))
        )
        sure = counts * (sureness >= options.confidence)
        pair = torch.ones_like(sure[:, :1, :1, :1])
        if options.weigh:
            pair = clarity(for_first, sure, counts)
        agreement = 0.5 * (
            self._agree(q1, for_first, sure, pair)
            + self._agree(q2, for_second, sure[second], pair[second])
        )
        p1, p2 = (decoded.logits.sigmoid() for decoded in labelled.decoded)
        apart = difference_loss(p1[second], q1[second].sigmoid(), p2, q2.sigmoid())
        inside = (for_second + t2) > 0
        return {
            "perturbation": options.perturbation * agreement,
            "difference": options.difference
            * balanced_mean(apart, inside, counts[second]),
        }

    def _teach(
        self, unlabelled: Batch, mix: CutMix, second: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Answers of the averaged network on plain images, mixed as they will be."""
        # no_grad, not inference_mode: what comes out enters a loss.
        with torch.no_grad():
            first, other = ask(self.average, unlabelled, others=second).decoded
        t1 = mix.answers(first.logits)
        # What decoder 2 was not asked about the source image, decoder 1 answers.
        return t1, torch.where(
            mix.boxes[unlabelled.image_of[second]], t1[second], other.logits
        )

    def _agree(
        self, student: Tensor, teacher: Tensor, sure: Tensor, pair: Tensor
    ) -> Tensor:
        """Distillation + Dice: the unlabelled likeness of cross-entropy + Dice."""
        pixels = agreement_loss(student, teacher, temperature=self.options.temperature)
        distilled = mean_over(pixels, sure * pair)
        dices = pseudo_dice_losses(student, (teacher > 0).float(), sure)
        dice = mean_over(dices * pair.flatten(), torch.ones_like(dices))
        return distilled + self.options.dice * dice


def one_prompt_an_image(image_of: Tensor, images: int, rng: Generator) -> Tensor:
    """Choose one pair of each of so many images at random: (P,) long -> (R,) long.

    Decoder 2 never answers at prediction. Asked one prompt an image instead of all, it
    still sees every image, at a third of its cost on three targets.
    """
    counts = torch.bincount(image_of, minlength=images)  # (B,)
    chance = draw(torch.rand, (images,), rng).to(image_of.device)
    chosen = counts.cumsum(0) - counts + (chance * counts).long()
    return torch.argsort(image_of, stable=True)[chosen[counts > 0]]
