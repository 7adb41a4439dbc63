"""Where a training step's time goes, and what each switch gains."""

from __future__ import annotations

import copy
import itertools
import time
from typing import TYPE_CHECKING

from speed_models import SIDE, settings_of, training_on_noise
from timing import Row, in_turns

if TYPE_CHECKING:
    from collections.abc import Callable


def step() -> list[Row]:
    """One LG-SSL training step per labelled image, beside LViT's."""
    _, ours = training_on_noise("lg-ssl", 100)
    _, supervised = training_on_noise("supervised", 100)
    _, lvit = training_on_noise("lvit", 20, 224, batch=2, prompts_per_image=1)
    ours.course.began = 0.0
    joined, alone, theirs = in_turns(
        lambda: ours._step(0.9),
        lambda: supervised._step(0.9),
        lambda: lvit._step(0.9),
        rounds=5,
    )
    # Eight images a step, four of them labelled where the unlabelled have joined.
    lvit_says = "LViT's step per labelled image, 224²"
    return [
        Row("LG-SSL step per labelled image", joined / 4, lvit_says, theirs / 2, "30x"),
        Row("supervised step, a labelled image", alone / 8, lvit_says, theirs / 2, ""),
        Row("LG-SSL step", joined, "supervised step", alone, ""),
    ]


def profile() -> list[Row]:
    """Split a step into its parts, each beside the whole, once all images joined."""
    import torch

    from src_core.methods import Moment

    _, training = training_on_noise("lg-ssl", 100)
    training.course.began = 0.0
    labelled, unlabelled = training.sampler.draw(unlabelled=True)
    moment = Moment(0.9, 1.0, torch.Generator().manual_seed(0))
    parameters = list(training.method.net.parameters())

    def forward() -> torch.Tensor:
        with training.device.autocast():
            losses: dict[str, torch.Tensor] = training.method(
                labelled, unlabelled, moment
            )
        return losses["loss"]

    def there_and_back() -> None:
        training.optimiser.zero_grad(set_to_none=True)
        forward().backward()

    def teach() -> None:
        with training.device.autocast(), torch.no_grad():
            training.method.average.encode(unlabelled.images)

    parts = {
        "drawing and augmenting": lambda: training.sampler.draw(unlabelled=True),
        "forward": forward,
        "of it the teacher's encoder": teach,
        "forward and backward": there_and_back,
        "clipping the gradient": lambda: torch.nn.utils.clip_grad_norm_(
            parameters, 1.0
        ),
        "optimiser": training.optimiser.step,
        "average": training.method.after_step,
    }
    whole, *taken = in_turns(lambda: training._step(0.9), *parts.values(), rounds=11)
    return [
        Row(f"LG-SSL step: {name}", seconds, "the whole step", whole)
        for name, seconds in zip(parts, taken, strict=True)
    ]


def overhead() -> list[Row]:
    """The loop, beside forward + backward + optimiser on a batch that is there."""
    import torch

    from src_core.methods import Moment

    _, loop = training_on_noise("supervised", 100)
    _, bare = training_on_noise("supervised", 100)
    labelled, _ = bare.sampler.draw(unlabelled=False)
    moment = Moment(0.1, 0.0, torch.Generator().manual_seed(0))

    def plain() -> None:
        with bare.device.autocast():
            losses = bare.method(labelled, None, moment)
        bare.optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        bare.optimiser.step()

    ours, theirs, draw, average = in_turns(
        lambda: loop._step(0.9),
        plain,
        lambda: loop.sampler.draw(unlabelled=False),
        loop.method.after_step,
        rounds=15,
    )
    return [
        Row("the whole loop's step", ours, "bare step", theirs, "0.91x"),
        Row("of it drawing and augmenting", draw, "bare step", theirs),
        Row("of it the average", average, "bare step", theirs),
    ]


def switches() -> list[Row]:
    """Each switch as it is set, beside the other way."""
    return [
        *_precision_and_layout(),
        _compiled(),
        *_optimisers(),
        _averages(),
        _augmentation(),
        *_caches(),
    ]


