"""What every proposer keeps to, and what each computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from src_core.devices import Device
from src_core.proposers import PROPOSERS, find, is_proposer, load
from src_core.proposers.base import View

CPU = Device(torch.device("cpu"), bf16=False)
EVERY = pytest.mark.parametrize("kind", list(PROPOSERS))


@pytest.fixture(scope="module")
def loaded(tiny):
    return {kind: load(find(kind, tiny[kind]), CPU) for kind in PROPOSERS}


def _picture(shape=(40, 60), seed=0):
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


@EVERY
@pytest.mark.parametrize(
    ("shape", "axes", "answer"),
    [
        ((40, 60), "yx", (40, 60)),
        ((3, 33, 21), "cyx", (33, 21)),
        ((4, 30, 30), "zyx", (4, 30, 30)),
        ((2, 3, 30, 30), "czyx", (3, 30, 30)),
    ],
)
def test_any_picture_and_volume(loaded, kind, shape, axes, answer):
    found = loaded[kind].predict(_picture(shape), axes, ["left lung", "a nodule"])
    assert len(found) == 2
    for one in found:
        assert one.probability.shape == answer
        volume = len(answer) == 3
        assert one.probability.dtype == (np.float16 if volume else np.float32)
        assert 0 <= one.probability.min() <= one.probability.max() <= 1
        assert one.version == loaded[kind].name
        assert one.present == bool(one.mask.any())
        assert len(one.plane_scores) == (answer[0] if len(answer) == 3 else 1)


@EVERY
def test_words_and_pixels_decide_and_nothing_else(loaded, kind):
    model, picture = loaded[kind], _picture()
    first = model.predict(picture, "yx", ["left lung"])[0]
    again = model.predict(picture, "yx", ["liver", "left lung"])[1]
    other = model.predict(picture, "yx", ["liver"])[0]
    assert np.array_equal(first.probability, again.probability)
    assert not np.array_equal(first.probability, other.probability)
    elsewhere = model.predict(_picture(seed=1), "yx", ["left lung"])[0]
    assert not np.array_equal(first.probability, elsewhere.probability)


@EVERY
def test_the_cache_changes_nothing(loaded, kind):
    model = loaded[kind]
    plain = model.predict(_picture(), "yx", ["left lung"])[0]
    for _ in range(2):
        kept = model.predict(_picture(), "yx", ["left lung"], key="k")[0]
        assert np.array_equal(plain.probability, kept.probability)
    for number in range(9):
        model.predict(_picture(), "yx", ["left lung"], key=f"k{number}")
    assert len(model._pictures) == 4


@EVERY
def test_it_knows_no_target_and_has_a_name_that_history_understands(loaded, kind):
    model = loaded[kind]
    assert model.learned == frozenset()
    assert model.threshold == 0.5
    assert model.name.startswith(f"{kind}@")
    assert is_proposer(model.name)


@pytest.mark.parametrize("model", ["v1", "", None, "clipsegment@1"])
def test_what_is_no_proposer(model):
    assert not is_proposer(model)


@pytest.mark.parametrize("shape", [(40, 60), (3, 90, 31)])
def test_a_picture_is_shown_as_the_librarys_own_processor_shows_it(tiny, shape):
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    processor = ViTImageProcessorPil.from_pretrained(tiny["clipseg"])
    pixels = _picture(shape)
    rgb = np.broadcast_to(pixels if len(shape) == 3 else pixels[None], (3, *shape[-2:]))
    theirs = processor(np.moveaxis(rgb, 0, -1), return_tensors="pt")["pixel_values"]
    stacked = torch.from_numpy(pixels if len(shape) == 3 else pixels[None])
    mine = View.read(tiny["clipseg"]).of(stacked)
    assert mine.shape == theirs.shape
    # Both round to 8 bits after the resizing; some pixels round the other way.
    assert float((mine - theirs).abs().max()) <= 1.01 / 255 / 0.23


def test_clipseg_answers_as_the_librarys_own_call(tiny, loaded):
    from transformers import AutoTokenizer, CLIPSegForImageSegmentation

    net = CLIPSegForImageSegmentation.from_pretrained(tiny["clipseg"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny["clipseg"])
    # Colour of 8 bits is shown as it is; grey values are windowed before.
    prompts, picture = ["left lung", "a nodule in it"], _picture((3, 32, 32))
    view = View.read(tiny["clipseg"]).of(torch.from_numpy(picture))
    for prompt, answer in zip(
        prompts, loaded["clipseg"].predict(picture, "cyx", prompts), strict=True
    ):
        text = tokenizer([prompt], return_tensors="pt")
        with torch.no_grad():
            logits = net(pixel_values=view, **text).logits
        expected = logits.reshape(32, 32).sigmoid().numpy()
        np.testing.assert_allclose(answer.probability, expected, atol=1e-5)
        assert answer.score == pytest.approx(float(expected.max()), abs=1e-4)


@pytest.mark.parametrize("prompt", ["left lung", "liver", "heart"])
@pytest.mark.parametrize("passing", [0, 1, 3, 6])
def test_sam3_joins_the_instances_that_pass(tiny, loaded, monkeypatch, prompt, passing):
    """Against the published post-processing, written out from the raw answer."""
    from transformers import AutoTokenizer
    from transformers.models.sam3.modeling_sam3 import Sam3Model

    net = Sam3Model.from_pretrained(tiny["sam3"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny["sam3"])
    picture = _picture((3, 56, 56))
    view = View.read(tiny["sam3"]).of(torch.from_numpy(picture))
    text = tokenizer([prompt], padding="max_length", max_length=32, return_tensors="pt")
    with torch.no_grad():
        raw = net(pixel_values=view, **text)
    scores = (raw.pred_logits.sigmoid() * raw.presence_logits.sigmoid())[0].numpy()
    masks = raw.pred_masks.sigmoid()[0].numpy()  # (6, 16, 16)
    # A threshold between the scores, so that just so many pass it.
    ranked = np.concatenate([[1.0], np.sort(scores)[::-1], [0.0]])
    threshold = float(ranked[passing : passing + 2].mean())
    monkeypatch.setattr(type(loaded["sam3"]), "KEPT", threshold)
    kept = scores > threshold
    assert kept.sum() == passing
    kept[scores.argmax()] = True
    union = torch.from_numpy(masks[kept].max(0))[None, None]
    expected = torch.nn.functional.interpolate(
        union, (56, 56), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    answer = loaded["sam3"].predict(picture, "cyx", [prompt])[0]
    np.testing.assert_allclose(answer.probability, expected, atol=1e-5)
    surest = min(float(scores.max()), float(expected.max()))
    assert answer.score == pytest.approx(surest, abs=1e-4)
    assert answer.present == (surest > 0.5)
