"""One conformance class for every text encoder, and values where they are known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from src_core.config import TextSettings
from src_core.errors import BadInputError
from src_core.text import ENCODERS, CachedEncoder, TextEncoder, load_encoder
from src_core.text.hashed import HashedEncoder
from src_core.text.minilm import MiniLM, packaged_model


def _tiny_bert(folder):
    """A real BERT with random weights, saved the way a hub model is."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {
        w: i
        for i, w in enumerate(
            ["[PAD]", "[UNK]", "left", "right", "lung", "heart", "the"]
        )
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    )
    wrapped.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="module")
def encoders(tmp_path_factory) -> dict[str, TextEncoder]:
    folder = _tiny_bert(tmp_path_factory.mktemp("bert"))
    settings = {
        "minilm": TextSettings(),
        "hashed": TextSettings(encoder="hashed"),
        "transformers": TextSettings(encoder="transformers", model=str(folder)),
    }
    return {name: load_encoder(chosen) for name, chosen in settings.items()}


@pytest.mark.parametrize("name", ENCODERS)
class TestEveryEncoder:
    """What the seam promises, whatever stands behind it."""

    def test_shapes(self, encoders, name):
        features = encoders[name].encode(["left lung", "the heart", "lung"])
        count, longest, width = features.tokens.shape
        assert (count, width) == (3, encoders[name].width)
        assert features.mask.shape == (3, longest)
        assert features.pooled.shape == (3, width)
        assert features.tokens.dtype == torch.float32

    def test_padding_is_zero_and_pooled_has_unit_length(self, encoders, name):
        features = encoders[name].encode(["lung", "the left lung and the right lung"])
        assert (features.tokens[~features.mask] == 0).all()
        torch.testing.assert_close(features.pooled.norm(dim=1), torch.ones(2))

    def test_company_does_not_change_a_prompt(self, encoders, name):
        alone = encoders[name].encode(["right lung"])
        among = encoders[name].encode(
            ["heart", "right lung", "the left lung and the heart"]
        )
        length = int(alone.mask.sum())
        torch.testing.assert_close(
            among.tokens[1, :length], alone.tokens[0, :length], atol=2e-5, rtol=1e-4
        )

    def test_left_differs_from_right(self, encoders, name):
        tokens = encoders[name].encode(["left lung", "right lung"]).tokens
        assert not torch.allclose(tokens[0], tokens[1], atol=1e-2)

    def test_long_text_is_cut(self, encoders, name):
        assert encoders[name].encode(["lung " * 500]).tokens.shape[1] <= 32

    def test_empty_text_is_a_prompt(self, encoders, name):
        features = encoders[name].encode(["", "lung"])
        assert features.mask.any(1).all()
        assert torch.isfinite(features.pooled).all()


def test_minilm_agrees_with_transformers():
    from transformers import AutoModel, AutoTokenizer

    folder, prompts = packaged_model(), ["left lung", "the heart muscle ring", "RV"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, use_safetensors=True).eval()
    rows = tokenizer(prompts, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = model(**rows).last_hidden_state
    found = MiniLM().encode(prompts)
    mask = rows["attention_mask"].bool()
    assert torch.equal(found.mask, mask)
    torch.testing.assert_close(found.tokens[mask], expected[mask], atol=1e-4, rtol=1e-4)


def test_unknown_encoder_is_a_sentence():
    with pytest.raises(BadInputError, match="choose one of minilm"):
        load_encoder(TextSettings(encoder="word2vec"))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("no/such-model", "set text.revision"),
        ("", "set text.revision"),
    ],
)
def test_a_hub_id_must_be_pinned(model, message):
    with pytest.raises(BadInputError, match=message):
        load_encoder(TextSettings(encoder="transformers", model=model))


def test_a_folder_that_holds_no_model_is_a_sentence(tmp_path):
    with pytest.raises(BadInputError, match="cannot be loaded"):
        load_encoder(TextSettings(encoder="transformers", model=str(tmp_path)))


class _Counting(HashedEncoder):
    calls = 0

    def encode(self, prompts):
        self.calls += len(prompts)
        return super().encode(prompts)


def test_the_cache_encodes_each_wording_once_even_across_runs(tmp_path):
    first = _Counting()
    cached = CachedEncoder(first, tmp_path)
    before = cached.encode(["left lung", "heart", "left lung"])
    cached.encode(["heart"])
    assert first.calls == 2
    second = _Counting()
    after = CachedEncoder(second, tmp_path).encode(["left lung", "heart", "left lung"])
    assert second.calls == 0
    torch.testing.assert_close(before.tokens, after.tokens)
    assert all("lung" not in path.name for path in tmp_path.iterdir())


def test_a_torn_cache_file_is_encoded_anew(tmp_path):
    CachedEncoder(_Counting(), tmp_path).encode(["heart"])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:20])
    encoder = _Counting()
    CachedEncoder(encoder, tmp_path).encode(["heart"])
    assert encoder.calls == 1


def test_what_one_encoder_kept_is_not_taken_for_anothers(tmp_path):
    prompt = "a mass in the upper pole of the kidney"
    for tokens in (4, 8):
        settings = TextSettings(encoder="minilm", max_tokens=tokens)
        found = load_encoder(settings, tmp_path).encode([prompt])
        torch.testing.assert_close(
            found.tokens, load_encoder(settings).encode([prompt]).tokens
        )
    assert MiniLM(packaged_model()).name != MiniLM().name


def test_threads_that_meet_at_a_wording_do_not_trip_over_each_other(tmp_path):
    prompts = [f"prompt {number}" for number in range(200)]

    def encode(_):
        return CachedEncoder(HashedEncoder(), tmp_path).encode(prompts).tokens

    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(encode, range(4))
    assert all(torch.equal(first, other) for other in others)
    assert len(list(tmp_path.iterdir())) == len(prompts)


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path):
    (tmp_path / "text").write_text("a file is where the folder should be")
    encoder = _Counting()
    cached = CachedEncoder(encoder, tmp_path / "text")
    assert torch.equal(cached.encode(["heart"]).tokens, cached.encode(["heart"]).tokens)
    assert encoder.calls == 1