def _precision_and_layout() -> list[Row]:
    import torch

    from src_core.devices import Device

    _, fast = training_on_noise("supervised", 100)
    _, plain = training_on_noise("supervised", 100)
    _, rowwise = training_on_noise("supervised", 100)
    plain.device = Device(plain.device.torch, bf16=False)
    rowwise.method.to(memory_format=torch.contiguous_format)
    on, off, rows = in_turns(
        *(lambda t=t: t._step(0.9) for t in (fast, plain, rowwise)), rounds=5
    )
    kind = "bf16" if fast.device.bf16 else "float32, as is chosen here"
    return [
        Row(f"a step in {kind}", on, "float32", off),
        Row("weights channels last", on, "row by row", rows),
    ]


def _compiled() -> Row:
    """``torch.compile``: what it gains, and what a round waits for it first."""
    import torch

    _, training = training_on_noise("supervised", 100)
    _, other = training_on_noise("supervised", 100)
    started = time.perf_counter()
    try:
        other.method.net.encoder = torch.compile(other.method.net.encoder)
        other._step(0.9)
    except Exception as error:  # no C++ compiler: as on a clinician's machine
        return Row(f"torch.compile failed: {type(error).__name__}", 1.0, "off", 1.0)
    waited = time.perf_counter() - started
    off, on = in_turns(lambda: training._step(0.9), lambda: other._step(0.9), rounds=7)
    beside = f"encoder by torch.compile, after {waited:.0f} s of compiling"
    return Row("a step, nothing compiled", off, beside, on)


def _optimisers() -> list[Row]:
    import torch

    steps: list[Callable[[], object]] = []
    for kind in ({"fused": True}, {"foreach": True}, {"foreach": False}):
        _, training = training_on_noise("supervised", 10)
        parameters = list(training.method.net.parameters())
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        steps.append(torch.optim.AdamW(parameters, lr=1e-4, **kind).step)
    fused, foreach, loop = in_turns(*steps, rounds=15)
    return [
        Row("AdamW, fused", fused, "foreach", foreach),
        Row("AdamW, fused", fused, "one by one", loop),
    ]


def _averages() -> Row:
    import torch

    _, training = training_on_noise("supervised", 10)
    method = training.method
    other = copy.deepcopy(method)

    @torch.no_grad()
    def one_by_one() -> None:
        new = other.net.state_dict()
        for name, mine in other.average.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(new[name], 0.01)

    foreach, loop = in_turns(method.after_step, one_by_one, rounds=15)
    return Row("average, foreach", foreach, "one by one", loop)


def _augmentation() -> Row:
    import torch

    from src_core.augment import jitter, random_grid, warp

    images, rng = torch.rand(8, 1, SIDE, SIDE) * 255, torch.Generator().manual_seed(0)

    def move(some: torch.Tensor) -> None:
        grid = random_grid(len(some), (SIDE, SIDE), rng)
        jitter(warp(some, grid).expand(-1, 3, -1, -1), rng, strength=0.7)

    whole, single = in_turns(
        lambda: move(images),
        lambda: [move(images[i : i + 1]) for i in range(8)],
        rounds=9,
    )
    return Row("augment 8 pictures at once", whole, "one by one", single)


def _caches() -> list[Row]:
    """What is kept decoded and read, beside decoding and reading it every time."""
    from io import BytesIO

    import numpy as np
    import torch
    from PIL import Image

    from src_core.config import TextSettings
    from src_core.imaging.prepare import prepare
    from src_core.text import load_encoder

    pool, _ = training_on_noise("supervised", 16)
    packed = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), np.uint8)
    Image.fromarray(pixels).save(packed, "png")
    settings, rows = settings_of(), torch.arange(8)

    def decode() -> None:
        for _ in range(8):
            picture = np.asarray(Image.open(BytesIO(packed.getvalue())))
            prepare(picture, "yx", settings.frame)

    kept, decoded = in_turns(lambda: pool.squares[rows], decode, rounds=9)
    encoder, numbers = load_encoder(TextSettings()), itertools.count()
    encoder.encode(["heart"])
    known, read = in_turns(
        lambda: encoder.encode(["heart"]),
        lambda: encoder.encode([f"heart number {next(numbers)}"]),
        rounds=9,
    )
    return [
        Row("8 pictures from memory", kept, "decoded from PNG", decoded),
        Row("a prompt's text, kept", known, "read anew", read),
    ]
